"""Count, mean and squared deviations of activations, accumulated batch by batch in float64."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and squared deviations of some rows; they can be merged with those of other rows.

    Attributes:
        count: number of rows.
        mean: `(*shape)` mean over the rows; zeros if there are none.
        m2: `(*shape)` sum of squared deviations from the mean.

    Reference:
        Chan, Golub and LeVeque (1979), updating formulae for sample variances.

    Example:
        >>> rows = torch.tensor([[1.0], [2.0], [6.0]])
        >>> both = Moments.of(rows[:1]).merge(Moments.of(rows[1:]))
        >>> both.count, both.mean.item(), both.variance.item()
        (3, 3.0, 7.0)
    """

    count: int
    mean: Float64[Tensor, "*shape"]
    m2: Float64[Tensor, "*shape"]

    @classmethod
    def of(cls, batch: Float[Tensor, "n ..."]) -> "Moments":
        """Moments of a batch of rows.

        Half and single precision are widened to float64 before any arithmetic, which loses nothing.

        Returns:
            moments of shape `(*shape)` on the batch's device. Where all rows are equal, the mean is exactly that value
            and `m2` is 0; a batch of no rows gives `Moments.empty`.
        """
        if not len(batch):
            return cls.empty(batch.shape[1:], device=batch.device)
        if batch.device.type == "mps":  # Apple's GPUs have no float64
            batch = batch.cpu()
        rows = batch.detach().to(torch.float64)
        # Deviations from the first row keep their digits where the mean is much larger than the spread.
        shifted = rows - rows[0]
        centre = shifted.mean(0)
        return cls(len(rows), rows[0] + centre, (shifted - centre).square().sum(0))

    @classmethod
    def empty(cls, shape: tuple[int, ...], *, device: torch.device | str = "cpu") -> "Moments":
        """Moments of no rows; merging them with others changes nothing."""
        zeros = torch.zeros(shape, dtype=torch.float64, device=device)
        return cls(0, zeros, zeros.clone())

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Moments":
        """The moments that `state` returned.

        Raises:
            ValueError: if a key is missing, or `mean` and `m2` differ in shape.
        """
        missing = [key for key in ("count", "mean", "m2") if key not in state]
        if missing:
            raise ValueError(f"Moments need count, mean and m2; missing {missing} from {sorted(state)}. Capture again.")
        mean, m2 = state["mean"], state["m2"]
        if mean.shape != m2.shape:
            raise ValueError(
                f"mean and m2 must have one shape, but they are {tuple(mean.shape)} and {tuple(m2.shape)}. "
                "Capture again."
            )
        return cls(int(state["count"]), mean.to(torch.float64), m2.to(torch.float64))

    def state(self) -> dict[str, Tensor]:
        """The tensors `count` (int64, no axes), `mean` and `m2`, as a safetensors file takes them.

        Example:
            >>> sorted(Moments.empty((2,)).state())
            ['count', 'm2', 'mean']
        """
        return {
            "count": torch.tensor(self.count, dtype=torch.int64),
            "mean": self.mean.contiguous(),
            "m2": self.m2.contiguous(),
        }

    def merge(self, other: "Moments") -> "Moments":
        """Moments of the rows of both; either may be empty.

        `a.merge(b)` and `b.merge(a)` are equal to the last bit, and a constant column stays exactly constant.

        Raises:
            ValueError: if the shapes differ.
        """
        if self.shape != other.shape:
            raise ValueError(
                f"Only moments of one shape merge, but these are {self.shape} and {other.shape}. "
                "Capture both at the same site and layers."
            )
        if not self.count or not other.count:
            return self if self.count else other
        small, large = (self, other) if self.count <= other.count else (other, self)
        count = small.count + large.count
        delta = small.mean - large.mean
        # With equal counts neither is the larger, so the formula for the mean treats both alike.
        tied = small.count == large.count
        mean = (small.mean + large.mean) / 2 if tied else large.mean + delta * (small.count / count)
        m2 = (small.m2 + large.m2) + delta.square() * (small.count * large.count / count)
        return Moments(count, mean, m2)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self.mean.shape)

    @property
    def variance(self) -> Float64[Tensor, "*shape"]:
        """Unbiased variance (ddof 1).

        Raises:
            ValueError: below two rows.
        """
        if self.count < 2:
            raise ValueError(
                f"An unbiased variance needs at least 2 rows, but these moments hold {self.count}. Add rows."
            )
        return self.m2 / (self.count - 1)

    @property
    def std(self) -> Float64[Tensor, "*shape"]:
        """Square root of the unbiased variance.

        Raises:
            ValueError: below two rows.
        """
        return self.variance.sqrt()

    def equal(self, other: "Moments") -> bool:
        """Whether both are equal to the last bit; a nan equals the same nan, 0.0 is not -0.0."""
        first, second = (
            [tensor.contiguous().view(torch.int64) for tensor in (moments.mean, moments.m2)]
            for moments in (self, other)
        )
        return self.count == other.count and all(map(torch.equal, first, second))

    def __repr__(self) -> str:
        return f"Moments(count={self.count}, shape={self.shape})"
