"""A uniform sample of rows, from which quantiles of all rows are estimated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


@dataclass(frozen=True, eq=False)
class RowSample:
    """A uniform sample of at most `size` rows, drawn by a hash of each row's number.

    Which rows are kept depends on their numbers alone. So samples merge exactly, in any order, and a run that was
    stopped and continued gives the same sample. With at most `size` rows the sample holds all of them and its
    quantiles are exact; with more, a quantile's rank has a standard error of `sqrt(q * (1 - q) / size)`.

    Attributes:
        size: the most rows that it keeps.
        seen: how many rows it was drawn from.
        priority: `(kept,)` ascending; the rows with the lowest priorities are kept.
        rows: `(kept, layer, width)`.

    Reference:
        Cohen and Kaplan (2007), Summarizing data using bottom-k sketches.
    """

    size: int
    seen: int
    priority: Int64[Tensor, " kept"]
    rows: Float32[Tensor, "kept layer width"]

    @classmethod
    def of(cls, rows: Float[Tensor, "n layer width"], numbers: Sequence[int], *, size: int, seed: int) -> "RowSample":
        """A sample of `rows`; each has a number in `numbers` that no other row of the run has."""
        priority = torch.from_numpy(_hashed(np.asarray(numbers, dtype=np.uint64), seed))
        return cls._lowest(size, len(rows), priority, rows.float().cpu())

    @classmethod
    def _lowest(cls, size: int, seen: int, priority: Tensor, rows: Tensor) -> "RowSample":
        order = priority.argsort()[:size]
        return cls(size, seen, priority[order], rows[order])

    def merge(self, other: "RowSample") -> "RowSample":
        """The sample of the rows of both.

        Raises:
            ValueError: if the sizes differ.
        """
        if self.size != other.size:
            raise ValueError(f"Samples merge only at one size, but {self.size} met {other.size}.")
        seen = self.seen + other.seen
        full = len(self.priority) == self.size
        if full and (not len(other.priority) or bool(other.priority[0] > self.priority[-1])):
            return RowSample(self.size, seen, self.priority, self.rows)
        priority, rows = torch.cat([self.priority, other.priority]), torch.cat([self.rows, other.rows])
        return self._lowest(self.size, seen, priority, rows)

    def quantile(self, q: float) -> Float[Tensor, "layer width"]:
        """The q-quantile of each value, interpolated between neighbours.

        Raises:
            ValueError: for a q outside [0, 1], or an empty sample.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"A quantile is a share from 0 to 1, but {q} arrived.")
        if not len(self.rows):
            raise ValueError("A quantile needs at least 1 row, but the sample is empty.")
        return torch.stack([layer.quantile(q, dim=0) for layer in self.rows.unbind(1)])

    def __repr__(self) -> str:
        return f"RowSample({len(self.rows)} of {self.seen} rows)"


def _hashed(numbers: np.ndarray, seed: int) -> np.ndarray:
    """splitmix64 of each number, as int64."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(seed % 2**64) + np.uint64(_MIX[0])
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX[1])
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX[2])
    return (mixed ^ (mixed >> np.uint64(31))).view(np.int64)
