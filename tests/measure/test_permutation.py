import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test as scipy_permutation_test

from workbench.measure.detectable import smallest_detectable
from workbench.measure.paired import mcnemar
from workbench.measure.permutation import permutation_test


def oracle(a: np.ndarray, b: np.ndarray) -> float:
    def statistic(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.mean(y - x, axis=axis)

    found = scipy_permutation_test((a, b), statistic, permutation_type="samples", n_resamples=100_000, rng=0)
    return float(found.pvalue)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 10), st.integers(0, 999))
def test_few_pairs_are_tested_exactly_as_scipy_does(n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=n), generator.normal(0.5, size=n)
    found = permutation_test(a, b)
    assert (found.exact, found.permutations) == (True, 2**n)
    assert found.pvalue == pytest.approx(oracle(a, b))
    assert permutation_test(b, a).pvalue == pytest.approx(found.pvalue)


def test_right_and_wrong_answers_have_ties_that_count() -> None:
    a, b = np.array([1, 1, 1, 0, 1, 0, 1, 1.0]), np.array([0, 0, 1, 1, 0, 0, 0, 0.0])
    assert permutation_test(a, b).pvalue == pytest.approx(oracle(a, b))
    # On 0 and 1 the exact flip test is McNemar's binomial.
    assert permutation_test(a, b).pvalue == pytest.approx(mcnemar(a, b).pvalue)


def test_many_pairs_are_sampled_and_agree_with_the_exact_test() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=16), generator.normal(0.4, size=16)
    sampled = permutation_test(a, b, permutations=20_000)
    exact = permutation_test(a, b, permutations=2**16)
    assert (sampled.exact, exact.exact) == (False, True)
    assert sampled.pvalue == pytest.approx(exact.pvalue, abs=0.01)
    assert sampled == permutation_test(a, b, permutations=20_000)
    assert sampled != permutation_test(a, b, permutations=20_000, seed=1)
    assert permutation_test(np.zeros(100), np.ones(100), permutations=999).pvalue == 1 / 1000


def test_clusters_flip_whole_and_hold_the_error_that_rows_do_not() -> None:
    generator = np.random.default_rng(2)
    labels = np.repeat(np.arange(20), 6)
    rows, clusters = [], []
    for _ in range(200):
        difference = generator.normal(size=20)[labels] + 0.5 * generator.normal(size=120)
        zero = np.zeros_like(difference)
        rows.append(permutation_test(zero, difference, permutations=200).pvalue)
        clusters.append(permutation_test(zero, difference, clusters=labels, permutations=200).pvalue)
    assert np.mean(np.array(clusters) < 0.05) < 0.1
    assert np.mean(np.array(rows) < 0.05) > 0.2
    found = permutation_test([0, 0, 0, 0], [1, 1, 2, 2], clusters=["a", "a", "b", "b"])
    assert (found.n, found.clusters, found.pvalue, found.estimate) == (4, 2, 0.5, 1.5)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="permutation_test compares two arms row by row, but they have 2 and 1"):
        permutation_test([1, 2], [1])
    with pytest.raises(ValueError, match="but 0 arrived"):
        permutation_test([1], [1], permutations=0)
    with pytest.raises(ValueError, match="power must lie between 0 and 1, but it is 80"):
        smallest_detectable(100, discordant=0.1, power=80.0)
    with pytest.raises(ValueError, match="but it is 10.0"):
        smallest_detectable(100, discordant=10.0)
    with pytest.raises(ValueError, match="but n is 0"):
        smallest_detectable(0, discordant=0.1)


@pytest.mark.parametrize(("n", "discordant"), [(300, 0.1), (800, 0.05), (200, 0.4)])
def test_a_detectable_loss_is_found_in_four_studies_of_five(n: int, discordant: float) -> None:
    """Simulated: McNemar's test without correction, which is what the formula is about."""
    d = smallest_detectable(n, discordant=discordant)
    losses, gains = (discordant + d) / 2, (discordant - d) / 2
    counts = np.random.default_rng(3).multinomial(n, [losses, gains, 1 - discordant], size=20_000)
    b, c = counts[:, 0], counts[:, 1]
    found = (b - c) ** 2 / np.maximum(b + c, 1) > 1.959964**2
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_more_items_detect_less_and_too_few_detect_nothing() -> None:
    sizes = [smallest_detectable(n, discordant=0.1) for n in (200, 400, 1600)]
    assert sizes == sorted(sizes, reverse=True)
    # Put back into the formula, the difference needs as many items again.
    p, d, n = 0.1, sizes[1], 400
    assert ((1.959964 * p**0.5 + 0.841621 * (p - d**2) ** 0.5) / d) ** 2 == pytest.approx(n, rel=1e-4)
    # Where hardly any item differs, a loss makes its own discordant items.
    floor = smallest_detectable(300, discordant=0.0)
    assert smallest_detectable(300, discordant=floor / 2) == pytest.approx(floor)
    lost = np.random.default_rng(4).binomial(300, floor, size=20_000)
    assert (lost > 1.959964**2).mean() >= 0.8
    assert np.isnan(smallest_detectable(3, discordant=0.0))
