"""Comparisons of invented outcomes whose right answers are known."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.study import comparison

QUESTIONS = [f"q{i}" for i in range(30)]
SLOPES = {"DPN-LE": 1.0, "broad": 4.0, "random": 0.0}
COSTS = {"DPN-LE": 0.10, "broad": 0.80, "random": 0.0}
GAMMAS = {"DPN-LE": (0.5, 1.0), "random": (0.5, 1.0), "broad": (0.1, 0.5, 1.0)}


@pytest.fixture(scope="module")
def outcomes() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shifts of slope * gamma exactly, well-formedness 1 - cost * gamma, capability that fails in that share."""
    rng = np.random.default_rng(0)
    answers, items = [], []
    levels = rng.normal(3, 0.5, (2, len(QUESTIONS)))
    for trait, base in zip(("Openness", "Extraversion"), levels, strict=True):
        for question, score in zip(QUESTIONS, base, strict=True):
            row = {"trait": trait, "question": question, "answer": ""}
            answers.append(row | {"arm": "none", "direction": "none", "gamma": 0.0, "score": score, "wellformed": 1.0})
            for arm, gammas in GAMMAS.items():
                for gamma in gammas:
                    for direction, sign in comparison.SIGN.items():
                        answers.append(
                            row
                            | {"arm": arm, "direction": direction, "gamma": gamma}
                            | {"score": score + sign * SLOPES[arm] * gamma, "wellformed": 1 - COSTS[arm] * gamma}
                        )
        for direction in comparison.SIGN:
            for i in range(100):
                item = {"trait": trait, "direction": direction, "task": "sum", "item": f"{direction} {i}", "answer": ""}
                items.append(item | {"arm": "none", "gamma": 0.0, "correct": True})
                for arm, gammas in GAMMAS.items():
                    items += [item | {"arm": arm, "gamma": g, "correct": i >= 100 * COSTS[arm] * g} for g in gammas]
    return pd.DataFrame(answers), pd.DataFrame(items)


def test_tradeoff_gives_shifts_and_costs(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.tradeoff(*outcomes, resamples=200).set_index(["arm", "gamma", "trait"])
    for arm, gammas in GAMMAS.items():
        for gamma in gammas:
            row = table.loc[[(arm, gamma, "all")]].iloc[0]
            assert row["shift"] == pytest.approx(SLOPES[arm] * gamma)
            assert row["wellformed_change"] == pytest.approx(-COSTS[arm] * gamma)
            assert row["capability_change"] == pytest.approx(-COSTS[arm] * gamma)
            assert row["capability_change_low"] <= row["capability_change"] <= row["capability_change_high"]
    assert set(table.index.get_level_values("trait")) == {"all", "Openness", "Extraversion"}


def test_equal_shift_finds_the_dose_and_reads_the_costs_there(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.equal_shift(*outcomes, gamma=1.0, resamples=200).set_index("arm")
    assert table.loc["DPN-LE", "gamma"] == 1.0
    assert table.loc["broad", "gamma"] == pytest.approx(0.25)
    assert table.loc["broad", "wellformed_against"] == pytest.approx(-0.8 * 0.25 + 0.10)
    assert table.loc["broad", "capability_against"] == pytest.approx(-0.8 * 0.25 + 0.10)
    assert (table.loc[["broad"], "capability_against_high"] < 0).all()
    assert table.loc[["random"], "gamma"].isna().all()
    assert table.loc["random", "reached"] == 0.0


def test_equal_shift_by_dose_repeats_the_reading_at_each_dose(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.equal_shift_by_dose(*outcomes, resamples=200)
    broad = table[table["arm"] == "broad"].set_index("dpn_gamma")
    assert broad["gamma"].to_dict() == pytest.approx({0.5: 0.125, 1.0: 0.25})
    alone = comparison.equal_shift(*outcomes, gamma=1.0, resamples=200)
    part = table[table["dpn_gamma"] == 1.0].drop(columns="dpn_gamma").reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone)


def test_equal_dose_holds_every_arm_at_one_gamma(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.equal_dose(comparison.tradeoff(*outcomes, resamples=200), gamma=0.5)
    assert set(table["arm"]) == set(GAMMAS)
    assert (table["gamma"] == 0.5).all()


def test_shift_against_controls_is_paired(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.shift_against_controls(outcomes[0], gamma=1.0, resamples=200)
    row = table[(table["control"] == "random") & (table["trait"] == "all")].iloc[0]
    assert row["difference"] == pytest.approx(1.0)
    assert row["low"] == pytest.approx(1.0)
    assert row["p"] < 0.001
    assert set(table["control"]) == {"random"}
    by_trait = table[table["trait"] != "all"]
    np.testing.assert_allclose(by_trait["p_holm"], 2 * by_trait["p"])


def test_trait_shifts_by_direction(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.trait_shifts(outcomes[0], gamma=0.5, resamples=200).set_index(["arm", "trait", "direction"])
    for direction in ("both", "increase", "decrease"):
        assert table.loc[("DPN-LE", "all", direction), "shift"] == pytest.approx(0.5)
        assert table.loc[("random", "Openness", direction), "p"] == 1.0
    assert (table["unscored"] == 0).all()


def test_arms_at_a_single_dose_have_no_curve(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    answers, capability = outcomes
    single = answers[(answers["arm"] == "random") & (answers["gamma"] == 1.0)].assign(arm="shuffled")
    items = capability[(capability["arm"] == "random") & (capability["gamma"] == 1.0)].assign(arm="shuffled")
    both = pd.concat([answers, single]), pd.concat([capability, items])
    assert "shuffled" not in set(comparison.equal_shift(*both, gamma=1.0, resamples=100)["arm"])
    assert "shuffled" in set(comparison.equal_dose(comparison.tradeoff(*both, resamples=100), gamma=1.0)["arm"])


def test_dose_starts_at_the_unedited_model(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table = comparison.dose(*outcomes, resamples=200)
    start = table[(table["gamma"] == 0) & (table["trait"] == "all") & (table["quantity"] == "trait_score")]
    assert set(start["arm"]) == set(GAMMAS)
    assert len(set(start["estimate"])) == 1
    capability = table[(table["quantity"] == "capability") & (table["gamma"] == 1) & (table["trait"] == "all")]
    assert capability.set_index("arm")["estimate"].to_dict()["broad"] == pytest.approx(0.2)


def test_missing_scores_are_left_out_and_counted(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    answers = outcomes[0].copy()
    gone = (answers["arm"] == "DPN-LE") & (answers["question"] == "q0")
    answers.loc[gone, "score"] = np.nan
    table = comparison.tradeoff(answers, outcomes[1], resamples=200).set_index(["arm", "gamma", "trait"])
    assert table.loc[("DPN-LE", 1.0, "all"), "coverage"] == pytest.approx(29 / 30)
    assert table.loc[("DPN-LE", 1.0, "all"), "shift"] == pytest.approx(1.0)


def test_equal_inputs_and_seeds_give_equal_tables(outcomes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    config = wb.StudyConfig(resamples=150, seed=4, outcomes=("answers", "capability"))
    kinds = {"answers": outcomes[0], "capability": outcomes[1]}
    one, other = (comparison.compare(kinds, gamma=1.0, config=config) for _ in range(2))
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, other[name])
