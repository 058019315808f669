"""TRAIT: situations with two responses of somebody high in a trait and two of somebody low in it."""

from pathlib import Path
from typing import Any

from workbench.concept.formats.records import Record, read_records, without_repeats
from workbench.concept.formats.wording import chosen, poles_of, titled

PAIRS = (("response_high1", "response_low1"), ("response_high2", "response_low2"))
_TRAIT = "personality"


def entries_of(path: Path, name: str | None = None) -> dict[str, Any]:
    """The entries of a concept from TRAIT's rows, each of which gives two pairs of statements that answer it.

    Columns: personality; question, or situation and query; response_high1, response_high2, response_low1,
    response_low2. A file without personality is named by its own name, e.g. Openness.parquet. The format has no
    personas.

    Args:
        name: which trait, where the file holds several.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and the row that is not of the format, or the traits of which one is to be named.

    Reference:
        Lee et al. (2024), Do LLMs have distinct and consistent personality? TRAIT.
    """
    records = read_records(path)
    if _TRAIT in records[0].cells:
        of_row = [record.text(_TRAIT, what="a row") for record in records]
        trait = chosen(name, list(dict.fromkeys(of_row)), path.name)
        records = [record for record, of in zip(records, of_row, strict=True) if of == trait]
    else:
        trait = titled(name or path.stem.split("-")[0])
    rows = [(_question(each), *_responses(each, keys)) for each in records for keys in PAIRS]
    kept = without_repeats(path.name, "pairs of responses", rows)
    return {
        "name": titled(trait),
        "source": f"TRAIT (Lee et al., 2024), {path.name}",
        "poles": poles_of(trait),
        "statements": {
            pole: [{"text": row[column], "question": row[0]} for row in kept]
            for column, pole in enumerate(("high", "low"), start=1)
        },
    }


def _question(record: Record) -> str:
    if "situation" in record.cells:
        return " ".join(record.text(key, what="a row") for key in ("situation", "query"))
    return record.text("question", what="a row")


def _responses(record: Record, keys: tuple[str, str]) -> tuple[str, str]:
    high, low = (record.text(key, what="a row") for key in keys)
    if high.casefold() == low.casefold():
        raise ValueError(f"{record.where}: {keys[0]} and {keys[1]} differ, but both are {high[:60]!r}. Correct one.")
    return high, low
