"""Effects of a sample whose rows, or whole clusters of rows, are weighted.

A unit is a row or a cluster of rows. Bootstraps count each unit as often as its weight says; permutations assign whole
units to the other pole (see `Labelled`).
"""

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
BLOCK_VALUES = 8_000_000  # replicates times neurons in memory at once
_NEURONS = 256  # grouped at once


@dataclass(frozen=True, eq=False)
class Stack:
    """The units of one pole: how many rows each has, and their moments.

    Attributes:
        count: `(u,)` number of rows in each unit.
        mean: `(u, layer, d_mlp)` mean over the unit's rows; may be mapped from a file.
        m2: `(u, layer, d_mlp)` squared deviations from that mean; None if every unit is a single row.
        labels: by kind (`description`, `question`), the label of each unit; only kinds whose labels are known.
    """

    count: Float64[Tensor, " u"]
    mean: Float[Tensor, "u layer d_mlp"]
    m2: Float[Tensor, "u layer d_mlp"] | None = None
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.count)

    def at(self, layer: int) -> tuple[Float64[Tensor, "u d_mlp"], Float64[Tensor, "u d_mlp"]]:
        """The units' means, and squared deviations within units, at one index of the layer axis."""
        mean = self.mean[:, layer].double()
        return mean, torch.zeros_like(mean) if self.m2 is None else self.m2[:, layer].double()


@runtime_checkable
class HasRows(Protocol):
    """Rows by pole, with the cluster labels of the prompt that each row came from."""

    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def activations(self) -> Mapping[Pole, Tensor]: ...
    def labels(self, kind: str, pole: Pole) -> tuple[str, ...]: ...


@runtime_checkable
class HasClusters(Protocol):
    """Moments of each cluster, by kind, pole and label."""

    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def clusters(self) -> Mapping[str, Mapping[Pole, Mapping[str, Moments]]]: ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of any measurement by pole, with their clusters; they can be used wherever kept activations can.

    Attributes:
        activations: by pole, `(n, layer, d)`.
        ids: by kind of cluster and pole, each row's cluster.
        layers: the layer of each index on the layer axis.
        trait: what the poles differ in.
        site: what was measured.
        provenance: where the rows come from.
        moments: by pole, the moments of its rows.
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
        """Each row's cluster of a kind; empty if the rows have no such clusters."""
        return self.ids.get(kind, {}).get(Pole(pole), ())


def row_stack(source: HasRows, pole: Pole | str) -> Stack:
    """A pole's kept rows as units of one row each.

    Raises:
        ValueError: if the pole was not captured.
    """
    pole = Pole(pole)
    if pole not in source.activations:
        raise ValueError(f"The {pole} pole was not captured; these were: {', '.join(source.activations)}.")
    rows = source.activations[pole]
    labels = {kind: source.labels(kind, pole) for kind in KINDS[1:]}
    known = {kind: ids for kind, ids in labels.items() if ids}
    return Stack(torch.ones(len(rows), dtype=torch.float64), rows, None, known)


def cluster_stack(source: HasClusters, kind: str, pole: Pole | str) -> Stack:
    """A pole's clusters of a kind as units.

    Raises:
        ValueError: if the capture did not keep them apart.
    """
    pole = Pole(pole)
    if kind not in source.clusters or pole not in source.clusters[kind]:
        raise ValueError(
            f"Clusters by {kind} of the {pole} pole were not kept apart; kept are: "
            f"{', '.join(source.clusters) or 'none'}. Capture with clusters=['{kind}'], or keep=True."
        )
    clusters = source.clusters[kind][pole]
    return Stack(
        torch.tensor([float(moments.count) for moments in clusters.values()], dtype=torch.float64),
        torch.stack([moments.mean for moments in clusters.values()]),
        torch.stack([moments.m2 for moments in clusters.values()]),
        {kind: tuple(clusters)},
    )


def stacks(source: object, *, kind: str, poles: tuple[str, str] = ("high", "low")) -> tuple[Stack, Stack]:
    """Both poles' units of a kind: clusters that the source kept apart, or else its rows, grouped by their labels.

    Raises:
        ValueError: if the source has neither, or its rows have no such labels.
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
    """The stack with all units of one label merged into one unit.

    Raises:
        ValueError: if the units have no such labels.
    """
    if kind not in stack.labels:
        raise ValueError(
            f"These rows have no {kind} ids. Give the contrast its {kind}s, or choose another unit: "
            f"row{''.join(f', {name}' for name in stack.labels)}."
        )
    names, codes = np.unique(np.asarray(stack.labels[kind], dtype=object).astype(str), return_inverse=True)
    member = torch.from_numpy(codes)

    def summed(values: Tensor) -> Tensor:
        total = torch.zeros(len(names), *values.shape[1:], dtype=torch.float64)
        return total.index_add_(0, member, values)

    count, size = summed(stack.count), stack.count[:, None]
    layers, width = stack.mean.shape[1:]
    means, deviations = torch.empty(2, len(names), layers, width, dtype=torch.float64)
    for layer in range(layers):
        for start in range(0, width, _NEURONS):  # few enough to stay in the processor's cache
            some = slice(start, start + _NEURONS)
            mean = stack.mean[:, layer, some].to(torch.float64, copy=True)
            centre = mean.mean(0)
            mean -= centre
            shift = summed(mean * size).div_(count[:, None])
            means[:, layer, some] = centre + shift
            mean -= shift[member]
            spread = mean.square_().mul_(size)
            if stack.m2 is not None:
                spread += stack.m2[:, layer, some]
            deviations[:, layer, some] = summed(spread)
    return Stack(count, means, deviations, {kind: tuple(names.tolist())})


def part_of(stack: Stack, units: Sequence[int]) -> Stack:
    """These units alone."""
    chosen = list(units)
    return Stack(
        stack.count[chosen],
        stack.mean[chosen],
        None if stack.m2 is None else stack.m2[chosen],
        {kind: tuple(labels[i] for i in chosen) for kind, labels in stack.labels.items()},
    )


def moments_of(stack: Stack) -> Moments:
    """The moments of all rows of the units together."""
    means, deviations = [], []
    for layer in range(stack.mean.shape[1]):
        mean, m2 = stack.at(layer)
        centre = stack.count @ mean / stack.count.sum()
        means.append(centre)
        deviations.append((m2 + stack.count[:, None] * (mean - centre).square()).sum(0))
    return Moments(int(stack.count.sum()), torch.stack(means), torch.stack(deviations))


def reweighted(
    high: Stack,
    low: Stack,
    high_weights: Float[Tensor, "b high"],
    low_weights: Float[Tensor, "b low"],
    layer: int,
    *,
    dtype: torch.dtype = torch.float64,
) -> tuple[Float[Tensor, "b d_mlp"], Float[Tensor, "b d_mlp"]]:
    """Mean difference and Cohen's d of one layer in reweighted samples, one for each row of weights.

    Each unit is counted as often as its weight says, as in a bootstrap; a weight of 0 leaves it out.

    Returns:
        `(b, d_mlp)` each, in activation units and in pooled standard deviations.
    """
    weighted = weighted_counts(high, high_weights, dtype), weighted_counts(low, low_weights, dtype)
    return weighted_effects(high, low, *weighted, layer, slice(None))


def weighted_counts(stack: Stack, weights: Float[Tensor, "b u"], dtype: torch.dtype) -> Float[Tensor, "b u"]:
    """How many rows each unit stands for in each reweighted sample."""
    return (weights.double() * stack.count).to(dtype)


def weighted_effects(
    high: Stack,
    low: Stack,
    in_high: Float[Tensor, "b high"],
    in_low: Float[Tensor, "b low"],
    layer: int,
    neurons: slice,
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """`reweighted` of some neurons, from the rows that `weighted_counts` gives, in their precision."""
    dtype = in_high.dtype
    difference = pooled = torch.zeros((), dtype=dtype)
    for stack, weighted, sign in ((high, in_high, 1), (low, in_low, -1)):
        mean = stack.mean[:, layer, neurons].to(torch.float64, copy=True)
        centre = mean.mean(0)
        shifted = mean.sub_(centre).to(dtype)
        count = weighted.sum(1, keepdim=True)
        first = (weighted @ shifted).div_(count)
        within = shifted.square_()
        if stack.m2 is not None:
            within += (stack.m2[:, layer, neurons].double() / stack.count[:, None]).to(dtype)
        second = (weighted @ within).sub_(first.square().mul_(count)).clamp_min_(0)
        difference = first.add_(centre.to(dtype)).mul_(sign).add_(difference)
        pooled = second.add_(pooled)
    total = in_high.sum(1, keepdim=True) + in_low.sum(1, keepdim=True)
    pooled = pooled.div_(total - 2).sqrt_()
    return difference, _ratio(difference, pooled)


def blocks(replicates: int, width: int) -> Iterator[slice]:
    """Slices of the replicates, each small enough to fit in memory."""
    size = max(1, BLOCK_VALUES // max(1, width))
    for start in range(0, replicates, size):
        yield slice(start, min(replicates, start + size))


def _ratio(difference: Tensor, spread: Tensor) -> Tensor:
    return torch.where((difference == 0) & (spread == 0), 0.0, difference / spread)
