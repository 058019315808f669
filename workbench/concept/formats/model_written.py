"""Statements of the model-written evaluations' personas, and tables of statements by pole."""

from pathlib import Path
from typing import Any

from workbench.concept.formats.records import LOG, Record, read_records, shown, without_repeats
from workbench.concept.formats.wording import poles_of, titled

MATCHING = "answer_matching_behavior"
POLE = "pole"
_MEANING = {MATCHING: {"yes": "high", "no": "low"}, POLE: {"high": "high", "low": "low"}}
_EVALUATIONS = "model-written evaluations (Perez et al., 2022)"


def entries_of(path: Path, name: str | None = None) -> dict[str, Any]:
    """The entries of a concept from statements that are answered with Yes or No, or that name their pole.

    Statements to which Yes matches the behaviour are high. The i-th high and the i-th low one are a pair, though they
    were not written as one: they are matched neither in wording nor in length. What the larger pole has beyond is left
    out, and a warning counts it. The format has no personas and no questions.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and the row that is not of the format.

    Reference:
        Perez et al. (2022), Discovering language model behaviors with model-written evaluations.
    """
    records = read_records(path)
    key = MATCHING if MATCHING in records[0].cells else POLE
    poles: dict[str, list[tuple[str, ...]]] = {"high": [], "low": []}
    for record in records:
        said = record.text("statement", what="a row")
        poles[_pole(record, key)].append((said,))
    statements = {pole: without_repeats(path.name, f"{pole} statements", rows) for pole, rows in poles.items()}
    count = min(map(len, statements.values()))
    spare = sum(map(len, statements.values())) - 2 * count
    if spare:
        LOG.warning("%s has no partner for %d statements, which are left out.", path.name, spare)
    named = titled(name or path.stem)
    published = {"source": f"{_EVALUATIONS}, {path.name}", "license": "CC BY 4.0"}
    return {
        "name": named,
        **(published if key == MATCHING else {"source": path.name}),
        "poles": poles_of(named),
        "statements": {pole: [text for (text,) in rows[:count]] for pole, rows in statements.items()},
    }


def _pole(record: Record, key: str) -> str:
    meaning = _MEANING[key]
    value = record.cells.get(key)
    pole = meaning.get(value.strip().casefold()) if isinstance(value, str) else None
    if pole is None:
        allowed = " or ".join(meaning)
        raise ValueError(f"{record.where}: {key} is {allowed}, but {shown(value)} stands there. Correct it.")
    return pole
