"""A frame's values as text: rounded alike within a column, exact beneath."""

import numpy as np
import pandas as pd
import pytest

from workbench.report.cells import number_text, table_cells


def texts(frame: pd.DataFrame) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table_cells(frame)[1]]


def test_an_interval_is_rounded_as_its_estimate() -> None:
    frame = pd.DataFrame({"shift": [0.0312, 1.1234, None], "shift_low": [-0.05, 1.0, None], "n": [14336, 240, 2]})
    columns, rows = table_cells(frame)
    assert [column.name for column in columns] == ["shift", "shift low", "n"]
    assert all(column.numeric for column in columns)
    assert texts(frame) == [["0.031", "−0.050", "14,336"], ["1.123", "1.000", "240"], ["–", "–", "2"]]
    assert [row[0].value for row in rows] == ["0.0312", "1.1234", ""]


def test_words_flags_and_whole_numbers_keep_their_kind() -> None:
    frame = pd.DataFrame({"arm": ["broad <b>", None], "reached": [True, False], "count": [3.0, np.nan]})
    columns, _ = table_cells(frame)
    assert [column.numeric for column in columns] == [False, False, True]
    assert texts(frame) == [["broad <b>", "yes", "3"], ["–", "no", "–"]]


def test_a_named_index_is_a_column_and_an_unnamed_one_is_not() -> None:
    frame = pd.DataFrame({"d": [0.5]}, index=pd.Index(["Openness"], name="trait"))
    assert texts(frame) == [["Openness", "0.500"]]
    assert texts(frame.reset_index(drop=True)) == [["0.500"]]
    assert texts(pd.DataFrame({"d": []})) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("-inf"), "−∞"), (2.5e-7, "2.5e−7"), (-2.5e13, "−2.5e13"), (-0.0, "0.00"), (-0.126, "−0.13")],
)
def test_no_number_reads_as_a_false_zero(value: float, text: str) -> None:
    assert number_text(value, 2) == text
