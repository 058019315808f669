"""Selections from tables of neurons."""

from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from workbench.select.selection import read_selection

ROWS = pd.DataFrame({"layer": [1, 0, 1], "neuron": [4, 2, 7], "pole": ["high", "low", "high"]})


def test_a_selection_survives_its_table(selection: wb.Selection, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        path = tmp_path / f"selection.{suffix}"
        selection.frame().to_csv(path) if suffix == "csv" else selection.frame().to_parquet(path)
        read = read_selection(path)
        assert (read.trait, read.high, read.low) == (selection.trait, selection.high, selection.low)
        assert len(read) == len(selection)
        assert read.counts()["neurons"].sum() == len(selection)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (ROWS.drop(columns="pole"), "needs columns layer, neuron and pole; missing \\['pole'\\]"),
        (ROWS.assign(pole="up"), "the poles high and low, but \\['up'\\] arrived"),
        (ROWS.head(0), "but no row arrived"),
        (ROWS.assign(neuron=1.5), "a whole number for each neuron, but its column is float64"),
        (ROWS.assign(trait=["A", "B", "A"]), "holds neurons of A, B"),
        (ROWS.assign(layer=1, neuron=4), "both high and low"),
    ],
)
def test_what_is_no_selection_is_refused(table: pd.DataFrame, said: str, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ValueError, match=said):
        read_selection(tmp_path / "mine.parquet")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad.parquet is no table"):
        read_selection(tmp_path / "bad.parquet")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_selection(tmp_path / "none.csv")
