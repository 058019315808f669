"""Readers of released respondents and of their split."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.score.questionnaire.respondents import ItemSplit, read_respondents, read_split


def test_ratings_stand_by_case_and_item_and_0_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    path.write_text(
        json.dumps([{"case": 7, "age": 3, "i2": 0, "i10": 5, "i1": 1}, {"case": 4, "i1": 2, "i2": 3, "i10": 4}])
    )
    found: Any = read_respondents(path)
    assert found.columns.tolist() == ["i1", "i2", "i10"]
    assert found.index.tolist() == [7, 4]
    assert found.loc[7].tolist()[::2] == [1.0, 5.0]
    assert np.isnan(found.loc[7, "i2"])
    assert found.loc[4].tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "people.json is no JSON"),
        ("{}", "must hold a list of respondents"),
        ("[]", "must hold a list of respondents"),
        ("[3]", "must hold a list of respondents"),
        ('[{"case": 1, "item1": 3}]', r"respondent 1 has no items i1, i2, …; it has \['case', 'item1'\]"),
        ('[{"i1": 3}]', "respondent 1 lacks case"),
        ('[{"case": 1, "i1": 3, "i2": 1}, {"case": 2, "i1": 3}]', r"respondent 2 lacks i2 \(and 0 more\)"),
        ('[{"case": 1, "i1": 6}]', "0 for no answer, but people.json, respondent 1, has 6 for i1"),
        ('[{"case": 1, "i1": null}]', "has None for i1"),
        ('[{"case": 1, "i1": NaN}]', "has nan for i1"),
        ('[{"case": 1, "i1": true}]', "has True for i1"),
        ('[{"case": 1, "i1": "3"}]', "has '3' for i1"),
        ('[{"case": 1, "i1": [3]}]', r"has \[3\] for i1"),
        ('[{"case": 1, "i1": 3}, {"case": 1, "i1": 4}]', "holds respondent 1 twice"),
    ],
)
def test_what_is_no_release_is_told(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "people.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_respondents(tmp_path / "people.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "needs two lists of item numbers from 1, train_index and test_index, but train_index is not one"),
        ('{"train_index": [1]}', "test_index is not one"),
        ('{"train_index": [1], "test_index": ["2"]}', "test_index is not one"),
        ('{"train_index": [0], "test_index": [2]}', "train_index is not one"),
        ('{"train_index": [1, 2], "test_index": [2]}', "but 1 are both, e.g. i2. Remove it"),
        ('{"train_index": [1], "test_index": []}', "items on both sides, but 1 and 0 arrived"),
    ],
)
def test_what_is_no_split_is_told(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_split(tmp_path / "split.json")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_split(tmp_path / "none.json")


def test_a_release_of_our_own_is_read(invented: Callable[..., tuple]) -> None:
    people, _, split = invented()
    assert people.shape == (40, 30)
    assert split == ItemSplit(tuple(f"i{n}" for n in range(3, 31, 3)), tuple(f"i{n}" for n in range(1, 31) if n % 3))


def test_the_released_respondents_and_their_split(released: tuple) -> None:
    people, keys, split = released
    assert people.shape == (300, 300)
    assert (int(people.isna().sum().sum()), int(people.isna().any(axis=1).sum())) == (52, 41)
    assert (len(split.given), len(split.asked)) == (120, 180)
    assert {*split.given, *split.asked} == set(people.columns)
    trait = keys.set_index("item")["trait"]
    assert trait[list(split.given)].value_counts().tolist() == [24] * 5
    assert trait[list(split.asked)].value_counts().tolist() == [36] * 5
