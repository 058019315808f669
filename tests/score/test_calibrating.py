"""Calibration: on outcomes made up, where the right dose is known, and on the embedded model."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.score.answers import Condition, Rating, answer_questions
from workbench.score.calibrating import calibrate
from workbench.testbed import grammar, tasks

TRAIT = "Extraversion"
Curve = Callable[[float], float]


@pytest.fixture(scope="module")
def up(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=1.0, direction="increase")


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make every edit's shift, loss and coverage known functions of its dose."""

    def plant(shift: Curve, loss: Curve = lambda gamma: 0.0, coverage: Curve = lambda gamma: 1.0) -> None:
        def answers(model: Any, conditions: Sequence[Condition], questions: dict, **settings: Any) -> pd.DataFrame:
            (condition,) = conditions
            sign = {"increase": 1, "decrease": -1, "none": 0}[condition.direction]
            asked = questions[condition.trait]
            scores = np.linspace(2, 4, len(asked)) + sign * shift(condition.gamma)
            scores[round(coverage(condition.gamma) * len(asked)) :] = np.nan
            return pd.DataFrame({"question": asked, "score": scores, "wellformed": 1.0})

        def items(model: Any, conditions: Sequence[Condition], own: list, **settings: Any) -> pd.DataFrame:
            right = np.arange(len(own[0])) >= loss(conditions[0].gamma) * len(own[0])
            return pd.DataFrame({"task": "sum", "item": [item.question for item in own[0]], "correct": right})

        monkeypatch.setattr("workbench.score.calibrating.answer_questions", answers)
        monkeypatch.setattr("workbench.score.calibrating.answer_items", items)

    return plant


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_a_planted_dose_is_found_from_above(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, planted: Callable[..., None], direction: str
) -> None:
    planted(lambda gamma: 1.7 * gamma)
    edit = wb.dpn_edit(effects, selection, direction=direction)
    found = calibrate(model, edit, target=1.0, tolerance=0.01)
    assert found.gamma is not None
    assert 1 / 1.7 <= found.gamma <= 1 / 1.7 + 0.01
    assert found.edit == edit.with_gamma(found.gamma)
    assert found.reason.startswith(f"gamma {found.gamma:g} shifts Extraversion by 1.0")
    # The sweep stops where the target is reached, and every dose tried is kept once.
    assert found.table["gamma"].max() == 0.75
    assert found.table["gamma"].is_monotonic_increasing
    assert found.table["shift"].tolist() == pytest.approx((1.7 * found.table["gamma"]).tolist())


def test_of_a_curve_that_falls_again_the_first_reaching_is_taken(model: wb.Model, up: wb.Edit, planted: Any) -> None:
    planted(lambda gamma: 4 * gamma * (1 - gamma / 2))  # a peak of 2 at gamma 1; 1.5 at gamma 0.5 and at 1.5
    found = calibrate(model, up, target=1.5, tolerance=0.01)
    assert found.gamma == pytest.approx(0.5, abs=0.011)
    never = calibrate(model, up, target=2.5)
    assert never.gamma is None
    assert never.edit is None
    assert never.table["gamma"].tolist() == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert never.reason.startswith("No dose up to 2 shifts by 2.5 points: the most is 2.00 (2.00 to 2.00) at gamma 1")


def test_a_dose_that_costs_too_much_is_none(model: wb.Model, up: wb.Edit, planted: Any) -> None:
    planted(lambda gamma: gamma, lambda gamma: 0.1 * gamma)
    assert calibrate(model, up, target=0.15, max_loss=0.02).gamma == pytest.approx(0.15, abs=0.05)
    dear = calibrate(model, up, target=1.0, max_loss=0.02)
    assert dear.gamma is None
    assert dear.reason.startswith("The target of 1 is reached, but at too high a cost: gamma 1 shifts")
    assert "changes capability by -10.0%" in dear.reason
    assert dear.reason.endswith("; 2.0% is allowed.")
    assert calibrate(model, up, target=1.0, max_loss=0.1).gamma == 1.0


def test_a_shift_of_the_few_answers_that_can_be_read_is_none(model: wb.Model, up: wb.Edit, planted: Any) -> None:
    planted(lambda gamma: gamma, coverage=lambda gamma: 1.0 if gamma < 1 else 0.2)
    found = calibrate(model, up, target=1.5)
    assert found.gamma is None
    assert "the most is 0.75" in found.reason
    assert found.reason.endswith("at 5 doses fewer than 50% of the answers have a score.")
    # An answer that cannot be read has not moved: at gamma 1.5 a fifth of the answers moves by 1.5 points.
    diluted = calibrate(model, up, target=1.5, min_coverage=0.1)
    assert diluted.gamma is None
    at: Any = diluted.table.set_index("gamma")
    assert at.loc[1.5, "shift"] == pytest.approx(1.5 * at.loc[1.5, "coverage"])
    planted(lambda gamma: gamma, coverage=lambda gamma: 0.0 if gamma else 1.0)
    assert calibrate(model, up, target=1.5).reason == "No dose up to 2 leaves 50% of the answers with a score."


def test_on_the_embedded_model_the_dose_does_what_is_said(model: wb.Model, up: wb.Edit) -> None:
    questions = grammar.questions(TRAIT, "search")[:30]
    items = [item for task in tasks.TASKS for item in tasks.items(task, "train", n=6)]
    settings: dict[str, Any] = {"questions": questions, "items": items, "tolerance": 0.1, "seed": 5, "resamples": 200}
    found = calibrate(model, up, target=0.3, max_loss=0.1, **settings)
    assert found.gamma is not None, found.reason
    row: Any = found.table.set_index("gamma").loc[found.gamma]
    assert row["shift"] >= 0.3
    assert row["capability_change"] >= -0.1
    assert row["shift_low"] <= row["shift"] <= row["shift_high"]
    conditions = [Condition.unedited(TRAIT), Condition("x", TRAIT, "increase", found.gamma, found.edit)]
    again = answer_questions(model, conditions, {TRAIT: questions}, seed=5)
    plain, edited = (again[again["arm"] == arm].set_index("question")["score"] for arm in ("none", "x"))
    assert (edited - plain).mean() == pytest.approx(row["shift"])
    lower = found.table[found.table["gamma"] < found.gamma]
    assert (lower["shift"] < 0.3).all()
    same = calibrate(model, up, target=0.3, max_loss=0.1, **settings)
    pd.testing.assert_frame_equal(same.table, found.table)


def test_mistakes_are_named(model: wb.Model, up: wb.Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"above 0 and a loss of 0 or more, but target=-1.0"):
        calibrate(model, up, target=-1.0)
    with pytest.raises(ValueError, match=r"gammas=\[0.0, 1.0\]"):
        calibrate(model, up, target=1.0, gammas=(0.0, 1.0))
    other = wb.Model(model.hooked, model.tokenizer, name="another")
    monkeypatch.setattr("workbench.score.calibrating.is_embedded", lambda model: model is not other)
    with pytest.raises(ValueError, match="for another pass items, scorer"):
        calibrate(other, up, target=1.0, questions=["Well?"])
    with pytest.raises(ValueError, match="needs questions and items, but 0 and 1"):
        calibrate(
            other, up, target=1.0, questions=[], items=tasks.items("facts", "train", n=1),
            scorer=lambda answer, trait: Rating(3.0, 1.0),
        )  # fmt: skip
