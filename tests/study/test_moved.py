"""Whether a contrast's descriptions move a model, told from statements."""

import pandas as pd
import pytest

import workbench as wb
from workbench.model import model as models
from workbench.select.near import EmptySelectionError
from workbench.study import moved


@pytest.fixture
def described() -> wb.Contrast:
    return wb.Contrast.builtin("Extraversion", n=12)


def scores_of(shift: float) -> object:
    """Stands for `statement_scores`: high descriptions make high statements likelier by `shift`."""

    def score(model: object, statements: list, *, system: str) -> pd.DataFrame:
        high = {prompt.system for prompt in wb.Contrast.builtin("Extraversion", n=12).high}
        by = shift / 2 if system in high else -shift / 2
        rows = [
            {"trait": "Extraversion", "pole": str(each.pole), "pair": f"{number // 2:03d}", "item": each.text}
            | {
                "question": "?",
                "tokens": 5,
                "logprob": -3 + (number % 7) * 0.01 + (by if str(each.pole) == "high" else 0),
            }
            for number, each in enumerate(sorted(statements, key=lambda one: one.text))
        ]
        return pd.DataFrame(rows)

    return score


@pytest.mark.parametrize(
    ("shift", "said"),
    [(0.5, "The personas move the model:"), (-0.5, "the wrong way"), (0.0, "do not surely move the model")],
)
def test_the_sign_and_the_interval_decide_what_is_said(
    model: models.Model, described: wb.Contrast, monkeypatch: pytest.MonkeyPatch, shift: float, said: str
) -> None:
    monkeypatch.setattr(moved, "statement_scores", scores_of(shift))
    monkeypatch.setattr(moved, "high_minus_low", difference_of_poles)
    told = moved.personas_move(model, described)
    assert said in told
    assert f"are {shift:+.2f} [" in told


def difference_of_poles(scores: pd.DataFrame) -> pd.DataFrame:
    means = scores.groupby("pole")["logprob"].mean()
    return pd.DataFrame({"pair": [f"{n:03d}" for n in range(20)], "score": means["high"] - means["low"]})


def test_prompts_without_descriptions_tell_nothing(model: models.Model, described: wb.Contrast) -> None:
    from dataclasses import replace

    bare = replace(described, high=tuple(replace(prompt, system=None) for prompt in described.high))
    with pytest.raises(ValueError, match="no descriptions"):
        moved.personas_move(model, bare)


def test_a_real_measurement_has_an_interval(model: models.Model, described: wb.Contrast) -> None:
    assert "nats per token" in moved.personas_move(model, described, personas=1, statements=4)


def test_a_study_tells_it_from_its_own_statements() -> None:
    rows = [{"trait": "Openness", "direction": way, "shift": 0.4, "low": 0.3, "high": 0.5} for way in ("increase",)]
    assert "+0.40 [+0.30, +0.50] to increase" in str(
        moved.moved_in({"statements_validity": pd.DataFrame(rows)}, "Openness")
    )
    assert moved.moved_in({"statements_validity": pd.DataFrame(rows)}, "Neuroticism") is None
    assert moved.moved_in({}, "Openness") is None


def test_the_message_ends_with_what_was_measured(effects: wb.Effects) -> None:
    with pytest.raises(EmptySelectionError) as raised:
        wb.select_neurons(effects, min_d=500.0)
    error = raised.value.with_moved("They move it.")
    assert error.lines[-1] == "They move it."
    assert len(error.lines) == 3
