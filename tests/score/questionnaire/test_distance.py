"""How far a model is from a person, on releases made up and on the published one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.score.answers import Condition
from workbench.score.questionnaire.asking import ACCURACY_OPTIONS, ask_questionnaire
from workbench.score.questionnaire.distance import (
    ALL,
    distance_to_respondent,
    distances,
    trivial_answers,
    trivial_distances,
)
from workbench.score.questionnaire.keys import statements_of
from workbench.score.questionnaire.respondents import ItemSplit

BASE = [Condition.unedited("Extraversion")]
Release = tuple[Any, Any, ItemSplit]


@pytest.fixture(scope="module")
def release(invented: Callable[..., Release]) -> Release:
    return invented()


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int], int], None]:
    """Make a model say, of each statement in turn and whatever the order, the option of a given place."""

    def plant(places: list[int], orders: int) -> None:
        def judged(model: wb.Model, prompts: list, alternatives: list) -> list:
            return [
                [torch.tensor([0.0 if i == places[number // orders % len(places)] - 1 else -60.0]) for i in range(5)]
                for number in range(len(prompts))
            ]

        monkeypatch.setattr("workbench.score.questionnaire.asking.log_likelihoods", judged)

    return plant


def test_errors_by_hand() -> None:
    keys = pd.DataFrame({"item": ["i1", "i2", "i3"], "trait": ["A", "A", "B"], "keyed": ["+", "-", "+"]})
    ratings = pd.DataFrame({"i1": [5.0, 1.0], "i2": [1.0, 0.0], "i3": [4.0, np.nan]}, index=[10, 11])
    predicted = pd.DataFrame({"i1": [4.0, 3.0], "i2": [2.0, 3.0], "i3": [np.nan, 3.0]})
    found: Any = distances(predicted, ratings, keys).set_index("measured_trait", append=True).loc
    first = found[(10, "A")]
    # Item by item 1 and 1, but the means agree.
    assert (first["item_mae"], first["profile_error"], first["items"]) == (1.0, 0.0, 2)
    assert found[(10, "B"), ["items", "unparsed", "unanswered"]].tolist() == [0, 1, 0]
    assert np.isnan(found[(10, "B"), "item_mae"])
    assert found[(10, ALL), "item_mae"] == 1.0
    assert np.isnan(found[(10, ALL), "total_mae"])  # a trait of which nothing is known is no 0
    assert found[(11, "A"), ["items", "unanswered", "item_mae"]].tolist() == [1, 1, 2.0]
    published: Any = distances(predicted, ratings, keys, as_published=True)
    published = published.set_index("measured_trait", append=True).loc
    # Unanswered as a rating of 0: (2 + 3) / 2, and 3.
    assert published[(11, "A"), "item_mae"] == 2.5
    assert published[(11, ALL), "total_mae"] == 5.5
    with pytest.raises(ValueError, match="1 rows met 2"):
        distances(predicted.head(1), ratings, keys)
    with pytest.raises(ValueError, match="No item of the key is both predicted and rated"):
        distances(predicted[["i1"]], ratings[["i2", "i3"]], keys)


def test_trivial_answers_use_nothing_of_the_asked_items(release: Release) -> None:
    people, keys, split = release
    found = trivial_answers(people, keys, split)
    assert all(table.shape == (40, 20) and table.columns.tolist() == list(split.asked) for table in found.values())
    assert (found["always middle"] == 3).all(axis=None)
    person, item = people.index[5], split.asked[7]
    others = people.drop(index=person)
    assert found["population median"].loc[person, item] == others[item].median()
    assert (found["own mean"].loc[person] == people.loc[person, list(split.given)].mean()).all()
    trait = keys.set_index("item")["trait"]
    same = [name for name in split.given if trait[name] == trait[item]]
    assert found["own trait means"].loc[person, item] == people.loc[person, same].mean()
    # Whatever the person answered on the asked items, nothing said of the person changes.
    changed = people.copy()
    changed.loc[person, list(split.asked)] = 1.0
    again = trivial_answers(changed, keys, split)
    for name, table in found.items():
        pd.testing.assert_series_equal(again[name].loc[person], table.loc[person])
    with pytest.raises(ValueError, match="The ratings lack 1 items of the split, e.g. i1"):
        trivial_answers(people.drop(columns="i1"), keys, split)
    with pytest.raises(ValueError, match="The key lack 1 items of the split, e.g. i3"):
        trivial_answers(people, keys[keys["item"] != "i3"], split)


def test_a_model_that_answers_as_a_person_does_is_at_distance_0(
    model: wb.Model, release: Release, answering: Callable[[list[int], int], None]
) -> None:
    people, keys, split = release
    person = people.loc[1003]
    asked = keys[keys["item"].isin(split.asked)]
    said = [
        int(person[i]) if s == "+" else 6 - int(person[i]) for i, s in zip(asked["item"], asked["keyed"], strict=True)
    ]
    answering(said, 4)
    frame = ask_questionnaire(model, BASE, statements_of(asked), options=ACCURACY_OPTIONS, orders=4)
    found = distance_to_respondent(frame, person, keys, split=split, population=people)
    own: Any = found[~found["trivial"]].set_index("measured_trait")
    assert own["item_mae"].tolist() == pytest.approx([0.0] * 6, abs=1e-9)
    assert own.loc[ALL, "total_mae"] == pytest.approx(0.0, abs=1e-9)
    assert own.loc[ALL, "items"] == 20
    assert found.loc[found["trivial"], "arm"].drop_duplicates().tolist() == [
        "always middle", "population median", "own mean", "own trait means",
    ]  # fmt: skip
    assert (found.loc[found["trivial"], "item_mae"] > 0).all()
    # The opposite answers are as far as can be: nothing here is blind to the key.
    answering([6 - place for place in said], 4)
    frame = ask_questionnaire(model, BASE, statements_of(asked), options=ACCURACY_OPTIONS, orders=4)
    far = distance_to_respondent(frame, person, keys, split=split)
    expected = np.abs(6 - 2 * person[list(split.asked)]).mean()
    assert far.loc[~far["trivial"] & (far["measured_trait"] == ALL), "item_mae"].item() == pytest.approx(expected)
    assert "population median" not in set(far["arm"])


def test_a_model_that_always_says_the_middle_is_the_trivial_answer(
    model: wb.Model, release: Release, answering: Callable[[list[int], int], None]
) -> None:
    people, keys, split = release
    answering([3], 2)
    frame = ask_questionnaire(model, BASE, statements_of(keys), options=ACCURACY_OPTIONS, orders=2)
    found = distance_to_respondent(frame, people.loc[1001], keys, split=split, population=people)
    columns = ["measured_trait", "items", "item_mae", "profile_error", "total_mae"]
    own, middle = (found.loc[found["arm"] == arm, columns].reset_index(drop=True) for arm in ("none", "always middle"))
    pd.testing.assert_frame_equal(own, middle)
    each = distances(trivial_answers(people, keys, split)["always middle"], people, keys).loc[1001]
    assert middle["item_mae"].tolist() == pytest.approx(each["item_mae"].tolist())
    whole = distance_to_respondent(frame, people.loc[1001], keys, population=people)
    assert whole.loc[whole["measured_trait"] == ALL, "items"].tolist() == [30] * 3
    assert "own mean" not in set(whole["arm"])  # without a split it would tell the answers


def test_what_a_model_does_not_answer_is_counted(model: wb.Model, release: Release, checkpoint: Path) -> None:
    people, keys, split = release
    asked = statements_of(keys[keys["item"].isin(split.asked)])
    frame = ask_questionnaire(model, BASE, asked, options=ACCURACY_OPTIONS)  # knows no letters to answer with
    found = distance_to_respondent(frame, people.loc[1000], keys, split=split)
    own: Any = found[~found["trivial"]].set_index("measured_trait")
    assert own.loc[ALL, ["items", "unparsed"]].tolist() == [0, 20]
    assert np.isnan(own.loc[ALL, "item_mae"])
    assert found.loc[found["arm"] == "always middle", "items"].tolist() == [4] * 5 + [20]
    # Any model can be asked: of one that knows nothing, the options' shares are those of chance.
    random = wb.load_model(checkpoint)
    frame = ask_questionnaire(random, BASE, asked, options=ACCURACY_OPTIONS, min_mass=0.0)
    found = distance_to_respondent(frame, people.loc[1000], keys, split=split)
    row = found[~found["trivial"] & (found["measured_trait"] == ALL)].iloc[0]
    middle = found[(found["arm"] == "always middle") & (found["measured_trait"] == ALL)].iloc[0]
    assert (row["items"], row["unparsed"]) == (20, 0)
    assert row["item_mae"] == pytest.approx(middle["item_mae"], abs=0.15)
    with pytest.raises(ValueError, match="rated none of the statements"):
        distance_to_respondent(frame, pd.Series({"x": 3.0}), keys)


def test_the_floor_under_results_on_the_released_split(released: Release) -> None:
    people, keys, split = released
    published = trivial_distances(people, keys, split, as_published=True)
    whole: Any = published[published["measured_trait"] == ALL].set_index("predictor")
    # Five traits' mean absolute errors over their 36 items, summed, averaged over 300 people, 0 as a rating.
    assert whole.loc["always middle", "total_mae"] == pytest.approx(3.7994, abs=5e-5)
    assert whole.loc["always middle", ["respondents", "items"]].tolist() == [300, 54_000]
    fair = trivial_distances(people, keys, split)
    whole = fair[fair["measured_trait"] == ALL].set_index("predictor")
    assert whole.loc["always middle", "items"] == 54_000 - 35
    totals = whole["total_mae"].round(4).to_dict()
    assert totals == {
        "always middle": 3.7922, "population median": 2.8940, "own mean": 3.7155, "own trait means": 3.0968,
    }  # fmt: skip
    # The people's own answers: at distance 0 keyed alike, farther than the middle as they were said.
    own = people[list(split.asked)]
    assert (distances(own, own, keys)["item_mae"] == 0).all()
    minus = [item for item in keys.loc[keys["keyed"] == "-", "item"] if item in own]
    said = distances(own.assign(**{item: 6 - own[item] for item in minus}), own, keys)
    assert said["total_mae"].mean() == pytest.approx(3.8641, abs=5e-5)


def test_a_released_person_is_copied_through_the_questionnaire(
    model: wb.Model, released: Release, answering: Callable[[list[int], int], None]
) -> None:
    people, keys, split = released
    asked, person = keys[keys["item"].isin(split.asked)], people.dropna().iloc[4]
    answering(
        [
            int(person[i]) if s == "+" else 6 - int(person[i])
            for i, s in zip(asked["item"], asked["keyed"], strict=True)
        ],
        2,
    )
    frame = ask_questionnaire(model, BASE, statements_of(asked), options=ACCURACY_OPTIONS, orders=2)
    found = distance_to_respondent(frame, person, keys, split=split, population=people)
    totals = found[found["measured_trait"] == ALL].set_index("arm")["total_mae"]
    assert totals["none"] == pytest.approx(0.0, abs=1e-9)
    assert (totals.drop("none") > 1).all()
