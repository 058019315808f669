"""How many neurons two sets share, compared with chance."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations

import pandas as pd
import scipy

from workbench.measure.paired import holm
from workbench.vocabulary import NeuronSet


@dataclass(frozen=True)
class Overlap:
    """How far two sets of neurons overlap.

    Attributes:
        size_a: number of neurons in the first set.
        size_b: number of neurons in the second set.
        intersection: number of neurons in both.
        population: number of neurons from which the sets were chosen.
        jaccard: intersection over union, 0 to 1; 0 if one set is empty, nan if both are.
        overlap_coefficient: intersection over the smaller set, 0 to 1; nan if a set is empty.
        lift: intersection over its expectation `size_a * size_b / population`; nan if a set is empty.
        p_enrichment: probability that random sets of these sizes share at least so many.
        p_depletion: probability that random sets of these sizes share at most so many.
    """

    size_a: int
    size_b: int
    intersection: int
    population: int
    jaccard: float
    overlap_coefficient: float
    lift: float
    p_enrichment: float
    p_depletion: float


def overlap(a: NeuronSet, b: NeuronSet, *, population: int) -> Overlap:
    """Overlap of two sets, with one-sided hypergeometric tests in both directions.

    Sets chosen by one statistic may be disjoint by construction. High and Low of one contrast always are, so their
    depletion proves nothing; compare each pole with a neutral arm instead.

    Args:
        population: number of neurons from which both sets were chosen: layers searched times `d_mlp`.

    Returns:
        counts, coefficients and p-values; both p-values are 1 if a set is empty.

    Raises:
        ValueError: if the population is smaller than the union of the sets.

    Reference:
        Fisher's exact test; Vijaymeena and Kavitha (2016) for the coefficients.

    Example:
        >>> a, b = NeuronSet.of([(0, 1), (0, 2)]), NeuronSet.of([(0, 2), (0, 3)])
        >>> shared = overlap(a, b, population=8)
        >>> shared.intersection, shared.lift, round(shared.jaccard, 3)
        (1, 2.0, 0.333)
    """
    shared = len(a & b)
    union = len(a) + len(b) - shared
    if population < union:
        raise ValueError(
            f"population is the number of neurons from which both sets were chosen, but it is {population} and the "
            f"sets hold {union} together. Pass layers searched times d_mlp."
        )
    smaller, product = min(len(a), len(b)), len(a) * len(b)
    chance = scipy.stats.hypergeom(population, len(a), len(b))
    return Overlap(
        size_a=len(a),
        size_b=len(b),
        intersection=shared,
        population=population,
        jaccard=shared / union if union else math.nan,
        overlap_coefficient=shared / smaller if smaller else math.nan,
        lift=shared * population / product if product else math.nan,
        p_enrichment=float(chance.sf(shared - 1)) if smaller else 1.0,
        p_depletion=float(chance.cdf(shared)) if smaller else 1.0,
    )


def overlap_matrix(sets: Mapping[tuple[str, str], NeuronSet], *, population: int) -> pd.DataFrame:
    """Overlap of every pair of sets, e.g. five traits by two poles.

    Args:
        sets: by trait and pole.
        population: as in `overlap`.

    Returns:
        a row for each pair: `trait_a`, `pole_a`, `trait_b`, `pole_b`, the fields of `Overlap`, and `p_enrichment_holm`,
        corrected for the number of pairs.

    Raises:
        ValueError: as `overlap`.
    """
    rows = [
        {"trait_a": a[0], "pole_a": a[1], "trait_b": b[0], "pole_b": b[1]}
        | asdict(overlap(sets[a], sets[b], population=population))
        for a, b in combinations(sets, 2)
    ]
    table = pd.DataFrame(rows)
    return table.assign(p_enrichment_holm=holm(table["p_enrichment"]) if len(table) else [])
