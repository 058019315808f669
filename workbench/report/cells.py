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
    """A column of the table.

    Attributes:
        name: its heading.
        numeric: whether it holds numbers, which stand to the right.
        sources: the frame's columns that it shows: one, or an estimate with the bounds of its interval.
    """

    name: str
    numeric: bool
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """What a reader sees, and the exact values beneath, as a CSV file holds them ("" where one is missing).

    The first value is what the column is sorted by; others are the bounds of its interval.
    """

    text: str
    values: tuple[str, ...]


def table_cells(frame: pd.DataFrame) -> tuple[list[Column], list[list[Cell]]]:
    """The columns and the rows of `frame` as text.

    A named index comes first as ordinary columns; an unnamed one is left out. Numbers in a column share their decimals:
    three significant figures at the column's median, fewer where these are exact. Bounds that follow their estimate,
    `x_low` and `x_high` after `x` or `low` and `high` after any number, stand in its cell and share its decimals.

    Example:
        >>> columns, rows = table_cells(pd.DataFrame({"arm": ["random"], "p": [3.21e-8], "n": [14336]}))
        >>> [cell.text for cell in rows[0]]
        ['random', '3.2e−8', '14,336']
        >>> table_cells(pd.DataFrame({"d": [0.5], "low": [0.251], "high": [0.75]}))[1][0][0].text
        '0.500 [0.251, 0.750]'
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    values = [list(frame.iloc[:, index]) for index in range(len(names))]
    numeric = [_is_numeric(column) for column in values]
    columns: list[Column] = []
    shown: list[list[Cell]] = []
    index = 0
    while index < len(names):
        wide = 3 if _has_bounds(names, values, numeric, index) else 1
        together = values[index : index + wide]
        decimals = _decimals(together) if numeric[index] else None
        columns.append(Column(names[index].replace("_", " "), numeric[index], tuple(names[index : index + wide])))
        shown.append([_cell(list(parts), decimals) for parts in zip(*together, strict=True)])
        index += wide
    return columns, [list(row) for row in zip(*shown, strict=True)]


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


def _has_bounds(names: list[str], values: list[list[Any]], numeric: list[bool], index: int) -> bool:
    """Whether the next two columns are the interval of this one."""
    if not numeric[index] or index + 2 >= len(names):
        return False
    low, high = values[index + 1], values[index + 2]
    if not all(numeric[bound] or all(map(_is_missing, values[bound])) for bound in (index + 1, index + 2)):
        return False
    name, bounds = names[index], tuple(names[index + 1 : index + 3])
    if bounds == (f"{name}_low", f"{name}_high"):
        return True
    if bounds != ("low", "high"):
        return False
    # `low` and `high` may also be two poles. Bounds are in order, and most of them about what they follow: a mean may
    # lie beyond the range that holds 95 % of a skewed sample.
    known = [
        (below <= above, below <= one <= above)
        for one, below, above in zip(values[index], low, high, strict=True)
        if not any(map(_is_missing, (one, below, above)))
    ]
    return all(ordered for ordered, _ in known) and 2 * sum(about for _, about in known) > len(known)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, Real) and bool(value != value))


def _is_numeric(values: list[Any]) -> bool:
    present = [value for value in values if not _is_missing(value)]
    return bool(present) and all(
        isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) for value in present
    )


def _decimals(columns: list[list[Any]]) -> int:
    """Three significant figures at the median of the first column, fewer where all of the columns are exact so."""
    finite = [[float(v) for v in column if not _is_missing(v) and math.isfinite(v)] for column in columns]
    sizes = [abs(value) for value in finite[0] if value != 0]
    most = MAX_DECIMALS if len(columns) == 1 else MAX_DECIMALS - 1
    wanted = min(max(2 - math.floor(math.log10(float(np.median(sizes)))), 0), most) if sizes else 0
    exact = (k for k in range(wanted) if all(round(value, k) == value for column in finite for value in column))
    return next(exact, wanted)


def _cell(parts: list[Any], decimals: int | None) -> Cell:
    texts = [_text(part, decimals) for part in parts]
    exact = tuple("" if _is_missing(part) else _exact(part) for part in parts)
    if len(parts) == 1 or not any(exact[1:]):
        return Cell(texts[0], exact)
    return Cell(f"{texts[0]} [{texts[1]}, {texts[2]}]", exact)


def _text(value: Any, decimals: int | None) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if _is_missing(value):
        return MISSING
    return str(value) if decimals is None else number_text(float(value), decimals)


def _exact(value: Any) -> str:
    """As `DataFrame.to_csv` writes it."""
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)
