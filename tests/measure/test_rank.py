"""Spearman's correlation from few values: against SciPy, its interval by simulation, its p-value by all orders."""

from itertools import permutations

import numpy as np
import pytest
import scipy

from workbench.measure.rank import rank_correlation


@pytest.mark.parametrize("n", [5, 8, 12])
def test_the_estimate_is_scipys(n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=n), rng.integers(4, size=n).astype(float)
    found = rank_correlation(x, y)
    assert found.estimate == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
    assert found.low < found.estimate < found.high
    assert found.n == n


def test_the_p_value_is_the_share_of_orders_that_correlate_as_strongly() -> None:
    x, y = np.arange(5.0), np.array([0.0, 2.0, 1.0, 3.0, 4.0])
    every = [abs(scipy.stats.spearmanr(x, order).statistic) for order in permutations(y)]
    assert rank_correlation(x, y).pvalue == pytest.approx(np.mean(np.array(every) >= 0.9 - 1e-9))
    many = np.arange(12.0)
    assert rank_correlation(many, many[::-1]).pvalue == pytest.approx(1e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth, held = 0.5, 0
    population = 6 / np.pi * np.arcsin(truth / 2)  # Spearman's of two normals that correlate so
    for _ in range(400):
        x = rng.normal(size=20)
        y = truth * x + np.sqrt(1 - truth**2) * rng.normal(size=20)
        found = rank_correlation(x, y)
        held += found.low <= population <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_pairs_with_a_missing_value_are_left_out_and_too_few_say_nothing() -> None:
    found = rank_correlation([1, 2, 3, 4, np.nan], [1, 2, 3, 4, 5])
    assert (found.n, found.estimate) == (4, 1.0)
    for x in ([1, 2, 3], [1, 1, 1, 1, 1]):
        nothing = rank_correlation(x, np.arange(len(x)))
        assert np.isnan([nothing.estimate, nothing.low, nothing.high, nothing.pvalue]).all()
    with pytest.raises(ValueError, match="value by value"):
        rank_correlation([1, 2], [1, 2, 3])
