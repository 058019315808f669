"""Every neuron's correlation with the poles' labels, under many labellings, at the cost of one matrix product.

A neuron's t and Cohen's d under a labelling are functions of its correlation r with the labels: t = r √((N - 2) /
(1 - r²)) and d = t √(N / (n_high n_low)). The correlations of all labellings are one product. It is computed in single
precision, a few hundred neurons at a time, so that what is counted of it never leaves the processor's cache; whatever
single precision could decide otherwise than double is computed again in double.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from workbench.measure.units import Stack, blocks

_NEURONS = 256  # at once: with a thousand labellings, a megabyte
_LABELLINGS = 4096  # at once
_ROUNDING = 4 * 2.0**-24  # of a product in single precision, over the root of its length and its factors' sizes
_CONSTANT = 1e-12  # 1 - r² of a neuron that is constant on both poles, but for rounding


@dataclass(frozen=True, eq=False)
class Layer:
    """How one layer's correlations under all labellings compare with those under the first, the true one.

    Attributes:
        columns: `(unit, d_mlp)` whose products with labels are correlations; the next layer uses their memory again.
        spread: `(d_mlp,)` root of each neuron's sum of squares about its mean over both poles.
        correlation: `(d_mlp,)` under the true labels.
        at_least: `(d_mlp,)` how many labellings give a correlation at least as large in size, the true one among them.
        largest: `(labelling,)` the largest |correlation| of any neuron.
    """

    columns: Float64[Tensor, "unit d_mlp"]
    spread: Float64[Tensor, " d_mlp"]
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
        in_high = drawn @ self.counts
        return (drawn - in_high[:, None] / self.rows) * self._per_t(part)[:, None]

    def _per_t(self, part: slice) -> Float64[Tensor, " b"]:
        """Cohen's d for each unit of t: the root of N / (n_high n_low)."""
        in_high = torch.full((1,), self.rows / 2, dtype=torch.float64).expand(len(self.labellings[part]))
        if not self.paired:
            in_high = self.labellings[part].double() @ self.counts
        return (self.rows / (in_high * (self.rows - in_high))).sqrt()

    def layers(self) -> Iterator[Layer]:
        """Each layer in turn, compared under all labellings."""
        units = len(self.high) if self.paired else len(self.counts)
        columns = torch.empty(units, self.high.mean.shape[-1], dtype=torch.float64)
        drawn = list(_slices(1, len(self), _LABELLINGS))
        labels = _LastOnly(self.labels, self._slack)
        work = _Work.of(len(self.counts), units, min(len(self), _LABELLINGS))
        for index in range(self.high.mean.shape[1]):
            yield self._compared(index, columns, drawn, labels, work)

    def _compared(self, index: int, columns: Tensor, drawn: list[slice], labels: "_LastOnly", work: "_Work") -> Layer:
        width, true = columns.shape[1], self.labels(slice(0, 1))
        spread, correlation = torch.empty(2, width, dtype=torch.float64)
        surely, perhaps = torch.zeros(2, len(drawn), width, dtype=torch.int64)
        parts = list(_slices(0, width, _NEURONS))
        by_block = torch.empty(len(parts), len(self))
        for number, part in enumerate(parts):
            block, spread[part] = self._block(index, part, work)
            columns[:, part] = block
            correlation[part] = (true @ block)[0]
            floor = just_below(correlation[part].abs())
            floor[floor <= 0] = -1.0  # every labelling reaches 0, whatever it is rounded to
            single = work.single[:, : block.shape[1]].copy_(block)
            for chunk, some in enumerate(drawn):
                exact, rounded, slack = labels(some)
                above, below = ((floor + by).float() for by in (slack, -slack))
                found, reached = (each[: len(rounded), : block.shape[1]] for each in (work.found, work.reached))
                torch.mm(rounded, single, out=found)
                if not float((found[0] - exact[0] @ block).abs().max()) <= slack:  # if torch multiplies less precisely
                    found.copy_(exact @ block)
                by_block[number, some] = found.abs_().amax(1)
                surely[chunk, part] = torch.ge(found, above, out=reached).sum(0).long()
                perhaps[chunk, part] = torch.ge(found, below, out=reached).sum(0).long()
        largest = torch.empty(len(self), dtype=torch.float64)
        largest[0] = correlation.abs().max()
        for chunk, some in enumerate(drawn):
            exact, _, slack = labels(some)
            near = (surely[chunk] != perhaps[chunk]).nonzero().flatten()
            for each in near.split(_NEURONS):
                again = (exact @ columns[:, each]).abs_() >= just_below(correlation[each].abs())
                surely[chunk, each] = again.sum(0)
            largest[some] = _largest(exact, columns, by_block[:, some], slack)
        return Layer(columns, spread, correlation, 1 + surely.sum(0), largest)

    def _block(self, index: int, part: slice, work: "_Work") -> tuple[Float64[Tensor, "unit n"], Float64[Tensor, " n"]]:
        """Some neurons' columns and spread, at one index of the layer axis."""
        n, width = len(self.high), part.stop - part.start
        both = work.both[:, :width]
        both[:n] = self.high.mean[:, index, part]
        both[n:] = self.low.mean[:, index, part]
        both -= self.counts @ both / self.rows
        square = self.counts @ torch.mul(both, both, out=work.square[:, :width])
        for stack in (self.high, self.low):
            if stack.m2 is not None:
                square += stack.m2[:, index, part].double().sum(0)
        spread = square.sqrt()
        inverse = torch.where(square > 0, 1 / spread, 0.0)
        columns = both[:n].sub_(both[n:]) if self.paired else both
        return columns.mul_(self.counts[: len(columns), None]).mul_(inverse), spread

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

    @cached_property
    def counts(self) -> Float64[Tensor, " unit"]:
        """Rows of each unit, those of the high pole first."""
        return torch.cat([self.high.count, self.low.count])

    def _slack(self, labels: Tensor) -> float:
        """How far a correlation in single precision can be from the one in double.

        A column's squares sum to at most twice its largest unit's rows, and rounding errors add up as the root of their
        number does.
        """
        most = float(self.counts.max())
        return _ROUNDING * float(labels.abs().max()) * math.sqrt(2 * most * labels.shape[1])


def just_below(size: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """A bound that correlations equal to these but for the rounding of float64 are above."""
    return size * (1 - 1e-9) - 1e-11


class _LastOnly:
    """Labels in both precisions, and how far apart their products can be; the last ones asked for are kept."""

    def __init__(self, labels: Callable[[slice], Tensor], slack: Callable[[Tensor], float]) -> None:
        self._labels, self._slack = labels, slack
        self._asked: slice | None = None

    def __call__(self, part: slice) -> tuple[Tensor, Tensor, float]:
        if part != self._asked:
            exact = self._labels(part)
            self._asked, self._kept = part, (exact, exact.float(), self._slack(exact))
        return self._kept


@dataclass(frozen=True, eq=False)
class _Work:
    """Memory that is used again for every block of neurons: to ask for it anew would cost as much as to fill it.

    Attributes:
        both, square: `(unit, n)` of both poles, in double precision.
        single: `(unit, n)` columns in single precision.
        found, reached: `(labelling, n)` correlations, and which of them reach a floor.
    """

    both: Tensor
    square: Tensor
    single: Tensor
    found: Tensor
    reached: Tensor

    @classmethod
    def of(cls, rows: int, units: int, labellings: int) -> "_Work":
        """For `rows` units of both poles, of which columns have `units`."""
        both, square = torch.empty(2, rows, _NEURONS, dtype=torch.float64)
        return cls(both, square, torch.empty(units, _NEURONS), *torch.empty(2, labellings, _NEURONS))


def _largest(labels: Tensor, columns: Tensor, by_block: Tensor, slack: float) -> Tensor:
    """The largest |correlation| of each labelling, in double precision: of the blocks that may hold it."""
    least = by_block.amax(0) - 2 * slack
    largest = torch.zeros(len(labels), dtype=torch.float64)
    for number, part in enumerate(_slices(0, columns.shape[1], _NEURONS)):
        rows = (by_block[number] >= least).nonzero().flatten()
        if len(rows):
            largest[rows] = torch.maximum(largest[rows], (labels[rows] @ columns[:, part]).abs_().amax(1))
    return largest


def _slices(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(stop, first + size))
