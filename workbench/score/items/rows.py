"""Read the rows of a task's file: a JSON list of objects, or JSON lines."""

from pathlib import Path
from random import Random
from typing import TypeVar

from workbench.textfile import parsed_json, read_json_lines, read_text

T = TypeVar("T")


def read_rows(path: str | Path) -> list[dict]:
    """The objects of a file: a JSON list if its text begins with `[`, otherwise JSON lines.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not UTF-8, is neither of the two, or holds no rows.
    """
    path = Path(path)
    text = read_text(path)
    if not text.lstrip().startswith("["):
        rows = read_json_lines(path)
    else:
        rows = parsed_json(text, path.name)
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path.name}, row {number}: a row is an object, but its type is {type(row).__name__}."
                )
    if not rows:
        raise ValueError(f"{path.name} holds no rows.")
    return rows


def text_of(path: str | Path, number: int, row: dict, key: str) -> str:
    """A row's text under `key`.

    Raises:
        ValueError: naming the row, if there is none.
    """
    text = row.get(key)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{Path(path).name}, row {number} has no text under {key!r}; it has {sorted(row)[:8]}.")
    return text.strip()


def drawn(items: list[T], *, n: int | None, seed: int) -> list[T]:
    """`n` of the items in a random order, each at most once; all of them in their own order where `n` is None.

    Raises:
        ValueError: if there are fewer.
    """
    if n is None:
        return items
    if not 1 <= n <= len(items):
        raise ValueError(f"1 to {len(items)} items can be drawn, but {n} were asked for.")
    return Random(seed).sample(items, n)
