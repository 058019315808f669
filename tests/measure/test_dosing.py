"""Curves over doses against a slow loop that draws the clusters again, one resample at a time."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression

from workbench.measure.curves import monotone
from workbench.measure.dosing import Changes, dose_curves, equal_loss, equal_shift
from workbench.measure.paired import holm

RESAMPLES, SEED = 40, 3
GAMMAS = {"a": (0.5, 1.0), "b": (0.2, 0.6, 1.0)}


def changes(name: str, clusters: list[str], seed: int, slope: float) -> Changes:
    """Two rows of every cluster at every dose, clusters out of order and of unlike size."""
    rng = np.random.default_rng(seed)
    rows = [
        {"arm": arm, "gamma": gamma, "cluster": cluster, "change": slope * gamma + rng.normal()}
        for arm, gammas in GAMMAS.items()
        for gamma in gammas
        for place, cluster in enumerate(clusters)
        for _ in range(1 + place % 3)
    ]
    return Changes(name, pd.DataFrame(rows))


SHIFT = changes("shift", ["q3", "q1", "q2", "q0", "q7"], 0, 2.0)
SAME = changes("wellformed_change", ["q3", "q1", "q2", "q0", "q7"], 1, -0.5)
OTHER = changes("capability_change", ["i1", "i0", "i5"], 2, -0.1)


def slow(each: Changes, arm: str, counts: np.ndarray) -> list[float]:
    """Means by dose of a sample that holds the i-th cluster, in order of first appearance, `counts[i]` times."""
    means = []
    order = list(dict.fromkeys(each.rows["cluster"]))
    for gamma in GAMMAS[arm]:
        values: list[float] = []
        here = each.rows[(each.rows["arm"] == arm) & (each.rows["gamma"] == gamma)]
        for cluster, count in zip(order, counts, strict=True):
            values += list(here.loc[here["cluster"] == cluster, "change"]) * int(count)
        means.append(float(np.mean(values)))
    return means


def test_every_resample_is_the_sample_of_its_clusters_drawn_again() -> None:
    curves = dose_curves([SHIFT, SAME, OTHER], resamples=RESAMPLES, seed=SEED)
    generator = np.random.default_rng(SEED)
    draws = {}
    for each in (SHIFT, OTHER):  # a quantity of the same clusters shares the draws of the first
        n = each.rows["cluster"].nunique()
        draws[each.name] = np.vstack([np.ones(n), generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)])
    draws[SAME.name] = draws[SHIFT.name]
    assert list(curves) == ["a", "b"]
    for arm, curve in curves.items():
        assert curve.doses.tolist() == [0.0, *GAMMAS[arm]]
        for each in (SHIFT, SAME, OTHER):
            expected = [[0.0, *slow(each, arm, counts)] for counts in draws[each.name]]
            np.testing.assert_allclose(curve.means[each.name], expected, rtol=1e-12, atol=1e-12)


def test_missing_changes_are_left_out_and_missing_doses_are_unknown() -> None:
    rows = OTHER.rows[~((OTHER.rows["arm"] == "b") & (OTHER.rows["gamma"] == 0.6))]
    gaps = SHIFT.rows.copy()
    gaps.loc[0, "change"] = np.nan
    curves = dose_curves([Changes("shift", gaps), Changes(OTHER.name, rows)], resamples=20, seed=0)
    here = gaps[(gaps["arm"] == "a") & (gaps["gamma"] == 0.5)]
    assert curves["a"].means["shift"][0, 1] == pytest.approx(here["change"].dropna().mean())
    assert np.isnan(curves["b"].means[OTHER.name][:, 2]).all()
    assert np.isfinite(curves["b"].means[OTHER.name][:, 1]).all()


def test_equal_shift_and_equal_loss_read_between_doses() -> None:
    rows = pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "cluster": f"c{i}", "slope": slope, "loss": loss}
            for arm, slope, loss in (("a", 1.0, 0.10), ("b", 4.0, 0.80))
            for gamma in GAMMAS[arm]
            for i in range(6)
        ]
    )
    both = [
        Changes("shift", rows.assign(change=rows["slope"] * rows["gamma"])),
        Changes("cost_change", rows.assign(change=-rows["loss"] * rows["gamma"])),
    ]
    curves = dose_curves(both, resamples=50, seed=0)
    at = equal_shift(curves, reference="a", gamma=1.0, costs=["cost_change"]).set_index("arm")
    assert at["gamma"].to_dict() == pytest.approx({"a": 1.0, "b": 0.25})
    assert at["cost_change"].to_dict() == pytest.approx({"a": -0.10, "b": -0.20})
    assert at["cost_against"].to_dict() == pytest.approx({"a": 0.0, "b": -0.10})
    lost = equal_loss(curves, reference="a", cost="cost_change", losses=[0.05, 0.5]).set_index(["loss", "arm"])
    assert lost["gamma"].to_dict() == pytest.approx(
        {(0.05, "a"): 0.5, (0.05, "b"): 0.0625, (0.5, "a"): 1.0, (0.5, "b"): 0.625}
    )
    assert lost["reached"].to_dict() == {(0.05, "a"): True, (0.05, "b"): True, (0.5, "a"): False, (0.5, "b"): True}
    assert lost["against"].to_dict() == pytest.approx(
        {(0.05, "a"): 0.0, (0.05, "b"): -0.25, (0.5, "a"): 0.0, (0.5, "b"): 1.5}
    )
    with pytest.raises(ValueError, match=r"A loss is above 0, but \[0.0\] arrived"):
        equal_loss(curves, reference="a", cost="cost_change", losses=[0.0])
    with pytest.raises(ValueError, match=r"compares with 'c', but the arms are \['a', 'b'\]"):
        equal_loss(curves, reference="c", cost="cost_change", losses=[0.1])


def test_rising_fits_are_isotonic_regression_from_nothing() -> None:
    means = np.hstack([np.zeros((200, 1)), np.random.default_rng(5).normal(0.3, 1.0, size=(200, 5)).cumsum(1)])
    for row, fitted in zip(means, monotone(means), strict=True):
        weights = np.array([1e12, 1, 1, 1, 1, 1])
        expected = IsotonicRegression().fit_transform(np.arange(6), row, sample_weight=weights)
        np.testing.assert_allclose(fitted, expected, atol=1e-6)
    gap = np.array([[0.0, 2.0, np.nan, 1.0]])
    np.testing.assert_array_equal(monotone(gap), [[0.0, 1.5, np.nan, 1.5]])


def humped(seed: int) -> dict[str, pd.DataFrame]:
    """Two arms of the same curve, whose shift falls again after dose 1 and whose cost grows with the dose."""
    rng = np.random.default_rng(seed)
    shift = {0.5: 0.4, 1.0: 0.8, 1.5: 0.6}
    rows = pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "cluster": f"c{i}", "shift": mean + rng.normal(0, 0.5)}
            for arm in ("a", "b")
            for gamma, mean in shift.items()
            for i in range(20)
        ]
    )
    rows["cost"] = -0.1 * rows["gamma"] + rng.normal(0, 0.05, size=len(rows))
    return {
        "shift": rows.assign(change=rows["shift"]),
        "cost_change": rows.assign(change=rows["cost"]),
    }


def test_a_hump_does_not_make_equal_arms_unequal() -> None:
    """Read at its own dose, past the hump, the reference would look dearer than an equal arm that is read before it."""
    wrong, read_at = 0, []
    for seed in range(40):
        changes = [Changes(name, rows) for name, rows in humped(seed).items()]
        curves = dose_curves(changes, resamples=200, seed=seed)
        tables: list[Any] = [
            equal_shift(curves, reference="a", gamma=gamma, costs=["cost_change"]).set_index("arm")
            for gamma in (0.5, 1.0, 1.5)
        ]
        p = [table.loc["b", "cost_against_p"] for table in tables if table.loc["b", "reached"] >= 0.9]
        wrong += bool((holm(p) < 0.05).any()) if p else 0
        read_at.append(tables[2].loc["a", "gamma"])
    assert wrong <= 4
    assert np.mean(np.array(read_at) < 1.2) > 0.8
