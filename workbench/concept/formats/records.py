"""The rows of a file that somebody else wrote, each knowing where it stands."""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from workbench.printable import one_line
from workbench.textfile import parsed_json, read_json_lines, read_text

LOG = logging.getLogger("workbench")


@dataclass(frozen=True)
class Record:
    """One row of a file.

    Attributes:
        where: the file and the row, for messages; the first row is 1.
        cells: what it holds.
    """

    where: str
    cells: Mapping[str, Any]

    def text(self, key: str, *, what: str) -> str:
        """A cell's text.

        Args:
            what: the format's rule about it, for messages.

        Raises:
            ValueError: if there is none.
        """
        value = self.cells.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        has = "it is lacking" if key not in self.cells else f"{shown(value)} stands there"
        raise ValueError(f"{self.where}: {what} has a text {key}, but {has}. Write one, or remove the row.")


def shown(value: object) -> str:
    """A value in a few words, for messages."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return "nothing"
    return one_line(repr(value), most=60)


def read_records(path: Path) -> list[Record]:
    """The rows of a JSON list, JSON lines, CSV or parquet file.

    A .json file may hold a list of objects or an object a line.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, a row is no object, or there is none.
    """
    rows = _rows(path)
    records = []
    for number, row in enumerate(rows, start=1):
        where = f"{path.name}, row {number}"
        if not isinstance(row, Mapping):
            raise ValueError(f"{where}: a row is an object with keys, but {shown(row)} stands there. Correct it.")
        records.append(Record(where, row))
    if not records:
        raise ValueError(f"{path.name} holds no rows. Give a file with some.")
    return records


def _rows(path: Path) -> list[Any]:
    kind = path.suffix.casefold()
    if kind == ".parquet":
        return _of_parquet(path)
    text = read_text(path)
    if kind == ".csv":
        return list(csv.DictReader(StringIO(text)))
    if kind != ".json" or _is_json_lines(text):
        return read_json_lines(path)
    value = parsed_json(text, path.name)
    return value if isinstance(value, list) else [value]


def _is_json_lines(text: str) -> bool:
    """Whether a JSON text is one object a line rather than one value."""
    lines = [line for line in text.split("\n", 2)[:2] if line.strip()]
    return len(lines) > 1 and all(line.startswith("{") and line.rstrip().endswith("}") for line in lines)


def _of_parquet(path: Path) -> list[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        return parquet.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ValueError(f"{path.name} could not be read as parquet: {reason}") from None


def without_repeats(name: str, what: str, rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows of texts, each once; a warning counts those that stood again."""
    kept = list({tuple(" ".join(text.casefold().split()) for text in row): row for row in reversed(rows)}.values())
    if len(kept) < len(rows):
        LOG.warning("%s holds %d %s more than once; each is taken once.", name, len(rows) - len(kept), what)
    return kept[::-1]
