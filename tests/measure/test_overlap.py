import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from workbench.measure.overlap import overlap
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
