"""Comparisons of invented outcomes whose right answers are known."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.study.results_of import TARGET, results_of
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.comparing.changes import Measured
from workbench.study.comparing.doses import dose, equal_dose, tradeoff
from workbench.study.comparing.equal import curves_of, equal_losses, equal_shift_by_trait
from workbench.study.comparing.shifts import against_controls, shifts
from workbench.vocabulary import SIGN

QUESTIONS = [f"q{i}" for i in range(30)]
SLOPES = {"DPN-LE": 1.0, "broad": 4.0, "random": 0.0}
COSTS = {"DPN-LE": 0.10, "broad": 0.80, "random": 0.0}
GAMMAS = {"DPN-LE": (0.5, 1.0), "random": (0.5, 1.0), "broad": (0.1, 0.5, 1.0)}
LOSSES = (0.02, 0.05)


@dataclass(frozen=True)
class Said(Outcome):
    """Answers whose scores are given."""

    name = "said"
    quantities = (
        TARGET,
        Quantity("wellformed", "cost", "well-formed sentences", "share", losses=LOSSES),
        Quantity("coverage", "cost", "scored answers", "share"),
    )

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        raise AssertionError("never asked")


@dataclass(frozen=True)
class Right(Outcome):
    """Items whose correctness is given."""

    name = "right"
    cluster = "item"
    pairing = ("task", "item")
    by_direction = True
    quantities = (Quantity("capability", "cost", "capability", "share", column="correct", losses=LOSSES),)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        raise AssertionError("never asked")


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shifts of slope * gamma exactly, well-formedness 1 - cost * gamma, capability that fails in that share."""
    rng = np.random.default_rng(0)
    answers, items = [], []
    levels = rng.normal(3, 0.5, (2, len(QUESTIONS)))
    for trait, base in zip(("Openness", "Extraversion"), levels, strict=True):
        for question, score in zip(QUESTIONS, base, strict=True):
            row = {"trait": trait, "question": question, "coverage": 1.0}
            answers.append(row | {"arm": "none", "direction": "none", "gamma": 0.0, "score": score, "wellformed": 1.0})
            for arm, gammas in GAMMAS.items():
                for gamma in gammas:
                    for direction, sign in SIGN.items():
                        answers.append(
                            row
                            | {"arm": arm, "direction": direction, "gamma": gamma}
                            | {"score": score + sign * SLOPES[arm] * gamma, "wellformed": 1 - COSTS[arm] * gamma}
                        )
        for direction in SIGN:
            for i in range(100):
                item = {"trait": trait, "direction": direction, "task": "sum", "item": f"{direction} {i}"}
                items.append(item | {"arm": "none", "gamma": 0.0, "correct": True})
                for arm, gammas in GAMMAS.items():
                    items += [item | {"arm": arm, "gamma": g, "correct": i >= 100 * COSTS[arm] * g} for g in gammas]
    return pd.DataFrame(answers), pd.DataFrame(items)


def measured_of(answers: pd.DataFrame, items: pd.DataFrame) -> list[Measured]:
    return [Measured.of(Said(), answers), Measured.of(Right(), items)]


@pytest.fixture(scope="module")
def measured(frames: tuple[pd.DataFrame, pd.DataFrame]) -> list[Measured]:
    return measured_of(*frames)


def results(gamma: float = 1.0, resamples: int = 200) -> Results:
    return replace(results_of(gamma=gamma), resamples=resamples)


def at_dose(measured: list[Measured], gamma: float) -> pd.DataFrame:
    table = equal_shift_by_trait(measured, results())
    return table[(table["method_gamma"] == gamma) & (table["trait"] == "all")].set_index("arm")


def test_tradeoff_gives_shifts_and_costs(measured: list[Measured]) -> None:
    table = tradeoff(measured, TARGET, resamples=200).set_index(["arm", "gamma", "trait"])
    for arm, gammas in GAMMAS.items():
        for gamma in gammas:
            row = table.loc[[(arm, gamma, "all")]].iloc[0]
            assert row["shift"] == pytest.approx(SLOPES[arm] * gamma)
            assert row["wellformed_change"] == pytest.approx(-COSTS[arm] * gamma)
            assert row["capability_change"] == pytest.approx(-COSTS[arm] * gamma)
            assert row["capability_change_low"] <= row["capability_change"] <= row["capability_change_high"]
    assert set(table.index.get_level_values("trait")) == {"all", "Openness", "Extraversion"}


def test_equal_shift_finds_the_dose_and_reads_the_costs_there(measured: list[Measured]) -> None:
    table = at_dose(measured, 1.0)
    assert table.loc["DPN-LE", "gamma"] == 1.0
    assert table.loc["broad", "gamma"] == pytest.approx(0.25)
    assert table.loc["broad", "wellformed_against"] == pytest.approx(-0.8 * 0.25 + 0.10)
    assert table.loc["broad", "capability_against"] == pytest.approx(-0.8 * 0.25 + 0.10)
    assert (table.loc[["broad"], "capability_against_high"] < 0).all()
    assert table.loc[["random"], "gamma"].isna().all()
    assert table.loc["random", "reached"] == 0.0
    assert not [name for name in table if str(name).startswith("coverage")]


def test_equal_shift_is_read_at_each_dose_of_the_method(measured: list[Measured]) -> None:
    table = equal_shift_by_trait(measured, results())
    broad = table[(table["arm"] == "broad") & (table["trait"] == "all")].set_index("method_gamma")
    assert broad["gamma"].to_dict() == pytest.approx({0.5: 0.125, 1.0: 0.25})
    assert set(table["trait"]) == {"all", "Openness", "Extraversion"}


def test_any_arm_can_be_the_one_under_test(measured: list[Measured]) -> None:
    table = equal_shift_by_trait(measured, replace(results(0.1), method="broad"))
    row = table[(table["arm"] == "DPN-LE") & (table["trait"] == "all") & (table["method_gamma"] == 0.1)].iloc[0]
    assert row["gamma"] == pytest.approx(0.4)
    assert row["wellformed_against"] == pytest.approx(-0.04 + 0.08)


def test_equal_loss_reads_every_arm_at_the_same_loss(measured: list[Measured]) -> None:
    table = equal_losses(measured, results()).set_index(["cost", "arm", "loss"])
    assert set(table.index.get_level_values("cost")) == {"capability", "wellformed"}
    assert table.loc[("wellformed", "DPN-LE", 0.05), "gamma"] == pytest.approx(0.5)
    assert table.loc[("wellformed", "broad", 0.05), "shift"] == pytest.approx(4 * 0.05 / 0.8)
    assert table.loc[("wellformed", "broad", 0.05), "against"] == pytest.approx(0.25 - 0.5)
    assert not table.loc[("wellformed", "random", 0.05), "reached"]


def test_equal_dose_holds_every_arm_at_one_gamma(measured: list[Measured]) -> None:
    table = equal_dose(tradeoff(measured, TARGET, resamples=200), gamma=0.5, doseless=())
    assert set(table["arm"]) == set(GAMMAS)
    assert (table["gamma"] == 0.5).all()


def test_shift_against_controls_is_paired(measured: list[Measured]) -> None:
    table = against_controls(measured[0], TARGET, results(), ("random", "shuffled"))
    row = table[(table["control"] == "random") & (table["trait"] == "all")].iloc[0]
    assert row["difference"] == pytest.approx(1.0)
    assert row["low"] == pytest.approx(1.0)
    assert row["p"] < 0.001
    assert set(table["control"]) == {"random"}
    by_trait = table[table["trait"] != "all"]
    np.testing.assert_allclose(by_trait["p_holm"], 2 * by_trait["p"])


def test_shifts_by_direction(measured: list[Measured]) -> None:
    table = shifts(measured[0], TARGET, results(0.5)).set_index(["arm", "trait", "direction"])
    for direction in ("both", "increase", "decrease"):
        assert table.loc[("DPN-LE", "all", direction), "shift"] == pytest.approx(0.5)
        assert table.loc[("random", "Openness", direction), "p"] == 1.0
    assert (table["unscored"] == 0).all()


def test_a_turned_direction_turns_the_shift(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    answers = frames[0].assign(
        direction=frames[0]["direction"].replace({"increase": "decrease", "decrease": "increase"})
    )
    table = tradeoff(measured_of(answers, frames[1]), TARGET, resamples=100).set_index(["arm", "gamma", "trait"])
    assert table.loc[("DPN-LE", 1.0, "all"), "shift"] == pytest.approx(-1.0)


def test_arms_at_a_single_dose_have_no_curve(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    single = [part[(part["arm"] == "random") & (part["gamma"] == 1.0)].assign(arm="shuffled") for part in frames]
    both = measured_of(*(pd.concat([whole, part]) for whole, part in zip(frames, single, strict=True)))
    assert "shuffled" not in curves_of(both, results())
    assert "shuffled" in set(tradeoff(both, TARGET, resamples=100)["arm"])


def test_dose_starts_at_the_unedited_model(measured: list[Measured]) -> None:
    table = dose(measured, resamples=200)
    start = table[(table["gamma"] == 0) & (table["trait"] == "all") & (table["quantity"] == "trait_score")]
    assert set(start["arm"]) == set(GAMMAS)
    assert len(set(start["estimate"])) == 1
    capability = table[(table["quantity"] == "capability") & (table["gamma"] == 1) & (table["trait"] == "all")]
    assert capability.set_index("arm")["estimate"].to_dict()["broad"] == pytest.approx(0.2)


def test_failed_answers_have_not_moved(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """DPN-LE moves every answer by 1 point; one question in 30 is answered with what cannot be scored."""
    answers = frames[0].copy()
    gone = (answers["arm"] == "DPN-LE") & (answers["question"] == "q0")
    answers.loc[gone, ["score", "coverage"]] = [np.nan, 0.0]
    measured = measured_of(answers, frames[1])
    table = tradeoff(measured, TARGET, resamples=200).set_index(["arm", "gamma", "trait"])
    assert table.loc[("DPN-LE", 1.0, "all"), "coverage"] == pytest.approx(29 / 30)
    assert table.loc[("DPN-LE", 1.0, "all"), "shift"] == pytest.approx(29 / 30)
    moved = shifts(measured[0], TARGET, results()).query("arm == 'DPN-LE' and trait == 'all'").set_index("direction")
    assert moved.loc["both", "shift"] == pytest.approx(29 / 30)
    base = answers.loc[(answers["arm"] == "none") & (answers["question"] == "q0"), "score"].mean()
    for direction, sign in SIGN.items():
        row: Any = moved.loc[direction]
        assert row["unscored"] == 2  # one for each trait
        ends = sorted(sign * (end - base) for end in (1.0, 5.0))
        assert (row["least"], row["most"]) == pytest.approx([29 / 30 + end / 30 for end in ends])
    levels = dose(measured, resamples=200).query("arm == 'DPN-LE' and gamma == 1 and quantity == 'trait_score'")
    raised = levels[(levels["trait"] == "all") & (levels["direction"] == "increase")]
    scores = answers[(answers["arm"] == "DPN-LE") & (answers["gamma"] == 1) & (answers["direction"] == "increase")]
    assert raised["estimate"].item() == pytest.approx(scores["score"].fillna(base).mean())


def test_the_order_of_clusters_is_the_order_of_their_resamples(frames: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """A quantity with the same clusters as another is resampled with it, question by question."""
    answers = frames[0].copy()
    noise = np.random.default_rng(1).normal(size=len(QUESTIONS))
    edited = answers["arm"] == "DPN-LE"
    moved = answers.loc[edited, "question"].str[1:].astype(int).map(dict(enumerate(noise)))
    answers.loc[edited, "wellformed"] = 1 + moved
    sign = answers.loc[edited, "direction"].map(SIGN)
    base = answers[answers["arm"] == "none"].set_index(["trait", "question"])["score"]
    keys = pd.MultiIndex.from_frame(answers.loc[edited, ["trait", "question"]])
    answers.loc[edited, "score"] = base.loc[keys].to_numpy() + sign * moved
    means = curves_of(measured_of(answers, frames[1]), results())["DPN-LE"].means
    np.testing.assert_allclose(means["shift"], means["wellformed_change"], atol=1e-12)
    assert np.ptp(means["shift"][1:, 1]) > 0.1


def test_equal_inputs_and_seeds_give_equal_tables(measured: list[Measured]) -> None:
    one, other = (equal_shift_by_trait(measured, replace(results(), seed=4)) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    changed = equal_shift_by_trait(measured, replace(results(), seed=5))
    assert not changed["capability_against_low"].equals(one["capability_against_low"])
