"""Score intervals of paired proportions against the likelihood maximised by brute force, and where nothing changed."""

import math

import numpy as np
import pytest
import scipy

from workbench.measure import non_inferiority, paired_change, paired_proportions


def score(difference: float, lost: int, gained: int, n: int) -> float:
    """The score statistic of a difference, with the nuisance share found by a bounded search."""

    def unlikely(share: float) -> float:
        cells = ((gained, share + difference), (lost, share), (n - lost - gained, 1 - 2 * share - difference))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    bounds = (max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12)
    share = scipy.optimize.minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (gained - lost - n * difference) / math.sqrt(n * (2 * share + difference - difference**2))


@pytest.mark.parametrize(("lost", "gained", "n"), [(3, 1, 20), (0, 4, 12), (0, 0, 10), (32, 21, 105), (10, 2, 200)])
def test_bounds_are_where_the_score_statistic_is_the_normal_quantile(lost: int, gained: int, n: int) -> None:
    interval = paired_proportions(lost, gained, n)
    assert interval.estimate == pytest.approx((gained - lost) / n)
    assert score(interval.low, lost, gained, n) == pytest.approx(1.959964, abs=1e-3)
    assert score(interval.high, lost, gained, n) == pytest.approx(-1.959964, abs=1e-3)
    mirrored = paired_proportions(gained, lost, n)
    assert (-mirrored.high, -mirrored.low) == pytest.approx((interval.low, interval.high))


def test_no_discordant_item_leaves_the_rule_of_three() -> None:
    for n in (10, 12, 240):
        found = non_inferiority([1.0] * n, [1.0] * n, margin=0.05)
        assert found.lower == pytest.approx(-(1.644854**2) / (n + 1.644854**2))
        assert found.non_inferior is (n == 240)
        assert not found.inferior


def test_a_loss_of_the_margin_rarely_passes_with_few_items() -> None:
    """A percentile bootstrap passes whenever no item was lost: at 10 items in 60 % of samples."""
    generator = np.random.default_rng(0)
    for n in (10, 20, 60):
        passed = []
        for _ in range(400):
            after = (generator.random(n) >= 0.05).astype(float)
            passed.append(non_inferiority(np.ones(n), after, margin=0.05).non_inferior)
        assert np.mean(passed) <= 0.07


def test_a_cluster_counts_as_one_item() -> None:
    before, after = np.ones(40), np.ones(40)
    after[:4] = 0
    clusters = np.repeat(np.arange(10), 4)
    assert paired_change(before, after, clusters=clusters).low == pytest.approx(paired_proportions(1, 0, 10).low)
    assert math.isnan(paired_change(before, after, clusters=np.zeros(40)).low)


def test_other_outcomes_keep_the_bootstrap_and_equal_differences_have_no_bound() -> None:
    generator = np.random.default_rng(1)
    a = generator.normal(size=50)
    assert paired_change(a, a + generator.normal(size=50)).method.startswith("percentile bootstrap")
    found = non_inferiority(a, a, margin=0.1)
    assert math.isnan(found.lower)
    assert not found.non_inferior


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 2 of 4 arrived"):
        paired_proportions(3, 2, 4)
