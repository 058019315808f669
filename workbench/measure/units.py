"""What statistics reweight: rows, or whole clusters of rows, and the effects that a weighting of them gives."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from workbench.measure.moments import Moments
from workbench.vocabulary import Pole

KINDS = ("row", "description", "question")
BLOCK_VALUES = 16_000_000  # replicates times neurons held at once


@dataclass(frozen=True, eq=False)
class Stack:
    """One pole's units: what each of them counts, and its moments.

    Attributes:
        count: `(u,)` rows in each unit.
        mean: `(u, layer, d_mlp)` mean over the unit's rows; may be mapped from a file.
        m2: `(u, layer, d_mlp)` squared deviations from that mean; None where every unit is a single row.
        labels: by kind (`description`, `question`), each unit's label, where a unit has one.
    """

    count: Float64[Tensor, " u"]
    mean: Float[Tensor, "u layer d_mlp"]
    m2: Float[Tensor, "u layer d_mlp"] | None = None
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.count)

    def at(self, place: int) -> tuple[Float64[Tensor, "u d_mlp"], Float64[Tensor, "u d_mlp"]]:
        """A layer's unit means, and squared deviations within units."""
        mean = self.mean[:, place].double()
        return mean, torch.zeros_like(mean) if self.m2 is None else self.m2[:, place].double()


@runtime_checkable
class HasRows(Protocol):
    """Kept rows by pole, each with the cluster labels of the prompt it came from."""

    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def activations(self) -> Mapping[Pole, Tensor]: ...
    def labels(self, kind: str, pole: Pole) -> tuple[str, ...]: ...


@runtime_checkable
class HasClusters(Protocol):
    """Moments of each cluster by kind, pole and label."""

    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def clusters(self) -> Mapping[str, Mapping[Pole, Mapping[str, Moments]]]: ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of any measurements by pole, with their clusters: what stands in for kept activations.

    Attributes:
        activations: by pole, `(n, layer, d)`.
        ids: by kind of cluster and pole, each row's cluster.
        layers: a number for each place on the layer axis.
        trait: what the poles differ in.
        site: what was measured.
        moments: of each pole's rows.
    """

    activations: dict[Pole, Float[Tensor, "_n layer d"]]
    ids: dict[str, dict[Pole, tuple[str, ...]]]
    layers: tuple[int, ...] = (0,)
    trait: str = "rows"
    site: str = "rows"
    provenance: dict[str, str] = field(default_factory=dict)
    moments: dict[Pole, Moments] = field(init=False)

    def __post_init__(self) -> None:
        moments = {pole: Moments.of(values) for pole, values in self.activations.items()}
        object.__setattr__(self, "moments", moments)

    def labels(self, kind: str, pole: Pole | str) -> tuple[str, ...]:
        """Each row's cluster of a kind; empty where it has none."""
        return self.ids.get(kind, {}).get(Pole(pole), ())


def row_stack(source: HasRows, pole: Pole | str) -> Stack:
    """A pole's kept rows, each a unit."""
    pole = Pole(pole)
    if pole not in source.activations:
        raise ValueError(f"The {pole} pole was not captured; these were: {', '.join(source.activations)}.")
    rows = source.activations[pole]
    labels = {kind: source.labels(kind, pole) for kind in KINDS[1:]}
    named = {kind: ids for kind, ids in labels.items() if ids}
    return Stack(torch.ones(len(rows), dtype=torch.float64), rows, None, named)


def cluster_stack(source: HasClusters, kind: str, pole: Pole | str) -> Stack:
    """A pole's clusters of a kind, each a unit.

    Raises:
        ValueError: if the capture did not keep them apart.
    """
    pole = Pole(pole)
    if kind not in source.clusters or pole not in source.clusters[kind]:
        raise ValueError(
            f"Clusters by {kind} of the {pole} pole were not kept apart; kept are: "
            f"{', '.join(source.clusters) or 'none'}. Capture with clusters=['{kind}'], or keep=True."
        )
    held = source.clusters[kind][pole]
    return Stack(
        torch.tensor([float(moments.count) for moments in held.values()], dtype=torch.float64),
        torch.stack([moments.mean for moments in held.values()]),
        torch.stack([moments.m2 for moments in held.values()]),
        {kind: tuple(held)},
    )


def stacks(source: object, *, kind: str, poles: tuple[str, str] = ("high", "low")) -> tuple[Stack, Stack]:
    """Both poles' units of a kind: kept rows where there are some (grouped later by their labels), else clusters.

    Raises:
        ValueError: if the source holds neither, or its rows have no such labels.
    """
    if kind not in KINDS:
        raise ValueError(f"Units are one of {', '.join(KINDS)}, but {kind!r} arrived.")
    rows = source if isinstance(source, HasRows) else None
    if kind == "row" and rows is None:
        raise ValueError("Statistics over rows need kept rows. Capture with keep=True.")
    if isinstance(source, HasClusters) and kind in source.clusters:
        return cluster_stack(source, kind, poles[0]), cluster_stack(source, kind, poles[1])
    if rows is None:
        raise ValueError(
            f"Clusters by {kind} need a capture that kept them apart or kept its rows. "
            f"Capture with clusters=['{kind}'], or keep=True."
        )
    first, second = (row_stack(rows, pole) for pole in poles)
    return (first, second) if kind == "row" else (grouped(first, kind), grouped(second, kind))


def grouped(stack: Stack, kind: str) -> Stack:
    """Units of the same label merged into one.

    Raises:
        ValueError: if the units have no such labels.
    """
    if kind not in stack.labels:
        raise ValueError(
            f"These rows carry no {kind} ids. Give the contrast its {kind}s, or take another unit: "
            f"row{''.join(f', {name}' for name in stack.labels)}."
        )
    names, codes = np.unique(np.asarray(stack.labels[kind], dtype=object).astype(str), return_inverse=True)
    member = torch.from_numpy(codes)

    def summed(values: Tensor) -> Tensor:
        total = torch.zeros(len(names), *values.shape[1:], dtype=torch.float64)
        return total.index_add_(0, member, values)

    count = summed(stack.count)
    means, deviations = [], []
    for place in range(stack.mean.shape[1]):
        mean, m2 = stack.at(place)
        centre = mean.mean(0)
        means.append(centre + summed((mean - centre) * stack.count[:, None]) / count[:, None])
        spread = (mean - means[-1][member]).square() * stack.count[:, None]
        deviations.append(summed(m2 + spread))
    return Stack(count, torch.stack(means, 1), torch.stack(deviations, 1), {kind: tuple(names.tolist())})


def reweighted(
    high: Stack,
    low: Stack,
    high_weights: Float[Tensor, "b high"],
    low_weights: Float[Tensor, "b low"],
    place: int,
    *,
    dtype: torch.dtype = torch.float64,
) -> tuple[Float[Tensor, "b d_mlp"], Float[Tensor, "b d_mlp"]]:
    """Mean difference and Cohen's d of one layer under each weighting of the units.

    A weight of k counts a unit k times, as a bootstrap draw does; 0 leaves it out.

    Returns:
        `(b, d_mlp)` each, in activation units and in pooled standard deviations.
    """
    means, deviations, counts = [], [], []
    for stack, weights in ((high, high_weights), (low, low_weights)):
        mean, m2 = stack.at(place)
        weighted = (weights.double() * stack.count).to(dtype)
        count = weighted.sum(1)
        centre = mean.mean(0)
        shifted = (mean - centre).to(dtype)
        first = weighted @ shifted / count[:, None]
        within = shifted.square() if stack.m2 is None else shifted.square() + (m2 / stack.count[:, None]).to(dtype)
        second = weighted @ within
        means.append(first + centre.to(dtype))
        deviations.append((second - count[:, None] * first.square()).clamp_min(0))
        counts.append(count)
    difference = means[0] - means[1]
    pooled = ((deviations[0] + deviations[1]) / (counts[0] + counts[1] - 2)[:, None]).sqrt()
    return difference, _ratio(difference, pooled)


def relabelled(
    high: Stack, low: Stack, to_high: Float[Tensor, "b unit"], place: int, *, dtype: torch.dtype = torch.float32
) -> tuple[Float[Tensor, "b d_mlp"], Float[Tensor, "b d_mlp"]]:
    """Mean difference and Cohen's d of one layer when units are dealt out to the poles anew.

    Args:
        to_high: 1 where a unit goes to the high pole, 0 where to the low one; units of high come first.

    Returns:
        as `reweighted`. One matrix product: what all units sum to does not depend on how they are dealt out.
    """
    mean = torch.cat([high.at(place)[0], low.at(place)[0]])
    count = torch.cat([high.count, low.count])
    centre = (mean * count[:, None]).sum(0) / count.sum()
    shifted = mean - centre
    square = (shifted.square() * count[:, None]).sum(0) + high.at(place)[1].sum(0) + low.at(place)[1].sum(0)
    dealt = to_high.double() * count
    here = dealt.sum(1)
    there = count.sum() - here
    first = (dealt.to(dtype) @ shifted.to(dtype)).double()
    difference = first / here[:, None] + first / there[:, None]  # the low pole's sum is minus the high pole's
    within = square - first.square() / here[:, None] - first.square() / there[:, None]
    pooled = (within.clamp_min(0) / (count.sum() - 2)).sqrt()
    return difference, _ratio(difference, pooled)


def flipped(
    high: Stack, low: Stack, signs: Float[Tensor, "b pair"], place: int, *, dtype: torch.dtype = torch.float32
) -> tuple[Float[Tensor, "b d_mlp"], Float[Tensor, "b d_mlp"]]:
    """Mean difference and Cohen's d of one layer when the poles of whole pairs change places.

    Args:
        signs: 1 where a pair stays as it is, -1 where its poles change places.

    Returns:
        as `reweighted`; unit i of high and of low are a pair, and hold equally many rows.
    """
    (mine, mine_within), (theirs, theirs_within) = high.at(place), low.at(place)
    size = high.count[:, None]
    rows = float(high.count.sum())
    centre = (size * (mine + theirs)).sum(0) / (2 * rows)
    apart = (size * (mine - theirs)).to(dtype)
    difference = (signs.to(dtype) @ apart).double() / rows
    square = (size * ((mine - centre).square() + (theirs - centre).square()) + mine_within + theirs_within).sum(0)
    pooled = ((square - rows * difference.square() / 2).clamp_min(0) / (2 * rows - 2)).sqrt()
    return difference, _ratio(difference, pooled)


def blocks(replicates: int, width: int) -> Iterator[slice]:
    """Slices of the replicates that are small enough to hold at once."""
    size = max(1, BLOCK_VALUES // max(1, width))
    for start in range(0, replicates, size):
        yield slice(start, min(replicates, start + size))


def _ratio(difference: Tensor, spread: Tensor) -> Tensor:
    return torch.where((difference == 0) & (spread == 0), 0.0, difference / spread)
