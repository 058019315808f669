import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, fisher_exact

from workbench.measure.overlap import SHARE_MARGIN, overlap, overlap_matrix
from workbench.vocabulary import NeuronSet

neurons = st.sets(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1)


def drawn(generator: np.random.Generator, size: int, population: int) -> NeuronSet:
    return NeuronSet.of((0, neuron) for neuron in generator.choice(population, size, replace=False).tolist())


@settings(max_examples=25, deadline=None)
@given(neurons, neurons)
def test_fisher_agrees_and_order_does_not_matter(a: set[tuple[int, int]], b: set[tuple[int, int]]) -> None:
    found = overlap(NeuronSet.of(a), NeuronSet.of(b), population=20)
    both, only_a, only_b = len(a & b), len(a - b), len(b - a)
    table = [[both, only_a], [only_b, 20 - both - only_a - only_b]]
    greater: Any = fisher_exact(table, alternative="greater")
    less: Any = fisher_exact(table, alternative="less")
    assert found.p_enrichment == pytest.approx(greater.pvalue)
    assert found.p_depletion == pytest.approx(less.pvalue)
    assert found.jaccard == len(a & b) / len(a | b)
    back = overlap(NeuronSet.of(b), NeuronSet.of(a), population=20)
    assert (back.jaccard, back.overlap_coefficient, back.lift) == (
        found.jaccard,
        found.overlap_coefficient,
        found.lift,
    )
    assert back.p_enrichment == pytest.approx(found.p_enrichment)


def test_a_hand_case() -> None:
    found = overlap(NeuronSet.of([(0, 0), (0, 1), (0, 2)]), NeuronSet.of([(0, 2), (1, 0)]), population=12)
    assert (found.size_a, found.size_b, found.intersection, found.population) == (3, 2, 1, 12)
    assert (found.jaccard, found.overlap_coefficient, found.lift) == (0.25, 0.5, 2.0)
    # One minus the chance that both of b miss a: 9/12 * 8/11.
    assert found.p_enrichment == pytest.approx(1 - 9 / 12 * 8 / 11)
    assert found.p_depletion == pytest.approx(1 - 3 / 12 * 2 / 11)


def test_planted_sharing_is_found_and_random_sets_share_nothing_unusual() -> None:
    generator = np.random.default_rng(0)
    a, b = drawn(generator, 100, 5000), drawn(generator, 100, 5000)
    assert overlap(a, b, population=5000).p_enrichment > 0.01
    planted = overlap(a, b | NeuronSet.of(list(a)[:30]), population=5000)
    assert planted.p_enrichment < 1e-12
    assert planted.lift > 5
    large = drawn(generator, 2500, 5000)
    assert overlap(large, NeuronSet.of((0, i) for i in range(5000)) - large, population=5000).p_depletion < 1e-12


def test_empty_sets() -> None:
    none, one = NeuronSet.of([]), NeuronSet.of([(0, 0)])
    found = overlap(none, one, population=9)
    assert (found.intersection, found.jaccard, found.p_enrichment, found.p_depletion) == (0, 0.0, 1.0, 1.0)
    assert math.isnan(found.overlap_coefficient)
    assert math.isnan(found.lift)
    assert math.isnan(overlap(none, none, population=9).jaccard)
    assert overlap(none, none, population=0).p_enrichment == 1.0


def test_a_population_below_the_union_is_refused() -> None:
    a, b = NeuronSet.of([(0, 0), (0, 1)]), NeuronSet.of([(0, 1), (0, 2)])
    assert overlap(a, b, population=3).p_enrichment == 1.0
    with pytest.raises(ValueError, match="it is 2 and the sets hold 3 together"):
        overlap(a, b, population=2)


def test_sets_that_follow_one_size_share_no_more_than_matched_chance() -> None:
    """Both sets take large neurons: uniform chance calls that sharing, chance among neurons of like size does not."""
    generator = np.random.default_rng(0)
    size = torch.from_numpy(np.exp(generator.normal(size=(2, 500))))
    sets = {}
    for trait in ("Openness", "Extraversion"):
        values = size * torch.from_numpy(generator.normal(size=(2, 500))).abs()
        large = values > values.quantile(0.9, dim=1, keepdim=True)
        sets[trait, "high"] = NeuronSet.from_mask(large, (4, 7))
    row = overlap_matrix(sets, population=1000, size=size, layers=(4, 7)).iloc[0]
    assert row["p_enrichment"] < 1e-4
    assert row["p_matched"] > 0.05
    assert row["matched_expected"] > 2 * row["size_a"] * row["size_b"] / 1000
    assert row["p_within_margin"] < 0.2 < row["p_beyond_margin"]


def test_the_margin_is_a_share_of_the_smaller_set_on_top_of_chance() -> None:
    """Without chance, sharing is binomial; pairs within a trait are not tested."""
    a = NeuronSet.of((0, i) for i in range(20))
    b = NeuronSet.of((0, i) for i in range(12, 32))
    sets = {("A", "high"): a, ("A", "low"): NeuronSet.of([(0, 40)]), ("B", "high"): b}
    size = torch.linspace(1, 2, 4000)[None]
    table = overlap_matrix(sets, population=4000, size=size, layers=(0,))
    row = table[(table["pole_a"] == "high") & (table["trait_b"] == "B")].iloc[0]
    chance = row["matched_expected"]
    assert row["intersection"] == 8
    assert row["p_beyond_margin"] == pytest.approx(binom(20, SHARE_MARGIN).sf(7), abs=0.1)
    assert row["p_beyond_margin"] > row["p_matched"]
    assert row["p_within_margin"] + row["p_beyond_margin"] > 1
    assert chance < 2
    within = table[table["trait_a"] == table["trait_b"]].iloc[0]
    assert (within["p_matched_holm"], within["p_beyond_margin_holm"]) == (1.0, 1.0)
    assert row["p_matched_holm"] == pytest.approx(min(1.0, 2 * row["p_matched"]))
    with pytest.raises(ValueError, match=r"1 rows came with layers \[\]"):
        overlap_matrix(sets, population=4000, size=size)
