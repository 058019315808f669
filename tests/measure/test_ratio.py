"""Ratios of means, and the test of a mean: against the plain mean, SciPy, and simulations whose truth is known."""

import numpy as np
import pytest
import scipy

from workbench.measure.paired import bootstrap_mean
from workbench.measure.ratio import ratio_of_means, surely_above


def test_with_equal_denominators_it_is_the_mean_of_the_ratios() -> None:
    rng = np.random.default_rng(0)
    values, clusters = rng.normal(0.3, 0.2, 30), np.repeat(np.arange(10), 3)
    ratio = ratio_of_means(2 * values, np.full(30, 2.0), clusters=clusters, seed=3)
    mean = bootstrap_mean(values, clusters=clusters, seed=3)
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((mean.estimate, mean.low, mean.high))
    assert (ratio.n, ratio.clusters) == (30, 10)


def test_a_tiny_denominator_does_not_carry_the_ratio() -> None:
    whole = np.array([1.0, 1.2, 0.9, 1.1, 1.0, 0.011])
    moved = 0.2 * whole
    moved[-1] = 0.3  # this pair's own ratio is 27
    assert (moved / whole).mean() > 4
    ratio = ratio_of_means(moved, whole)
    assert 0.2 < ratio.estimate < 0.3
    assert ratio.high < 0.5


def test_a_whole_that_may_be_nothing_leaves_no_share() -> None:
    whole = np.array([1.0, -1.1, 0.9, -1.0, 0.2, -0.1])
    ratio = ratio_of_means(np.ones(6), whole)
    assert np.isnan([ratio.estimate, ratio.low, ratio.high]).all()
    negative = ratio_of_means([-0.5, -0.4, -0.6], [-1.0, -1.0, -1.0])
    assert negative.estimate == pytest.approx(0.5)
    one = ratio_of_means([1.0, 2.0], [2.0, 4.0], clusters=["a", "a"])
    assert one.estimate == 0.5
    assert np.isnan(one.low)


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(300):
        whole = rng.lognormal(0, 0.6, 60)
        moved = whole * 0.3 + rng.normal(0, 0.2, 60)
        interval = ratio_of_means(moved, whole, resamples=400)
        held.append(interval.low <= 0.3 <= interval.high)
    assert 0.9 <= np.mean(held) <= 0.98


def test_the_test_of_single_rows_is_the_t_test() -> None:
    values = np.random.default_rng(2).normal(0.2, 1, 14)
    expected = scipy.stats.ttest_1samp(values, 0, alternative="greater").pvalue
    assert surely_above(values) == pytest.approx(expected)
    assert surely_above(np.repeat(values, 3), clusters=np.repeat(np.arange(14), 3)) == pytest.approx(expected)
    assert surely_above(-values) == pytest.approx(1 - expected)


@pytest.mark.parametrize("clusters", [4, 8])
def test_the_test_keeps_its_level_with_few_clusters_where_the_percentile_interval_does_not(clusters: int) -> None:
    rng = np.random.default_rng(3)
    tested, percentile = [], []
    for _ in range(1500):
        labels = np.repeat(np.arange(clusters), 2)
        values = rng.normal(size=clusters)[labels] + 0.3 * rng.normal(size=len(labels))
        tested.append(surely_above(values, clusters=labels) < 0.025)
        percentile.append(bootstrap_mean(values, clusters=labels, resamples=200).low > 0)
    assert np.mean(tested) < 0.037  # three standard errors above 0.025
    assert np.mean(percentile) > 0.045


def test_degenerate_rows() -> None:
    assert (surely_above([0.2, 0.2]), surely_above([0.0, 0.0]), surely_above([-0.2, -0.2])) == (0.0, 1.0, 1.0)
    assert np.isnan(surely_above([1.0, 2.0], clusters=["a", "a"]))
    with pytest.raises(ValueError, match="2 and 1 arrived"):
        ratio_of_means([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="resamples is 0"):
        ratio_of_means([1.0], [1.0], resamples=0)
    with pytest.raises(ValueError, match="level"):
        ratio_of_means([1.0], [1.0], level=2.0)
