"""Comparisons of invented outcomes whose right answers are known."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.arm.registry import ARMS
from workbench.measure import comparing
from workbench.measure.comparing import compare_arms, equal_loss, specificity_matrix
from workbench.measure.paired import holm, mcnemar
from workbench.vocabulary import BIG_FIVE, SIGN

QUESTIONS = 30


def across(*, own: float, spill: float, seed: int = 0) -> pd.DataFrame:
    """Every trait edited in both directions: its own questions move by `own`, Neuroticism's against by `spill`."""
    generator = np.random.default_rng(seed)
    rows = []
    for measured in BIG_FIVE:
        for i in range(QUESTIONS):
            row = {"measured": measured, "question": f"{measured} {i}"}
            score = generator.normal(3, 0.5)
            rows.append(row | {"arm": "none", "trait": "Openness", "direction": "none", "gamma": 0.0, "score": score})
            for trait in BIG_FIVE:
                for direction, sign in SIGN.items():
                    moved = own if trait == measured else -spill if measured == "Neuroticism" else 0.0
                    noise = generator.normal(scale=0.3)
                    edited = {"arm": "DPN-LE", "trait": trait, "direction": direction, "gamma": 1.0}
                    rows.append(row | edited | {"score": score + sign * moved + noise})
    return pd.DataFrame(rows)


def test_the_matrix_finds_what_was_planted_and_nothing_else() -> None:
    matrix = specificity_matrix(across(own=1.0, spill=0.5), resamples=300, permutations=2000)
    assert len(matrix) == 50
    diagonal = matrix["trait"] == matrix["measured"]
    spilled = ~diagonal & (matrix["measured"] == "Neuroticism")
    rest = matrix[~diagonal & ~spilled]
    assert matrix.loc[diagonal, "shift"].to_numpy() == pytest.approx(1.0, abs=0.25)
    assert matrix.loc[spilled, "shift"].to_numpy() == pytest.approx(-0.5, abs=0.25)
    assert (matrix.loc[diagonal | spilled, "p_holm"] < 0.05).all()
    assert (rest["p_holm"] > 0.05).all()
    assert ((rest["low"] < 0) & (rest["high"] > 0)).mean() > 0.8
    assert matrix["p_holm"].tolist() == pytest.approx(holm(matrix["p"].to_numpy()).tolist())
    nothing = specificity_matrix(across(own=0.0, spill=0.0), resamples=50, permutations=2000)
    assert (nothing["p_holm"] > 0.05).all()


def test_unscored_answers_have_not_moved_and_are_counted() -> None:
    frame = across(own=1.0, spill=0.0)
    gone = (frame["trait"] == "Openness") & (frame["measured"] == "Extraversion") & (frame["arm"] != "none")
    frame.loc[gone, "score"] = np.nan
    frame.loc[frame["question"] == "Openness 0", "score"] = np.nan
    cells: Any = specificity_matrix(frame, resamples=50, permutations=200).set_index(["trait", "measured", "direction"])
    empty, short = (cells.loc[("Openness", m, "increase")] for m in ("Extraversion", "Openness"))
    assert (empty["n"], empty["scored"], empty["shift"], empty["p"]) == (QUESTIONS, 0, 0.0, 1.0)
    assert empty["coverage_change"] == -1.0
    assert (short["n"], short["scored"]) == (QUESTIONS, QUESTIONS - 1)
    assert short["coverage_change"] == 0.0  # the unedited answer has none either
    whole: Any = specificity_matrix(across(own=1.0, spill=0.0), resamples=50, permutations=200)
    full = whole.set_index(["trait", "measured", "direction"]).loc[("Openness", "Openness", "increase"), "shift"]
    assert short["shift"] < full


def test_specificity_refuses_what_it_cannot_pair() -> None:
    frame = across(own=1.0, spill=0.0)
    with pytest.raises(ValueError, match="but 2 arrived"):
        specificity_matrix(pd.concat([frame, frame.assign(gamma=0.5, arm="DPN-LE")]))
    with pytest.raises(ValueError, match="no unedited answer to compare with, e.g. to 'Openness 0'"):
        specificity_matrix(frame[(frame["arm"] != "none") | (frame["question"] != "Openness 0")])
    with pytest.raises(ValueError, match=r"missing \['measured'\]"):
        specificity_matrix(frame.drop(columns="measured"))


def items(losses: dict[str, float], *, n: int = 200) -> pd.DataFrame:
    """The base has every tenth item wrong; an arm loses its share of the others."""
    rows = []
    for trait in ("Openness", "Extraversion"):
        for task in ("sum", "sort"):
            for i in range(n):
                row = {"trait": trait, "task": task, "item": f"{trait} {i}"}
                right = i % 10 > 0
                rows.append(row | {"arm": "none", "direction": "none", "gamma": 0.0, "correct": right})
                for arm, loss in losses.items():
                    kept = right and (task == "sort" or i >= loss * n)
                    made = row | {"arm": arm, "gamma": 1.0, "correct": kept}
                    rows += [made | {"direction": direction} for direction in SIGN]
    return pd.DataFrame(rows)


def test_arms_are_compared_item_by_item() -> None:
    frame = items({"DPN-LE": 0.0, "broad": 0.2})
    table: Any = compare_arms(frame, margin=0.02, resamples=300, permutations=500).set_index(["arm", "task", "trait"])
    assert len(table) == 8
    kept, lost = (table.loc[(arm, "sum", "Openness")] for arm in ("DPN-LE", "broad"))
    assert (kept["change"], kept["lost"], kept["gained"], kept["permutation_p"]) == (0, 0, 0, 1)
    assert kept["non_inferior"]
    assert lost["change"] == pytest.approx(-0.18)  # of the first 40 of 200, 4 were wrong before
    assert (lost["lost"], lost["gained"], lost["n"], lost["items"]) == (72, 0, 400, 200)
    assert lost["p_holm"] < 0.05
    assert not lost["non_inferior"]
    assert lost["low"] < -0.18 < lost["high"]
    one = frame[(frame["task"] == "sum") & (frame["trait"] == "Openness")]
    base = one[one["arm"] == "none"]["correct"].repeat(2).to_numpy()
    arm = one[one["arm"] == "broad"]["correct"].to_numpy()
    asked = one[one["arm"] == "broad"]["item"].to_numpy()
    assert lost["mcnemar_p"] == pytest.approx(mcnemar(base, arm, clusters=asked).pvalue)
    broad: Any = table.loc["broad"]
    assert broad["p_holm"].tolist() == pytest.approx(holm(broad["permutation_p"].to_numpy()).tolist())
    assert kept["detectable"] < lost["detectable"]


def test_any_arm_may_be_the_reference_and_everything_one_group() -> None:
    table: Any = compare_arms(items({"DPN-LE": 0.1, "broad": 0.3}), reference="DPN-LE", by=(), resamples=50)
    assert table[["arm", "gamma", "n"]].to_numpy().tolist() == [["broad", 1.0, 1600]]
    assert table["change"].iloc[0] == pytest.approx(-0.09)


def test_the_comparison_refuses_what_it_cannot_pair() -> None:
    frame = items({"DPN-LE": 0.1}, n=20)
    with pytest.raises(ValueError, match=r"'residual' must be present at one dose, but came at \[\]"):
        compare_arms(frame, reference="residual")
    with pytest.raises(ValueError, match="no partner in 'none', e.g. 'Openness 3'"):
        compare_arms(frame[(frame["arm"] != "none") | (frame["item"] != "Openness 3")])
    with pytest.raises(ValueError, match="no arm beside"):
        compare_arms(frame[frame["arm"] == "none"])


SLOPES = {"DPN-LE": 1.0, "broad": 2.0, "random": 0.0}
COSTS = {"DPN-LE": 0.05, "broad": 0.5, "random": 0.0}


@pytest.fixture(scope="module")
def curves() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shifts of slope * gamma and losses of cost * gamma, exactly."""
    answers, capability = [], []
    for i in range(20):
        row = {"trait": "Openness", "question": f"q{i}"}
        answers.append(row | {"arm": "none", "direction": "none", "gamma": 0.0, "score": 3.0, "wellformed": 1.0})
        for arm, slope in SLOPES.items():
            for gamma in (0.5, 1.0):
                made = {"score": 3 + slope * gamma, "wellformed": 1 - COSTS[arm] * gamma}
                answers.append(row | made | {"arm": arm, "direction": "increase", "gamma": gamma})
    for i in range(200):
        item = {"trait": "Openness", "direction": "increase", "task": "sum", "item": str(i)}
        capability.append(item | {"arm": "none", "gamma": 0.0, "correct": True})
        for arm, cost in COSTS.items():
            made = [{"gamma": gamma, "correct": i >= 200 * cost * gamma} for gamma in (0.5, 1.0)]
            capability += [item | {"arm": arm} | outcome for outcome in made]
    return pd.DataFrame(answers), pd.DataFrame(capability)


def test_unedited_items_of_no_direction_stand_for_both(curves: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    answers, capability = curves
    anywhere = capability.assign(direction=capability["direction"].where(capability["arm"] != "none", "none"))
    pd.testing.assert_frame_equal(
        equal_loss(answers, anywhere, reference="DPN-LE", resamples=50),
        equal_loss(answers, capability, reference="DPN-LE", resamples=50),
    )


@pytest.mark.parametrize("cost", ["capability", "wellformed"])
def test_arms_are_read_where_they_lose_the_same(curves: tuple[pd.DataFrame, pd.DataFrame], cost: str) -> None:
    settings: Any = {"losses": (0.02, 0.2), "cost": cost, "resamples": 200}
    table: Any = equal_loss(*curves, reference="DPN-LE", **settings)
    table = table.set_index(["loss", "arm"])
    dpn, broad, random = (table.loc[(0.02, arm)] for arm in SLOPES)
    assert (dpn["gamma"], dpn["shift"], dpn["against"]) == pytest.approx((0.4, 0.4, 0.0))
    assert (broad["gamma"], broad["shift"], broad["against"]) == pytest.approx((0.04, 0.08, -0.32))
    assert (random["reached"], random["gamma"], random["shift"]) == (False, 1.0, 0.0)
    far = table.loc[(0.2, "DPN-LE")]
    assert (far["reached"], far["gamma"], far["shift"]) == (False, 1.0, pytest.approx(1.0))
    assert table.loc[(0.2, "broad"), "gamma"] == pytest.approx(0.4)
    if cost == "wellformed":  # without noise every resample reads the same
        assert (broad["against_low"], broad["against_high"]) == pytest.approx((-0.32, -0.32))
        assert broad["reached_share"] == 1.0
    else:
        assert broad["gamma_low"] < 0.04 < broad["gamma_high"]


def test_equal_loss_needs_a_loss_and_its_reference(curves: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="A loss is above 0, but"):
        equal_loss(*curves, reference="DPN-LE", losses=(0.0,), resamples=10)
    with pytest.raises(TypeError, match="reference"):
        equal_loss(*curves)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="compares with 'NPTI', but the arms are"):
        equal_loss(*curves, reference="NPTI", resamples=10)


def test_no_arm_but_the_unedited_model_has_a_name_here() -> None:
    words = [
        f"{file.name}:{node.lineno} {node.value}"
        for file in Path(comparing.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in ARMS
    ]
    assert "DPN-LE" in ARMS
    assert words == []
