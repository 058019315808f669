"""A frame as a LaTeX table: the text of the page's cells, an estimate and its interval in one column."""

from __future__ import annotations

import re

import pandas as pd

from workbench.printable import printable
from workbench.report.cells import MINUS, MISSING, Column, table_cells

_LONG = 40  # rows that a page bears; more go over several pages
_PROSE = 30  # characters of a cell that is set in lines of its own column's width
_GAP = 2  # characters between columns
# How many characters a line bears in each size, on a page upright and on its side.
_UPRIGHT = {"small": 88, "footnotesize": 97, "scriptsize": 112}
_SIDEWAYS = {"footnotesize": 150, "scriptsize": 172, "tiny": 10_000}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    MISSING: "--",
    "±": r"$\pm$",
    MINUS: "$-$",
    "∞": r"$\infty$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "\u00a0": "~",
}
_BREAK = re.compile(r"[\t\r\n]+")
_CODE = re.compile(r"`([^`]*)`")
_POWER = re.compile(r"((?:\$-\$)?\d\.\d)e((?:\$-\$)?\d+)(?![\w.])")


def latex_table(frame: pd.DataFrame, *, caption: str, label: str) -> str:
    """The frame as a `table` with booktabs' rules; as a `longtable` where it has more than 40 rows or lies on its side.

    Cells read as on the page: rounded alike within a column, bounds in brackets after their estimate, true minus
    signs, a dash where nothing is known. The size of the text, and whether the page is turned, follow from how many
    characters a line has to bear.

    Args:
        caption: plain text; what stands in backticks is set as code.
        label: for `\\ref`, e.g. `tab:equal-dose`.

    Returns:
        LaTeX that needs the packages booktabs, longtable and pdflscape.

    Example:
        >>> frame = pd.DataFrame({"arm": ["a_b"], "shift": [0.5], "shift_low": [-0.25], "shift_high": [1.0]})
        >>> print(latex_table(frame, caption="Shift.", label="tab:s"))  # doctest: +ELLIPSIS
        \\begin{table}[tb]
        ...
        a\\_b & 0.50 [$-$0.25, 1.00] \\\\
        ...
    """
    columns, rows = table_cells(frame)
    widths = [_width(column, [row[index].text for row in rows]) for index, column in enumerate(columns)]
    size, turned = _setting(sum(widths) + _GAP * len(columns))
    gap, em = ("2pt", 0.2) if size == "tiny" else ("4pt", 0.45)
    alignment = "".join(_alignment(column, width, em) for column, width in zip(columns, widths, strict=True))
    head = " & ".join(_heading(column) for column in columns) + r" \\"
    body = [" & ".join(_cell(cell.text) for cell in row) + r" \\" for row in rows]
    heading = [rf"\caption{{{escaped(caption)}}}", rf"\label{{{label}}}"]
    if len(rows) <= _LONG and not turned:
        lines = [
            *(r"\begin{table}[tb]", r"\centering", rf"\{size}", *heading, rf"\begin{{tabular}}{{{alignment}}}"),
            *(r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", r"\end{table}"),
        ]
        return "\n".join(lines) + "\n"
    lines = [
        *([r"\begin{landscape}"] if turned else []),
        *(
            "{" + rf"\{size}\setlength{{\tabcolsep}}{{{gap}}}\setlength{{\LTcapwidth}}{{\linewidth}}",
            rf"\begin{{longtable}}{{{alignment}}}",
        ),
        f"{heading[0]} {heading[1]} \\\\",
        *(r"\toprule", head, r"\midrule", r"\endfirsthead", r"\toprule", head, r"\midrule", r"\endhead"),
        *(r"\bottomrule", r"\endfoot", *body, r"\end{longtable}", "}"),
        *([r"\end{landscape}"] if turned else []),
    ]
    return "\n".join(lines) + "\n"


def _width(column: Column, texts: list[str]) -> int:
    """Characters that a column takes: its longest cell or word of its heading, prose in lines."""
    cell = max(map(len, texts), default=0)
    return max(min(cell, _PROSE), *map(len, column.name.split()))


def _setting(width: int) -> tuple[str, bool]:
    """The size of the text, and whether the page is turned, for lines of so many characters."""
    for turned, sizes in ((False, _UPRIGHT), (True, _SIDEWAYS)):
        for size, most in sizes.items():
            if width <= most:
                return size, turned
    raise AssertionError("the last size bears any width")


def _alignment(column: Column, width: int, em: float) -> str:
    """Prose takes `em` of the text's size a character that its column is wide."""
    if column.numeric:
        return "r"
    return rf"p{{{em * width:.0f}em}}" if width >= _PROSE else "l"


def _heading(column: Column) -> str:
    """The heading, a word a line."""
    words = [escaped(word) for word in column.name.split()]
    if len(words) == 1:
        return words[0]
    lines = r" \\ ".join(words)
    return rf"\shortstack[{'r' if column.numeric else 'l'}]{{{lines}}}"


def escaped(text: str) -> str:
    """Plain text as LaTeX; what stands in backticks as code.

    Example:
        >>> escaped("5 % of `x_low`")
        '5 \\\\% of \\\\texttt{x\\\\_low}'
    """
    parts = _CODE.split(text)
    return "".join(rf"\texttt{{{_plain(part)}}}" if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    """Signs as LaTeX shows them; a line break, of which an empty line would end a cell, is a blank."""
    return "".join(_SPECIAL.get(sign, sign) for sign in printable(_BREAK.sub(" ", text), keep=""))


def _cell(text: str) -> str:
    """A cell's text as LaTeX, powers of ten as such."""
    return _POWER.sub(_power, _plain(text))


def _power(power: re.Match[str]) -> str:
    mantissa, exponent = (part.replace("$-$", "-") for part in power.groups())
    return rf"${mantissa} \times 10^{{{exponent}}}$"
