"""Every neuron's correlation with the poles' labels, under many labellings, at the cost of one matrix product.

A neuron's t and Cohen's d under a labelling are functions of its correlation r with the labels: t = r √((N - 2) /
(1 - r²)) and d = t √(N / (n_high n_low)). The correlations of all labellings are one product. It is computed in single
precision, a few hundred neurons at a time, so that what is counted of it never leaves the processor's cache; whatever
single precision could decide otherwise than double is computed again in double.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from workbench.measure.units import BLOCK_VALUES, Stack, blocks

_NEURONS = 256  # at once: with a thousand labellings, a megabyte
_LABELLINGS = 4096  # at once
_ROUNDING = 8 * 2.0**-24  # of a product in single precision, over the root of its length and its factors' sizes
_CONSTANT = 1e-12  # 1 - r² of a neuron that is constant on both poles, but for rounding


@dataclass(frozen=True, eq=False)
class Layer:
    """The units of one layer, ready to be multiplied with labels.

    Attributes:
        columns: `(unit, d_mlp)` whose products with labels are correlations.
        spread: `(d_mlp,)` root of each neuron's sum of squares about its mean over both poles.
    """

    columns: Float64[Tensor, "unit d_mlp"]
    spread: Float64[Tensor, " d_mlp"]


@dataclass(frozen=True, eq=False)
class Compared:
    """How one layer's correlations under all labellings compare with those under the first, the true one.

    Attributes:
        correlation: `(d_mlp,)` under the true labels.
        at_least: `(d_mlp,)` how many labellings give a correlation at least as large in size, the true one among them.
        largest: `(labelling,)` the largest |correlation| of any neuron.
    """

    correlation: Float64[Tensor, " d_mlp"]
    at_least: Int64[Tensor, " d_mlp"]
    largest: Float64[Tensor, " labelling"]


@dataclass(frozen=True, eq=False)
class Labelled:
    """The units of both poles, and the ways to label them.

    Attributes:
        high, low: the poles' units; of pairs, unit i of both is a pair and has equally many rows.
        labellings: `(labelling, unit)`, the true one first: 1 and -1 for pairs that stay and that are swapped; or 1 and
            0 for units that go to the high pole and to the low one, units of high first.
        paired: which of the two.
    """

    high: Stack
    low: Stack
    labellings: Tensor
    paired: bool

    def __len__(self) -> int:
        return len(self.labellings)

    @property
    def rows(self) -> float:
        """Rows of both poles together."""
        return float(self.high.count.sum() + self.low.count.sum())

    def labels(self, part: slice) -> Float64[Tensor, "b unit"]:
        """Labels whose product with a layer's columns is the correlation."""
        drawn = self.labellings[part].double()
        if self.paired:
            return drawn / math.sqrt(self.rows)
        in_high = drawn @ torch.cat([self.high.count, self.low.count])
        return (drawn - in_high[:, None] / self.rows) * self._per_t(part)[:, None]

    def _per_t(self, part: slice) -> Float64[Tensor, " b"]:
        """Cohen's d for each unit of t: the root of N / (n_high n_low)."""
        in_high = torch.full((1,), self.rows / 2, dtype=torch.float64).expand(len(self.labellings[part]))
        if not self.paired:
            in_high = self.labellings[part].double() @ torch.cat([self.high.count, self.low.count])
        return (self.rows / (in_high * (self.rows - in_high))).sqrt()

    def layer(self, index: int) -> Layer:
        """The units at one index of the layer axis."""
        width = self.high.mean.shape[-1]
        units = len(self.high) if self.paired else len(self.high) + len(self.low)
        columns = torch.empty(units, width, dtype=torch.float64)
        spread = torch.empty(width, dtype=torch.float64)
        for part in _slices(width, _NEURONS):
            high, low = (stack.mean[:, index, part].double() for stack in (self.high, self.low))
            sizes = self.high.count[:, None], self.low.count[:, None]
            # Repeated rows are equal, so that what they differ from is taken off before anything is summed.
            start = high[0].clone()
            high -= start
            low -= start
            centre = (self.high.count @ high + self.low.count @ low) / self.rows
            high -= centre
            low -= centre
            square = self.high.count @ high.square() + self.low.count @ low.square()
            for stack in (self.high, self.low):
                if stack.m2 is not None:
                    square += stack.m2[:, index, part].double().sum(0)
            spread[part] = square.sqrt()
            inverse = torch.where(square > 0, 1 / spread[part], 0.0)
            if self.paired:
                torch.mul((high - low).mul_(sizes[0]), inverse, out=columns[:, part])
            else:
                torch.mul(torch.cat([high * sizes[0], low * sizes[1]]), inverse, out=columns[:, part])
        return Layer(columns, spread)

    def statistic(self, correlation: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """t of a correlation; ±inf where a neuron is constant on both poles and they differ."""
        left = 1 - correlation.square()
        left = torch.where(left < _CONSTANT, 0.0, left)
        return torch.where(correlation == 0, 0.0, math.sqrt(self.rows - 2) * correlation / left.sqrt())

    def effects(self, layer: Layer, chosen: Int64[Tensor, " b"]) -> tuple[Tensor, Tensor]:
        """Mean difference and Cohen's d under some of the labellings, by their numbers.

        Returns:
            `(b, d_mlp)` each, in activation units and in pooled standard deviations.
        """
        some = Labelled(self.high, self.low, self.labellings[chosen], self.paired)
        per_t = some._per_t(slice(None))[:, None]
        correlation = some.labels(slice(None)) @ layer.columns
        return correlation * layer.spread * per_t, self.statistic(correlation) * per_t

    def reaching(self, d: float, largest: Float64[Tensor, " labelling"]) -> Iterator[Int64[Tensor, " b"]]:
        """Numbers of the labellings whose largest |d| reaches `d`, as many at once as fit in memory."""
        t = d / self._per_t(slice(None))
        needed = t / (t.square() + self.rows - 2).sqrt()
        numbers = (largest >= just_below(needed)).nonzero().flatten()
        for part in blocks(len(numbers), self.high.mean.shape[-1]):
            yield numbers[part]

    def compare(self, layer: Layer) -> Compared:
        """The correlations of one layer under all labellings, beside those under the first."""
        width = layer.columns.shape[1]
        observed = (self.labels(slice(0, 1)) @ layer.columns)[0]
        floor = just_below(observed.abs())
        surely, perhaps = torch.zeros(2, width)
        exactly = torch.zeros(width, dtype=torch.int64)
        largest = torch.empty(len(self), dtype=torch.float64)
        for part in _slices(len(self), _LABELLINGS):
            labels = self.labels(part)
            slack = self._slack(labels)
            first = observed if part.start == 0 else (labels[:1] @ layer.columns)[0]
            surely, perhaps, by_block = _counted(labels, layer.columns, first, floor, slack)
            near = (surely != perhaps).nonzero().flatten()
            exactly += surely.long()
            for some in _slices(len(near), _NEURONS):
                at = near[some]
                again = (labels @ layer.columns[:, at]).abs_() >= floor[at]
                exactly[at] += again.sum(0) - surely[at].long()
            largest[part] = _largest(labels, layer.columns, by_block, slack)
        return Compared(observed, exactly, largest)

    def _slack(self, labels: Tensor) -> float:
        """How far a correlation in single precision can be from the one in double.

        A column's squares sum to at most twice its largest unit's rows, and rounding errors add up as the root of their
        number does.
        """
        most = float(torch.cat([self.high.count, self.low.count]).max())
        return _ROUNDING * float(labels.abs().max()) * math.sqrt(2 * most * labels.shape[1])


def just_below(size: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """A bound that correlations equal to these but for the rounding of float64 are above."""
    return size * (1 - 1e-9) - 1e-11


def _counted(
    labels: Tensor, columns: Tensor, first: Tensor, floor: Tensor, slack: float
) -> tuple[Tensor, Tensor, Tensor]:
    """In single precision: by neuron, how many |correlations| surely reach the floor, and how many perhaps do.

    Returns:
        both counts, `(d_mlp,)`; and the largest by labelling and block of neurons, `(b, block)`.
    """
    count, width = len(labels), columns.shape[1]
    single = labels.float()
    surely, perhaps = torch.empty(2, width)
    parts = list(_slices(width, _NEURONS))
    by_block = torch.empty(len(parts), count)
    for number, part in enumerate(parts):
        found = single @ columns[:, part].float()
        if not float((found[0] - first[part]).abs().max()) <= slack:  # whatever the machine multiplies with
            found = (labels @ columns[:, part]).float()
        reached = torch.empty_like(found)
        found.abs_()
        by_block[number] = found.amax(1)
        surely[part] = torch.ge(found, (floor[part] + slack).float(), out=reached).sum(0)
        perhaps[part] = torch.ge(found, (floor[part] - slack).float(), out=reached).sum(0)
    return surely, perhaps, by_block.T


def _largest(labels: Tensor, columns: Tensor, by_block: Tensor, slack: float) -> Tensor:
    """The largest |correlation| of each labelling, in double precision: of the blocks that may hold it."""
    least = by_block.amax(1) - 2 * slack
    largest = torch.zeros(len(labels), dtype=torch.float64)
    for number, part in enumerate(_slices(columns.shape[1], _NEURONS)):
        rows = (by_block[:, number] >= least).nonzero().flatten()
        if len(rows):
            largest[rows] = torch.maximum(largest[rows], (labels[rows] @ columns[:, part]).abs_().amax(1))
    return largest


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(length, start + size))
