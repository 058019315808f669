"""LaTeX tables: the page's own cells, bounds beside their estimates, and nothing that LaTeX would choke on."""

import re

import pandas as pd
import pytest

from workbench.report.cells import table_cells
from workbench.report.latex import escaped, latex_table


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "arm": ["DPN-LE", "a_b & 50 %"],
            "shift": [0.352, -1.5],
            "shift_low": [0.22, None],
            "shift_high": [0.49, None],
            "p": [3.21e-8, 0.5],
            "n": [14336, 20],
            "reached": [True, False],
        }
    )


def body(latex: str) -> list[str]:
    return re.search(r"\\midrule\n(.*?)\n\\bottomrule", latex, re.DOTALL).group(1).splitlines()  # type: ignore[union-attr]


def test_cells_are_the_pages_own_and_bounds_stand_in_brackets(frame: pd.DataFrame) -> None:
    first, second = body(latex_table(frame, caption="C.", label="tab:c"))
    assert first == r"DPN-LE & 0.352 [0.220, 0.490] & $3.2 \times 10^{-8}$ & 14,336 & yes \\"
    assert second == r"a\_b \& 50 \% & $-$1.500 & 0.500 & 20 & no \\"
    _, cells = table_cells(frame)
    for text in (cells[0][1].text, cells[0][3].text):
        assert text in first


def test_headings_caption_and_label(frame: pd.DataFrame) -> None:
    latex = latex_table(frame, caption="A caption.", label="tab:c")
    assert r"arm & shift & p & n & reached \\" in latex
    two = latex_table(frame.rename(columns={"reached": "was_reached"}), caption="C.", label="t")
    assert r"n & \shortstack[l]{was \\ reached} \\" in two
    assert r"\begin{tabular}{lrrrl}" in latex
    assert r"\caption{A caption.}" in latex
    assert r"\label{tab:c}" in latex


def test_long_tables_go_over_pages_and_wide_ones_are_fitted() -> None:
    long = latex_table(pd.DataFrame({"n": range(41)}), caption="C.", label="t")
    assert long.count(r"\begin{longtable}{r}") == long.count(r"\end{longtable}") == 1
    assert r"\begin{table}" not in long
    wide = latex_table(pd.DataFrame({f"column_{i}": ["x" * 20] for i in range(8)}), caption="C.", label="t")
    assert wide.startswith("\\begin{landscape}\n{\\tiny\\setlength")
    assert wide.count(r"\end{landscape}") == 1
    prose = latex_table(pd.DataFrame({"text": ["word " * 30], "n": [1]}), caption="C.", label="t")
    assert r"\begin{tabular}{p{14em}r}" in prose


def test_powers_of_ten_are_set_as_such() -> None:
    told = body(
        latex_table(pd.DataFrame({"p": [1e-9, -2e-7, 1.0], "word": ["1.2e", "e5", "x1.0e5y"]}), caption="", label="t")
    )
    assert [line.partition(" &")[0] for line in told][:2] == [r"$1.0 \times 10^{-9}$", r"$-2.0 \times 10^{-7}$"]
    assert [line.partition("& ")[2] for line in told] == [r"1.2e \\", r"e5 \\", r"x1.0e5y \\"]


def test_text_is_escaped() -> None:
    assert escaped(r"\input{x} ~ ^ # $ `a_b`") == (
        r"\textbackslash{}input\{x\} \textasciitilde{} \textasciicircum{} \# \$ \texttt{a\_b}"
    )


def test_a_name_with_line_breaks_and_controls_stays_one_cell() -> None:
    frame = pd.DataFrame({"arm": ["a\n\nb \x1b[31m \\end{table} $x$ %"], "shift": [0.5]})
    table = latex_table(frame, caption="A\n\ncaption \x07 of `x\ny`.", label="tab:s")
    assert r"a b \textbackslash{}x1b[31m \textbackslash{}end\{table\} \$x\$ \% & 0.5 " in table
    assert "\n\n" not in table
    assert "\x1b" not in table
    assert "\x07" not in table
