import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.score.questionnaire.keys import (
    cronbach_alpha,
    parse_sign,
    read_keys,
    statements_of,
    trait_profile,
)

KEY = """Full#,Short#,Sign,Key,Facet,Item
2,1,-E2,1,Gregariousness,Made-up item two.
1,,+N1,1,Anxiety,Made-up item one.
3,2,-N1,1,Anxiety,Made-up item three.
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.csv"
    path.write_text(KEY)
    return path


def test_signs_are_read_whole(key: Path) -> None:
    """Comparing `+N1` with `+` would call every item reversed."""
    table = read_keys(key)
    assert table["item"].tolist() == ["i1", "i2", "i3"]
    assert table["keyed"].tolist() == ["+", "-", "-"]
    assert table["trait"].tolist() == ["Neuroticism", "Extraversion", "Neuroticism"]
    assert table["facet"].tolist() == ["N1", "E2", "N1"]
    statements = statements_of(table)
    assert (statements[0].text, statements[0].keyed, statements[0].id) == ("Made-up item one.", "+", "i1")


@pytest.mark.parametrize("wrong", ["N1", "+", "+X1", "*N1", ""])
def test_other_signs_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="reads like"):
        parse_sign(wrong)


def test_columns_are_tolerant_and_missing_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "key.csv"
    path.write_text(" SIGN ,Statement\n+O1,One\n")
    assert read_keys(path)["item"].tolist() == ["i1"]
    path.write_text("Item,Facet\nOne,Two\n")
    with pytest.raises(ValueError, match=r"missing \['sign'\]"):
        read_keys(path)
    with pytest.raises(FileNotFoundError, match="no item key nothing.csv"):
        read_keys(tmp_path / "nothing.csv")
    path.write_text("Full#,Sign,Item\n1,+O1,One\n1,+O2,Two\n")
    with pytest.raises(ValueError, match="key.csv has number 1 twice"):
        read_keys(path)
    path.write_text("")
    with pytest.raises(ValueError, match="key.csv could not be read as .csv: No columns"):
        read_keys(path)


def test_what_is_no_workbook_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xlrd")
    (tmp_path / "key.xls").write_bytes(b"no workbook at all")
    with pytest.raises(ValueError, match="key.xls could not be read as .xls: Unsupported format") as told:
        read_keys(tmp_path / "key.xls")
    assert "\n" not in str(told.value)
    monkeypatch.setitem(sys.modules, "xlrd", None)
    with pytest.raises(ImportError, match=r"key.xls needs xlrd .* pip install 'dpn-workbench\[ipip\]'"):
        read_keys(tmp_path / "key.xls")


def test_the_released_key_and_responses(released: tuple) -> None:
    people, keys, _ = released
    assert len(keys) == 300
    assert keys.groupby("trait").size().tolist() == [60] * 5
    assert keys["keyed"].value_counts().to_dict() == {"+": 152, "-": 148}
    assert keys["facet"].nunique() == 30
    assert set(keys["item"]) <= set(people.columns)
    assert len(people) == 300


def test_alpha_by_hand() -> None:
    # Variances 1, 1 and 4; sums 3, 7, 11 with variance 16: 3/2 * (1 - 6/16).
    assert cronbach_alpha([[1, 1, 1], [2, 2, 3], [3, 3, 5]]) == pytest.approx(1.5 * (1 - 6 / 16))
    generator = np.random.default_rng(0)
    assert abs(cronbach_alpha(generator.normal(size=(4000, 6)))) < 0.1
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        cronbach_alpha([[1, 2]])
    with pytest.raises(ValueError, match="sums that vary"):
        cronbach_alpha([[1, 2], [2, 1]])
    with pytest.raises(ValueError, match="some are missing"):
        cronbach_alpha([[1, np.nan], [2, 1]])


def test_a_profile_leaves_out_what_was_not_parsed_and_counts_it() -> None:
    labels = {"arm": "none", "trait": "E", "direction": "none", "gamma": 0.0, "measured_trait": "E", "order": ""}
    rows = [
        labels | {"item": item, "wording": wording, "expected": expected, "parsed": not np.isnan(expected)}
        for item, values in (("a", [1.0, 3.0]), ("b", [5.0, np.nan]), ("c", [np.nan, np.nan]))
        for wording, expected in enumerate(values)
    ]
    found = trait_profile(pd.DataFrame(rows)).iloc[0]
    assert (found["score"], found["statements"], found["asked"], found["unparsed"]) == (3.5, 2, 6, 3)
