"""Agreement of items, in people and in a model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.edit.prompting import Instruction
from workbench.score.answers import Condition
from workbench.score.questionnaire.asking import ask_questionnaire
from workbench.score.questionnaire.asking import testbed_statements as statements_about
from workbench.score.questionnaire.keys import cronbach_alpha
from workbench.score.questionnaire.reliability import alpha_by_trait, item_scores, questionnaire_alpha
from workbench.testbed import lexicon

TRAIT = "Extraversion"


def test_people_with_gaps_are_left_out_and_counted(invented: Callable[..., tuple]) -> None:
    people, keys, _ = invented()
    item = keys.loc[keys["trait"] == TRAIT, "item"].iloc[0]
    people.loc[1000, item] = np.nan
    people.loc[1001, item] = 0.0
    found: Any = alpha_by_trait(people, keys).set_index("trait")
    assert found.loc[TRAIT, ["items", "respondents", "left_out"]].tolist() == [6, 38, 2]
    assert found.drop(TRAIT)["left_out"].tolist() == [0] * 4
    own = keys.loc[keys["trait"] == TRAIT, "item"].tolist()
    assert found.loc[TRAIT, "alpha"] == pytest.approx(cronbach_alpha(people.iloc[2:][own].to_numpy()))
    one: Any = alpha_by_trait(people.head(3), keys).set_index("trait").loc[TRAIT]
    assert np.isnan(one["alpha"])
    assert one["reason"].startswith("alpha needs at least 2 respondents and 2 items, but got shape (1, 6)")
    with pytest.raises(ValueError, match=r"No item of the key is among the columns \['x'\]"):
        alpha_by_trait(pd.DataFrame({"x": [1]}), keys)


def test_the_released_responses_are_reversed_already(released: tuple) -> None:
    people, keys, _ = released
    found: Any = alpha_by_trait(people, keys).set_index("trait")
    assert (found["alpha"] > 0.94).all()
    assert found.loc["Neuroticism", "alpha"] == pytest.approx(0.976, abs=5e-4)
    assert found["respondents"].between(288, 294).all()
    minus = keys.loc[keys["keyed"] == "-", "item"].tolist()
    twice: Any = alpha_by_trait(people.assign(**{item: 6 - people[item] for item in minus}), keys).set_index("trait")
    assert (twice["alpha"] < 0.65).all()
    assert twice.loc["Openness", "alpha"] == pytest.approx(0.378, abs=5e-4)


def test_a_models_respondents_are_its_conditions(model: wb.Model) -> None:
    words = lexicon.TRAITS[TRAIT]
    personas = [f"You are {word}." for pole in ("high", "low") for word in words.pole(pole).taught_adjectives[:3]]
    conditions = [
        Condition(f"persona {i}", TRAIT, "none", 0.0, None, Instruction(TRAIT, "increase", "persona", text))
        for i, text in enumerate(personas)
    ]
    statements = statements_about(TRAIT)
    frame = ask_questionnaire(model, conditions, statements)
    scores = item_scores(frame)
    assert scores.index.get_level_values("arm").tolist() == [condition.arm for condition in conditions]
    assert scores.columns.tolist() == [statement.id for statement in statements]
    row = frame[(frame["arm"] == "persona 4") & (frame["item"] == statements[5].id)]
    assert len(row) > 1
    assert scores.iloc[4, 5] == pytest.approx(row["expected"].mean())
    found: Any = questionnaire_alpha(frame).iloc[0]
    assert (found["trait"], found["items"], found["respondents"]) == (TRAIT, len(statements), len(personas))
    assert found["alpha"] == pytest.approx(cronbach_alpha(scores.to_numpy()))
    # Personas of both poles move every statement of the trait the same way.
    assert found["alpha"] > 0.8
    # Statements keyed - count as turned round: taken as they were said, they contradict the others.
    minus = [statement.id for statement in statements if statement.keyed == "-"]
    assert cronbach_alpha(scores.assign(**{item: 6 - scores[item] for item in minus}).to_numpy()) < 0
    alone: Any = questionnaire_alpha(frame[frame["arm"] == "persona 0"]).iloc[0]
    assert np.isnan(alone["alpha"])
    assert "at least 2 respondents" in alone["reason"]
