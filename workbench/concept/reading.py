"""Concepts from files; a mistake is told with the file's name and its line."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.concept.entries import MistakeAtError, parts_of
from workbench.concept.folder import Rows
from workbench.concept.lines import Place, lines_of
from workbench.textfile import read_text

FILE = "concept.toml"
"""What a concept's file is called in a folder."""

DESCRIPTIONS = "description.json"
"""The file by which a folder of PersonalityBench is known."""

ROWS, SHEETS = (".json", ".jsonl", ".csv", ".parquet"), (".xls", ".xlsx")
"""How files in published formats end: those of rows, and those of item keys alone."""

ENDINGS = (".toml", *ROWS, *SHEETS)
"""How a concept's file may end."""

_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def concept_path(path: str | Path, name: str | None) -> tuple[Path, str | None]:
    """A path, and the name of the concept that is meant in it, which may stand behind a # at the path's end."""
    said = str(path)
    if "#" not in said or Path(path).exists():
        return Path(path), name
    head, _, tail = said.rpartition("#")
    return Path(head), name or tail.strip() or None


def is_own(path: Path) -> bool:
    """Whether a path is to a concept's own file or folder, not to a format that others publish."""
    return path.suffix.casefold() == ".toml" or (path / FILE).is_file()


def read_parts(path: Path) -> dict[str, Any]:
    """The fields of a `Concept` from a TOML file, or a folder with one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for the first mistake: the file, the line, what is wrong and what to do.
    """
    rows = Rows(path) if path.is_dir() else None
    path = path / FILE if path.is_dir() else path
    text = read_text(path)
    entries = toml_entries(text, path.name)
    try:
        return parts_of(entries if rows is None else _merged(entries, rows))
    except MistakeAtError as error:
        raise ValueError(_told(error, text, path.name, {} if rows is None else rows.places)) from None


def _merged(entries: dict[str, Any], rows: Rows) -> dict[str, Any]:
    """A file's entries with those of the tables beside it.

    Raises:
        MistakeAtError: if a list stands in both.
    """
    merged = dict(entries)
    for name, table in rows.entries.items():
        own = merged.get(name, {})
        if not isinstance(own, dict):
            continue
        twice = [key for key in table if key in own]
        if twice:
            raise MistakeAtError(
                (name, twice[0]), f"{name}.{twice[0]} stands in {FILE} and in {name}.jsonl too. Keep it in one of them."
            )
        merged[name] = {**own, **table}
    return merged


def toml_entries(text: str, name: str) -> dict[str, Any]:
    """The entries of a TOML text.

    Args:
        name: of the file, for messages.

    Raises:
        ValueError: if it is no TOML, with the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        found = _LINE.search(said)
        line = found[1] if found and found[1] else str(text.count("\n") + 1)
        what = said[: found.start()] if found else said
        raise ValueError(
            f"{name}, line {line}: this is no TOML ({what}). Put texts in quotation marks, with commas between them."
        ) from None
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply to be read as a concept.") from None


def _told(error: MistakeAtError, text: str, name: str, places: Mapping[Place, str]) -> str:
    lines = lines_of(text)

    def where(place: Place) -> str:
        for length in range(len(place), 0, -1):
            if place[:length] in places:
                return places[place[:length]]
        line = _line(place, lines) if place else text.rstrip("\n").count("\n") + 1
        return f"{name}, line {line}"

    at = where(error.place)
    other = "" if error.other is None else where(error.other)
    other = other.removeprefix(f"{at.partition(',')[0]}, ")
    return f"{at}: {error.sentence.replace('{other}', other)}"


def _line(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of an entry, or of the nearest table around it."""
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place, 1)
