"""How many neurons two sets share, compared with chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float
from torch import Tensor

from workbench.measure.matched import shared_by_chance, size_classes
from workbench.measure.paired import holm
from workbench.vocabulary import NeuronSet

SHARE_MARGIN = 0.2
"""Sets that share less than this part of the smaller one beyond chance count as each trait's own."""


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
    chance = scipy.stats.hypergeom
    return Overlap(
        size_a=len(a),
        size_b=len(b),
        intersection=shared,
        population=population,
        jaccard=shared / union if union else math.nan,
        overlap_coefficient=shared / smaller if smaller else math.nan,
        lift=shared * population / product if product else math.nan,
        p_enrichment=float(chance.sf(shared - 1, population, len(a), len(b))) if smaller else 1.0,
        p_depletion=float(chance.cdf(shared, population, len(a), len(b))) if smaller else 1.0,
    )


def overlap_matrix(
    sets: Mapping[tuple[str, str], NeuronSet],
    *,
    population: int,
    size: Float[Tensor, "layer d_mlp"] | None = None,
    layers: Sequence[int] = (),
) -> pd.DataFrame:
    """Overlap of every pair of sets, e.g. five traits by two poles.

    Any set chosen for large values holds the neurons of large scale, whatever it was chosen for. With `size`, sets are
    therefore also compared with sets dealt out among neurons of like size.

    Args:
        sets: by trait and pole.
        population: as in `overlap`.
        size: what makes a neuron likely to be chosen by chance, e.g. the standard error of its mean difference.
        layers: the layer of each row of `size`.

    Returns:
        a row for each pair: `trait_a`, `pole_a`, `trait_b`, `pole_b`, the fields of `Overlap`, and `p_enrichment_holm`,
        corrected for the number of pairs of different traits. With `size`: `matched_expected` and `matched_lift`;
        `p_matched`, the probability of sharing at least so many by matched chance; `p_beyond_margin`, of at least so
        many if `SHARE_MARGIN` of the smaller set were shared on top of chance; `p_within_margin`, of at most so many
        then; and the first two corrected in `p_matched_holm` and `p_beyond_margin_holm`. Corrected values are 1 within
        a trait.

    Raises:
        ValueError: as `overlap`, or if `size` does not have a row for each of `layers`.
    """
    if size is not None and len(size) != len(layers):
        raise ValueError(f"Each row of size needs its layer, but {len(size)} rows came with layers {list(layers)}.")
    classes = None if size is None else size_classes(size)
    rows = []
    for a, b in combinations(sets, 2):
        shared = overlap(sets[a], sets[b], population=population)
        row = {"trait_a": a[0], "pole_a": a[1], "trait_b": b[0], "pole_b": b[1]} | asdict(shared)
        if classes is not None:
            masks = [sets[each].mask(layers, classes.shape[1]) for each in (a, b)]
            row |= _matched(shared, shared_by_chance(masks[0], masks[1], classes))
        rows.append(row)
    table = pd.DataFrame(rows)
    tested = ["p_enrichment"] if classes is None else ["p_enrichment", "p_matched", "p_beyond_margin"]
    for name in tested if len(table) else []:
        apart = table["trait_a"] != table["trait_b"]
        corrected = np.ones(len(table))
        if apart.any():
            corrected[apart] = holm(table.loc[apart, name])
        table[f"{name}_holm"] = corrected
    return table


def _matched(shared: Overlap, chance: np.ndarray) -> dict[str, float]:
    """How the intersection compares with its distribution by matched chance, and with that plus the margin."""
    count, smaller = shared.intersection, min(shared.size_a, shared.size_b)
    expected = float(chance @ np.arange(len(chance)))
    margin = scipy.stats.binom.pmf(np.arange(smaller + 1), smaller, SHARE_MARGIN)
    above = np.convolve(chance, margin)
    return {
        "matched_expected": expected,
        "matched_lift": count / expected if expected else math.nan,
        "p_matched": float(min(1.0, chance[count:].sum())),
        "p_beyond_margin": float(min(1.0, above[count:].sum())),
        "p_within_margin": float(min(1.0, above[: count + 1].sum())),
    }
