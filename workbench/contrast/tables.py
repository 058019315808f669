"""Pairs of prompts from a table that somebody else wrote."""

import json
from pathlib import Path

import pandas as pd

from workbench.contrast.banks import read_json_lines
from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt
from workbench.vocabulary import Pole

READERS = {
    ".jsonl": lambda path: pd.DataFrame(read_json_lines(path)),
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
    ".parquet": pd.read_parquet,
}


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a jsonl, csv or parquet file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for another ending, an empty table, or a file that is not what its ending says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix not in READERS:
        raise ValueError(f"Pairs come as {', '.join(READERS)}, but {path.name} ends in {path.suffix!r}.")
    try:
        frame = READERS[path.suffix](path)
    except (OSError, ValueError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} could not be read as {path.suffix}: {_first_line(error)}") from None
    if frame.empty:
        raise ValueError(f"{path.name} holds no rows.")
    return frame


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def contrast_from_table(path: Path, *, trait: str | None) -> Contrast:
    """See `Contrast.from_table`."""
    frame = read_table(path)
    missing = [column for column in ("high", "low") if column not in frame]
    if missing:
        raise ValueError(f"{path.name} needs columns high and low; missing {missing} from {list(frame.columns)}.")
    texts = ("high", "low", "neutral", "question", *(f"{pole}_response" for pole in Pole))
    for column in [name for name in texts if name in frame]:
        blank = [i for i, text in enumerate(frame[column]) if not isinstance(text, str) or not text.strip()]
        if blank:
            raise ValueError(f"{path.name}: column {column} has no text in row {blank[0] + 1}.")
    if trait is not None and "trait" in frame:
        frame = frame[frame["trait"].str.casefold() == trait.casefold()].reset_index(drop=True)
        if frame.empty:
            raise ValueError(f"{path.name} has no row with trait {trait!r}.")
    named = list(dict.fromkeys(frame["trait"])) if "trait" in frame else []
    if trait is None and len(named) > 1:
        raise ValueError(f"{path.name} holds several traits ({', '.join(named)}): name one.")
    questions = frame["question"].tolist() if "question" in frame else None

    def prompts(column: str) -> tuple[Prompt, ...]:
        texts = frame[column].tolist()
        if questions is None:
            return tuple(Prompt(text) for text in texts)
        return tuple(Prompt(question, text) for question, text in zip(questions, texts, strict=True))

    poles = [pole for pole in Pole if pole in frame]
    ids = {pole: tuple(frame[f"{pole}_id"].astype(str) if f"{pole}_id" in frame else frame[pole]) for pole in poles}
    answers = {pole: tuple(frame[f"{pole}_response"]) for pole in poles if f"{pole}_response" in frame}
    return Contrast(
        trait or (named[0] if named else path.stem),
        prompts("high"),
        prompts("low"),
        prompts("neutral") if "neutral" in frame else None,
        questions=tuple(questions or ()),
        descriptions=ids if questions is not None else {},
        source=path.name,
        responses=answers,
    )
