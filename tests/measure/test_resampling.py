"""Whole clusters are resampled, and everything that belongs to one cluster is drawn as often as it is."""

import numpy as np
import pandas as pd
import pytest
import torch

from workbench.measure.bootstrap import percentile_interval
from workbench.measure.dosing import Changes, DoseCurves, dose_curves
from workbench.measure.resampled import drawn_weights
from workbench.measure.units import Stack

CLUSTERS = 12
COST = "cost"


def changes(arm: str, *, reverse: bool = False, slope: float = 1.0) -> pd.DataFrame:
    """Two rows a cluster and dose, each cluster with a change of its own."""
    rows = pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "cluster": f"question {i}", "change": slope * gamma * (i + 1) ** 2}
            for i in range(CLUSTERS)
            for gamma in (0.5, 1.0)
            for _ in range(2)
        ]
    )
    return rows.iloc[::-1] if reverse else rows


def curves(*frames: pd.DataFrame, cost: pd.DataFrame | None = None) -> dict[str, DoseCurves]:
    shift = Changes("shift", pd.concat(frames))
    both = [shift] if cost is None else [shift, Changes(COST, cost)]
    return dose_curves(both, resamples=40, seed=1)


def test_every_arm_is_read_in_the_same_resamples_whatever_the_order_of_its_rows() -> None:
    drawn = curves(changes("first"), changes("second", reverse=True), changes("third", slope=2.0))
    first, second, third = (drawn[arm].means["shift"] for arm in ("first", "second", "third"))
    np.testing.assert_allclose(second, first, rtol=1e-12)
    np.testing.assert_allclose(third, 2 * first, rtol=1e-12)
    assert len(np.unique(first[1:, 1])) > 20  # the resamples differ


def test_an_arm_without_some_clusters_is_read_in_the_same_resamples_of_the_others() -> None:
    whole, part = changes("whole"), changes("part")
    part = part[part["cluster"] != "question 3"]
    without = changes("without").assign(change=lambda rows: rows["change"].where(rows["cluster"] != "question 3"))
    drawn = curves(whole, part, without)
    np.testing.assert_allclose(drawn["part"].means["shift"], drawn["without"].means["shift"], rtol=1e-12)
    assert not np.allclose(drawn["part"].means["shift"], drawn["whole"].means["shift"])


def test_quantities_of_the_same_clusters_share_their_resamples() -> None:
    drawn = curves(changes("arm"), cost=changes("arm", slope=-3.0))["arm"].means
    np.testing.assert_allclose(drawn[COST], -3 * drawn["shift"], rtol=1e-12)


def stack(labels: list[str]) -> Stack:
    values = torch.zeros(len(labels), 1, 1, dtype=torch.float64)
    return Stack(
        torch.ones(len(labels), dtype=torch.float64), values, None, {"question": labels, "description": labels}
    )


def test_both_poles_draw_a_question_equally_often_and_descriptions_apart() -> None:
    names = [f"question {i}" for i in range(CLUSTERS)]
    other = [*names[5:], *names[:5][::-1]]
    high, low = stack(names), stack(other)
    first, second = drawn_weights(high, low, "question", 30, np.random.default_rng(0))
    torch.testing.assert_close(first[:, [names.index(name) for name in other]], second, rtol=0, atol=0)
    assert (first.sum(1) == CLUSTERS).all()
    assert not torch.equal(first, second)
    first, second = drawn_weights(high, low, "description", 30, np.random.default_rng(0))
    assert not torch.equal(first[:, [names.index(name) for name in other]], second)
    assert (second.sum(1) == CLUSTERS).all()


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 9, 2, 4)])
def test_a_drawn_cluster_brings_all_of_its_rows(sizes: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    values = labels.astype(float) ** 2
    settings = {"level": 0.9, "tail": 0.05, "resamples": 500, "seed": 3, "caller": "the test"}
    interval = percentile_interval(values, clusters=labels, **settings)
    drawn = np.random.default_rng(3).integers(len(sizes), size=(500, len(sizes)))
    means = [np.concatenate([values[labels == i] for i in row]).mean() for row in drawn]
    assert [interval.low, interval.high] == pytest.approx(np.quantile(means, [0.05, 0.95]).tolist())
