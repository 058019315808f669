import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from workbench.measure.bootstrap import Interval
from workbench.measure.paired import (
    bootstrap_difference,
    bootstrap_mean,
    holm,
    mcnemar,
    non_inferiority,
    wilson,
)

few = settings(max_examples=25, deadline=None)
outcomes = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


def covers(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def clustered(generator: np.random.Generator, *, clusters: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows with mean 0 whose cluster explains half of the variance."""
    labels = np.repeat(np.arange(clusters), each)
    return generator.normal(size=clusters)[labels] + generator.normal(size=len(labels)), labels


def test_clustered_intervals_cover_and_ignoring_clusters_does_not() -> None:
    generator = np.random.default_rng(0)
    samples = [clustered(generator, clusters=30, each=8) for _ in range(300)]
    by_cluster = [covers(bootstrap_mean(v, clusters=c, resamples=400), 0) for v, c in samples]
    by_row = [covers(bootstrap_mean(v, resamples=400), 0) for v, _ in samples]
    assert 0.90 <= np.mean(by_cluster) <= 0.98
    assert np.mean(by_row) < 0.75


def test_scipy_agrees_on_rows() -> None:
    values = np.random.default_rng(1).exponential(size=60)
    ours = bootstrap_mean(values, resamples=8000)
    reference = bootstrap((values,), np.mean, method="percentile", n_resamples=8000, rng=0).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([reference.low, reference.high], abs=0.02)
    assert ours.estimate == pytest.approx(values.mean())


def test_the_interval_says_what_it_rests_on() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    by_cluster = bootstrap_mean(values, clusters=["a", "a", "b", "b", "c"], resamples=100, level=0.9)
    assert (by_cluster.n, by_cluster.clusters, by_cluster.level) == (5, 3, 0.9)
    assert by_cluster.method == "percentile bootstrap over clusters, 100 resamples"
    by_row = bootstrap_mean(values, resamples=100)
    assert (by_row.clusters, by_row.method) == (5, "percentile bootstrap over rows, 100 resamples")
    # A cluster a row is no clustering at all.
    alone = bootstrap_mean(values, clusters=list(range(5)), resamples=100)
    assert (alone.low, alone.high) == (by_row.low, by_row.high)


def test_seeds_repeat_and_every_kind_of_column_is_read() -> None:
    values = np.random.default_rng(6).normal(size=26).tolist()
    labels = pd.Series(list("abcdefghijklmnopqrstuvwxyz"))
    first = bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) == first
    assert bootstrap_mean(values, seed=4) != first
    for column in (np.array(values), pd.Series(values), torch.tensor(values, dtype=torch.float64)):
        assert bootstrap_mean(column, clusters=labels, seed=3).low == first.low


def test_many_clusters_are_drawn_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).normal(size=50)
    whole = bootstrap_mean(values, resamples=333)
    monkeypatch.setattr("workbench.measure.bootstrap.BLOCK", 500)
    parts = bootstrap_mean(values, resamples=333)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.1)


def test_one_cluster_has_no_bounds_and_equal_rows_no_width() -> None:
    single = bootstrap_mean([1.0, 2.0, 3.0], clusters=["a"] * 3)
    assert (single.estimate, single.clusters) == (2.0, 1)
    assert math.isnan(single.low)
    assert math.isnan(single.high)
    assert math.isnan(bootstrap_mean([1.0]).low)
    equal = bootstrap_mean([0.1] * 7, clusters=list("aabbbcc"))
    assert (equal.estimate, equal.low, equal.high) == (0.1, 0.1, 0.1)


@few
@given(outcomes, st.integers(0, 99))
def test_a_difference_is_the_mean_of_differences_and_swapping_arms_negates(a: list[float], seed: int) -> None:
    b = np.random.default_rng(seed).normal(size=len(a))
    forwards = bootstrap_difference(a, b, resamples=50)
    back = bootstrap_difference(b, a, resamples=50)
    assert forwards.estimate == pytest.approx(float(np.mean(b - np.array(a))), abs=1e-9)
    assert (forwards.low, forwards.high) == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert forwards.low == bootstrap_mean(b - np.array(a), resamples=50).low


def test_a_planted_difference_is_found_and_pairing_is_used() -> None:
    generator = np.random.default_rng(2)
    prompt = generator.normal(scale=10, size=50)
    a, b = prompt + generator.normal(size=50), prompt + generator.normal(size=50)
    assert covers(bootstrap_difference(a, b), 0)
    assert bootstrap_difference(a, b + 1).low > 0
    # Break the pairing, and the prompts' own spread drowns the effect.
    assert covers(bootstrap_difference(a, generator.permutation(b + 1)), 0)


@few
@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_binomial_test_when_few_are_discordant(b: int, c: int) -> None:
    first = [1] * b + [0] * c + [1, 0, 1]
    second = [0] * b + [1] * c + [1, 0, 1]
    found = mcnemar(first, second)
    assert (found.b, found.c, found.n, found.exact) == (b, c, b + c + 3, b + c < 25)
    if found.exact:
        oracle = binomtest(b, b + c).pvalue if b + c else 1.0
    else:
        result: Any = statsmodels_mcnemar(np.array([[2, b], [c, 1]]), exact=False)
        oracle = float(result.pvalue)
    assert found.pvalue == pytest.approx(oracle)
    assert mcnemar(second, first).pvalue == pytest.approx(found.pvalue)


def test_mcnemar_reads_booleans_and_refuses_scores() -> None:
    assert mcnemar(np.array([True, False]), np.array([True, False])).pvalue == 1.0
    with pytest.raises(ValueError, match=r"but a value is 0\.5"):
        mcnemar([1, 0.5], [1, 0])
    with pytest.raises(ValueError, match="they have 2 and 3 rows"):
        mcnemar([1, 0], [1, 0, 1])


@few
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(pvalues: list[float]) -> None:
    expected: Any = multipletests(pvalues, method="holm")[1]
    assert holm(pvalues).tolist() == pytest.approx(expected.tolist())
    assert holm([]).tolist() == []


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.5])
def test_holm_refuses_what_is_no_probability(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"number 1 is {wrong}"):
        holm([0.1, wrong])


def test_non_inferiority_needs_a_margin_wider_than_the_doubt() -> None:
    generator = np.random.default_rng(3)
    a = generator.normal(size=200)
    b = a - 0.1 + generator.normal(scale=0.5, size=200)
    assert non_inferiority(a, b, margin=0.3).non_inferior
    assert not non_inferiority(a, b, margin=0.1).non_inferior
    assert not non_inferiority(a, b - 1, margin=0.3).non_inferior
    found = non_inferiority(a, b, margin=0.3)
    assert found.lower == pytest.approx(bootstrap_difference(a, b, level=0.9).low)
    assert (found.level, found.n, found.margin) == (0.95, 200, 0.3)
    assert found.method.startswith("one-sided percentile bootstrap over rows")


def test_non_inferiority_rarely_passes_a_loss_of_the_margin() -> None:
    generator = np.random.default_rng(4)
    passed = []
    for _ in range(300):
        difference, labels = clustered(generator, clusters=40, each=4)
        arms = np.zeros_like(difference), difference - 0.5
        passed.append(non_inferiority(*arms, margin=0.5, clusters=labels, resamples=300).non_inferior)
    assert np.mean(passed) < 0.1


def test_one_cluster_proves_no_non_inferiority() -> None:
    found = non_inferiority([0, 1], [1, 1], margin=1.0, clusters=["a", "a"])
    assert math.isnan(found.lower)
    assert not found.non_inferior
    with pytest.raises(ValueError, match=r"but it is -0\.1"):
        non_inferiority([0, 1], [1, 1], margin=-0.1)


def test_wilson_keeps_inside_and_matches_the_score_test() -> None:
    none = wilson(0, 20)
    assert none.low == 0
    assert none.high == pytest.approx(1.959964**2 / (20 + 1.959964**2))
    found = wilson(30, 40, level=0.9)
    oracle = binomtest(30, 40).proportion_ci(0.9, method="wilson")
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert (found.estimate, found.n, found.method) == (0.75, 40, "Wilson score")
    with pytest.raises(ValueError, match="but got 3 in 2"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="but got 0 in 0"):
        wilson(0, 0)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"bootstrap_mean needs finite values, but 2 of 4 are not: row 1 is nan"):
        bootstrap_mean([1.0, math.nan, 2.0, math.inf])
    with pytest.raises(ValueError, match=r"an array of shape \(0,\)"):
        bootstrap_mean([])
    with pytest.raises(ValueError, match="bootstrap_difference compares two arms row by row, but they have 2 and 1"):
        bootstrap_difference([1, 2], [1])
    with pytest.raises(ValueError, match=r"2 rows came with labels of shape \(3,\)"):
        bootstrap_mean([1, 2], clusters=["a", "b", "c"])
    with pytest.raises(ValueError, match="row 1 has none"):
        bootstrap_mean([1, 2], clusters=np.array(["a", None], dtype=object))
    with pytest.raises(ValueError, match=r"but it is 95\.0"):
        bootstrap_mean([1, 2], level=95.0)
    with pytest.raises(ValueError, match="but resamples is 0"):
        bootstrap_mean([1, 2], resamples=0)


def test_an_item_asked_twice_is_one_item() -> None:
    before, after = [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1]
    items = ["a", "a", "b", "b", "c", "c"]
    once = mcnemar(before[::2], after[::2])
    assert mcnemar(before, after, clusters=items) == once
    assert (once.b, once.c, once.n) == (2, 0, 3)
    assert mcnemar(before, after).pvalue < once.pvalue
