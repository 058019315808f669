"""A frame's values as text: rounded alike within a column, exact beneath."""

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.report.cells import number_text, table_cells


def texts(frame: pd.DataFrame) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table_cells(frame)[1]]


def test_an_interval_stands_with_its_estimate_and_is_rounded_as_it_is() -> None:
    frame = pd.DataFrame(
        {
            "shift": [0.0312, 1.1234, None, 0.5],
            "shift_low": [-0.05, 1.0, None, None],
            "shift_high": [0.1, 1.25, None, None],
            "n": [14336, 240, 2, 1],
        }
    )
    columns, rows = table_cells(frame)
    assert [(column.name, column.sources) for column in columns] == [
        ("shift", ("shift", "shift_low", "shift_high")),
        ("n", ("n",)),
    ]
    assert all(column.numeric for column in columns)
    assert texts(frame) == [
        ["0.031 [−0.050, 0.100]", "14,336"], ["1.123 [1.000, 1.250]", "240"], ["–", "2"], ["0.500", "1"],
    ]  # fmt: skip
    assert [row[0].values for row in rows] == [
        ("0.0312", "-0.05", "0.1"),
        ("1.1234", "1.0", "1.25"),
        ("", "", ""),
        ("0.5", "", ""),
    ]


def test_bounds_follow_their_estimate_in_order() -> None:
    def sources(**columns: list[float]) -> list[tuple[str, ...]]:
        return [column.sources for column in table_cells(pd.DataFrame(columns))[0]]

    assert sources(d=[0.5, 2.0], low=[0.25, 1.0], high=[0.75, 3.0]) == [("d", "low", "high")]
    assert sources(n=[9, 9], low=[4, 5], high=[3, 6]) == [("n",), ("low",), ("high",)]  # two poles' counts
    assert sources(n=[9, 9], high=[4, 5], low=[3, 6]) == [("n",), ("high",), ("low",)]
    assert sources(d=[0.5], d_low=[0.25], n=[1], d_high=[0.75]) == [("d",), ("d_low",), ("n",), ("d_high",)]


def test_decimals_end_where_all_values_do() -> None:
    assert texts(pd.DataFrame({"gamma": [0.5, 1.0, 0.25]})) == [["0.50"], ["1.00"], ["0.25"]]
    assert texts(pd.DataFrame({"gamma": [0.5], "gamma_low": [0.25], "gamma_high": [0.5]})) == [["0.50 [0.25, 0.50]"]]
    assert texts(pd.DataFrame({"p": [0.3333333, 1.0]})) == [["0.333"], ["1.000"]]
    assert texts(pd.DataFrame({"p": [0.0, math.inf, math.nan, 0.0]})) == [["0"], ["∞"], ["–"], ["0"]]


FRAMES = st.builds(
    lambda numbers, words: pd.DataFrame(
        {"x": numbers, "x_low": numbers, "x_high": numbers, "word": words, "flag": [word == "a" for word in words]}
    ),
    st.lists(st.floats() | st.just(0.5), min_size=3, max_size=3),
    st.lists(st.sampled_from(["a", 'b, "c"', "d\ne", None]), min_size=3, max_size=3),
)


@given(FRAMES)
def test_values_are_what_a_csv_file_holds(frame: pd.DataFrame) -> None:
    columns, rows = table_cells(frame)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for column in columns for name in column.sources])
    writer.writerows([value for cell in row for value in cell.values] for row in rows)
    assert text.getvalue() == frame.to_csv(index=False, lineterminator="\n")


def test_words_flags_and_whole_numbers_keep_their_kind() -> None:
    frame = pd.DataFrame({"arm": ["broad <b>", None], "reached": [True, False], "count": [3.0, np.nan]})
    columns, _ = table_cells(frame)
    assert [column.numeric for column in columns] == [False, False, True]
    assert texts(frame) == [["broad <b>", "yes", "3"], ["–", "no", "–"]]


def test_a_named_index_is_a_column_and_an_unnamed_one_is_not() -> None:
    frame = pd.DataFrame({"d": [0.5]}, index=pd.Index(["Openness"], name="trait"))
    assert texts(frame) == [["Openness", "0.5"]]
    assert texts(frame.reset_index(drop=True)) == [["0.5"]]
    assert texts(pd.DataFrame({"d": []})) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("-inf"), "−∞"), (2.5e-7, "2.5e−7"), (-2.5e13, "−2.5e13"), (-0.0, "0.00"), (-0.126, "−0.13")],
)
def test_no_number_reads_as_a_false_zero(value: float, text: str) -> None:
    assert number_text(value, 2) == text
