"""Pairs of prompts from a jsonl, csv or parquet table."""

from io import StringIO
from pathlib import Path

import pandas as pd
import pyarrow as pa

from workbench.contrast.pairs import Pairs
from workbench.contrast.prompt import Prompt
from workbench.textfile import read_json_lines, read_text
from workbench.vocabulary import Pole

_IDS = tuple(f"{pole}_id" for pole in Pole)
_TEXTS = ("high", "low", "neutral", "question", *(f"{pole}_response" for pole in Pole))


def _read_csv(path: Path) -> pd.DataFrame:
    text = read_text(path)
    if not text.strip():
        raise ValueError("No columns: it is empty.")
    header = text.partition("\n")[0]
    for mark in (";", "\t"):
        if "," not in header and mark in header:
            raise ValueError(f"its columns are separated by {mark!r}. Save it with commas.")
    # The header is read as an ordinary row: pandas would rename a repeated column, and use a first column without a
    # name as an index.
    rows = pd.read_csv(StringIO(text), header=None, dtype=str, keep_default_na=False)
    return rows.iloc[1:].set_axis([str(name).strip() for name in rows.iloc[0]], axis=1).reset_index(drop=True)


READERS = {
    ".jsonl": lambda path: pd.DataFrame(read_json_lines(path)),
    ".csv": _read_csv,
    ".parquet": pd.read_parquet,
}


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a jsonl, csv or parquet file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for another ending, an empty table, a repeated column, or a file that is not of the kind that its
            ending names.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    kind = path.suffix.casefold()
    if kind not in READERS:
        raise ValueError(f"A table comes as {', '.join(READERS)}, but {path.name} ends in {path.suffix!r}.")
    try:
        frame = READERS[kind](path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path.name} could not be read as {kind}: {_first_line(error)}") from None
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"{path.name} has two columns {_short(repeated[0])}. Keep one.")
    if frame.empty:
        raise ValueError(f"{path.name} holds no rows.")
    return frame


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _short(name: object) -> str:
    """A column's name, shortened for an error message."""
    text = str(name)
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _lacking(path: Path, frame: pd.DataFrame, missing: list[str]) -> str:
    shown = ", ".join(map(_short, frame.columns[:12])) + (", …" if len(frame.columns) > 12 else "")
    return f"{path.name} needs columns high and low; missing {missing} from [{shown}]."


def _blank(cell: object) -> bool:
    return not isinstance(cell, str) or cell.strip().casefold() in ("", "nan")


def pairs_from_table(path: Path, *, trait: str | None) -> Pairs:
    """See `Contrast.from_table`."""
    frame = read_table(path)
    missing = [column for column in ("high", "low") if column not in frame]
    if missing:
        raise ValueError(_lacking(path, frame, missing))
    for column in [name for name in (*_TEXTS, "trait") if name in frame]:
        blank = [i for i, text in enumerate(frame[column]) if _blank(text)]
        if blank:
            raise ValueError(f"{path.name}: column {column} has no text in row {blank[0] + 1}.")
    for column in [name for name in _IDS if name in frame]:
        blank = [i for i, cell in enumerate(frame[column]) if pd.isna(cell) or not str(cell).strip()]
        if blank:
            raise ValueError(f"{path.name}: column {column} has no id in row {blank[0] + 1}.")
    if trait is not None and "trait" in frame:
        frame = frame[frame["trait"].str.casefold() == trait.casefold()].reset_index(drop=True)
        if frame.empty:
            raise ValueError(f"{path.name} has no row with trait {trait!r}.")
    traits = list(dict.fromkeys(frame["trait"])) if "trait" in frame else []
    if trait is None and len(traits) > 1:
        shown = ", ".join(name[:40] for name in traits[:8]) + (", …" if len(traits) > 8 else "")
        raise ValueError(f"{path.name} holds several traits ({shown}): name one.")
    questions = frame["question"].tolist() if "question" in frame else None

    def prompts(column: str) -> tuple[Prompt, ...]:
        texts = frame[column].tolist()
        if questions is None:
            return tuple(Prompt(text) for text in texts)
        return tuple(Prompt(question, text) for question, text in zip(questions, texts, strict=True))

    poles = [pole for pole in Pole if pole in frame]
    ids = {pole: tuple(frame[f"{pole}_id"].astype(str) if f"{pole}_id" in frame else frame[pole]) for pole in poles}
    responses = {pole: tuple(frame[f"{pole}_response"]) for pole in poles if f"{pole}_response" in frame}
    return Pairs(
        trait or (traits[0] if traits else path.stem),
        prompts("high"),
        prompts("low"),
        prompts("neutral") if "neutral" in frame else None,
        questions=tuple(questions or ()),
        descriptions=ids if questions is not None else {},
        source=path.name,
        responses=responses,
    )
