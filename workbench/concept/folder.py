"""A concept in a folder: `concept.toml`, and files of JSON lines beside it in place of its lists."""

from pathlib import Path
from typing import Any

from workbench.concept.lines import Place
from workbench.textfile import read_json_lines, read_text

_POLES = ("high", "low", "neutral")
_SPLITS = ("search", "held_out")
_COLUMNS = {
    "personas": ("text", "pole", "split", "facet", "form"),
    "questions": ("text", "split", "facet", "form"),
    "statements": ("high", "low", "facet", "question"),
}
"""The tables that may stand in a file, e.g. `personas.jsonl`, and their columns."""


class Rows:
    """What a folder's files of JSON lines hold.

    Attributes:
        entries: the entries that a concept's file would have instead, by table.
        places: where each entry stands, e.g. `personas.jsonl, line 3`.

    Raises:
        ValueError: for a row that is none, with its file and line.
    """

    def __init__(self, folder: Path) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.places: dict[Place, str] = {}
        for name in _COLUMNS:
            path = folder / f"{name}.jsonl"
            if path.is_file():
                self.places[(name,)] = f"{path.name}, line 1"
                self._read(name, path)

    def _read(self, name: str, path: Path) -> None:
        rows = read_json_lines(path)
        numbers = [number for number, line in enumerate(read_text(path).split("\n"), start=1) if line.strip()]
        splits = any("split" in row for row in rows)
        for number, row in zip(numbers, rows, strict=True):
            where = f"{path.name}, line {number}"
            self._require(name, row, where)
            kinds = {key: row[key] for key in ("facet", "form", "question") if row.get(key)}
            held = row.get("split") == "held_out"
            if name == "statements":
                for pole in _POLES[:2]:
                    self._add((name, pole), {"text": row[pole], **kinds}, where)
            elif name == "questions":
                part = ("held_out" if held else "search") if splits else "all"
                self._add((name, part), {"text": row["text"], **kinds}, where)
            else:
                inside = ("held_out",) if held else ()
                self._add((name, *inside, row["pole"]), {"text": row["text"], **kinds}, where)

    def _require(self, name: str, row: dict[str, Any], where: str) -> None:
        known = _COLUMNS[name]
        unknown = [key for key in row if key not in known]
        if unknown:
            raise ValueError(f"{where}: there is no column {str(unknown[0])[:40]!r}. There are {', '.join(known)}.")
        needed = {"personas": ("text", "pole"), "questions": ("text",), "statements": ("high", "low")}[name]
        lacking = [key for key in needed if key not in row]
        if lacking:
            raise ValueError(f"{where}: a row of {name} has {' and '.join(needed)}, but no {lacking[0]}. Add it.")
        for key, allowed in (("pole", _POLES), ("split", _SPLITS)):
            if key in row and row[key] not in allowed:
                raise ValueError(f"{where}: {key} is one of {', '.join(allowed)}, but {str(row[key])[:40]!r} arrived.")

    def _add(self, place: Place, text: dict[str, Any], where: str) -> None:
        table: Any = self.entries
        for key in place[:-1]:
            table = table.setdefault(key, {})
        rows = table.setdefault(place[-1], [])
        self.places.setdefault(place, where)
        self.places[(*place, len(rows))] = where
        rows.append(text)
