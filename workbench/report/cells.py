"""A frame's values as the text of a table: rounded alike within a column, never rounded to a false zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

MINUS = "\u2212"
MISSING = "\u2013"
MAX_DECIMALS = 4


@dataclass(frozen=True)
class Column:
    """A column's heading and whether it holds numbers, which stand to the right."""

    name: str
    numeric: bool


@dataclass(frozen=True)
class Cell:
    """What a reader sees, and the exact value that the column is sorted by ("" where it is missing)."""

    text: str
    value: str


def table_cells(frame: pd.DataFrame) -> tuple[list[Column], list[list[Cell]]]:
    """The columns and the rows of `frame` as text.

    A named index comes first as ordinary columns; an unnamed one is left out. Numbers in a column share their
    decimals (three significant figures at the column's median), and the interval columns `x_low` and `x_high`
    share those of `x`.

    Example:
        >>> columns, rows = table_cells(pd.DataFrame({"arm": ["random"], "p": [3.21e-8], "n": [14336]}))
        >>> [cell.text for cell in rows[0]]
        ['random', '3.2e−8', '14,336']
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    values = {position: list(frame.iloc[:, position]) for position in range(len(names))}
    numeric = {position: _is_numeric(column) for position, column in values.items()}
    decimals = {names[p]: _decimals(values[p]) for p in values if numeric[p]}
    columns = [Column(name.replace("_", " "), numeric[p]) for p, name in enumerate(names)]
    places = [decimals.get(_stem(name), decimals.get(name, 0)) for name in names]
    rows = [
        [_cell(values[p][row], places[p] if numeric[p] else None) for p in range(len(names))]
        for row in range(len(frame))
    ]
    return columns, rows


def number_text(value: float, decimals: int) -> str:
    """`value` to so many decimals, with a true minus sign.

    A number that would read as zero, or is too long to read, is given in powers of ten.

    Example:
        >>> number_text(-1234.567, 1), number_text(0.00001, 3), number_text(-0.0, 2)
        ('−1,234.6', '1.0e−5', '0.00')
    """
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}∞"
    text = f"{value:,.{decimals}f}"
    if (value != 0 and float(text.replace(",", "")) == 0) or abs(value) >= 1e12:
        mantissa, power = f"{value:.1e}".split("e")
        text = f"{mantissa}e{int(power)}"
    elif value == 0:
        text = f"{0:.{decimals}f}"
    return text.replace("-", MINUS)


def _stem(name: str) -> str:
    return name.removesuffix("_low").removesuffix("_high")


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, Real) and bool(value != value))


def _is_numeric(values: list[Any]) -> bool:
    present = [value for value in values if not _is_missing(value)]
    return bool(present) and all(
        isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) for value in present
    )


def _decimals(values: list[Any]) -> int:
    sizes = [abs(float(v)) for v in values if not _is_missing(v) and v != 0 and math.isfinite(v)]
    if all(size == int(size) for size in sizes):
        return 0
    scale = math.floor(math.log10(float(np.median(sizes))))
    return min(max(2 - scale, 0), MAX_DECIMALS)


def _cell(value: Any, decimals: int | None) -> Cell:
    if isinstance(value, (bool, np.bool_)):
        return Cell("yes" if value else "no", str(int(value)))
    if _is_missing(value):
        return Cell(MISSING, "")
    if decimals is not None:
        return Cell(number_text(float(value), decimals), repr(float(value)))
    return Cell(str(value), str(value))
