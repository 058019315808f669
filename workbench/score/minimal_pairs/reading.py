"""Read minimal pairs from a file: pairs of sentences as BLiMP has them, or true and false statements."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from random import Random

from workbench.score.items.rows import read_rows
from workbench.score.minimal_pairs.pair import MinimalPair
from workbench.textfile import read_text

_SENTENCES = (("sentence_good", "sentence_bad"), ("good", "bad"))
_SUBJECTS = ("pair", "subject", "city", "item")
_TRUE, _FALSE = ("1", "1.0", "true"), ("0", "0.0", "false")


def read_minimal_pairs(path: str | Path, *, seed: int = 0) -> list[MinimalPair]:
    """Read the pairs of a csv, jsonl or json file, in a random order that the seed decides; repeated pairs count once.

    A file holds either the two sentences of a pair in each row (`sentence_good` and `sentence_bad`, as BLiMP has it,
    or `good` and `bad`), or a statement in each row (`statement`) with whether it is true (`label`, 1 or 0). Statements
    with equal values of the first of the columns pair, subject, city and item that there is belong together: the first
    true one with the first false one, and so on. Without such a column each two rows that follow each other, the
    first with the second, the third with the fourth, are a pair.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has neither kind of columns, a row lacks its text or label, or a statement has no partner.

    Reference:
        Warstadt et al. (2020), BLiMP; Marks and Tegmark (2023), The geometry of truth.
    """
    path = Path(path)
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else read_rows(path)
    names = next((columns for columns in _SENTENCES if rows and set(columns) <= set(rows[0])), None)
    if names is not None:
        pairs = [_of_row(path, number, row, names) for number, row in enumerate(rows, start=1)]
    elif rows and {"statement", "label"} <= set(rows[0]):
        pairs = _of_statements(path, rows)
    else:
        raise ValueError(
            f"Minimal pairs need columns sentence_good and sentence_bad, or good and bad, or statement and label, but "
            f"{path.name} has {sorted(map(str, rows[0])) if rows else 'no rows'}."
        )
    pairs = list(dict.fromkeys(pairs))
    Random(seed).shuffle(pairs)
    return pairs


def _csv_rows(path: Path) -> list[dict]:
    reader = csv.DictReader(StringIO(read_text(path), newline=""), strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {reader.line_num} is no csv: {error}.") from None
    ragged = next((number for number, row in enumerate(rows, start=1) if None in row or None in row.values()), None)
    if ragged is not None:
        raise ValueError(f"{path.name}, row {ragged}: a row has as many cells as there are columns.")
    return rows


def _task(path: Path, row: dict) -> str:
    return str(row.get("linguistics_term") or row.get("task") or path.stem)


def _of_row(path: Path, number: int, row: dict, names: tuple[str, str]) -> MinimalPair:
    good, bad = (str(row.get(name) or "").strip() for name in names)
    if not good or not bad or good == bad:
        raise ValueError(f"{path.name}, row {number}: a pair needs two different sentences.")
    return MinimalPair(good, bad, _task(path, row))


def _of_statements(path: Path, rows: Sequence[dict]) -> list[MinimalPair]:
    subject = next((name for name in _SUBJECTS if name in rows[0]), None)
    statements: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for number, row in enumerate(rows, start=1):
        text, label = str(row.get("statement") or "").strip(), str(row.get("label")).strip().lower()
        if not text or label not in (*_TRUE, *_FALSE):
            raise ValueError(
                f"{path.name}, row {number}: a statement needs its text and a label, 1 (true) or 0 (false), but "
                f"{text!r} has {row.get('label')!r}."
            )
        group = (
            f"rows {number - 1 | 1} and {(number - 1 | 1) + 1}" if subject is None else f"{subject} {row.get(subject)}"
        )
        true, false = statements.setdefault((_task(path, row), group), ([], []))
        (true if label in _TRUE else false).append(text)
    pairs = []
    for (task, group), (true, false) in statements.items():
        if len(true) != len(false):
            raise ValueError(
                f"{path.name}, {group}: a true and a false statement make a pair, but there are {len(true)} true and "
                f"{len(false)} false. Give both, or neither."
            )
        pairs += [_of_row(path, 0, {"good": g, "bad": b}, ("good", "bad")) for g, b in zip(true, false, strict=True)]
        pairs[-len(true) :] = [MinimalPair(each.good, each.bad, task) for each in pairs[-len(true) :]]
    return pairs
