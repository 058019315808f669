"""What the projection is in neutral texts: its zero, and the quantile of any value."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Reference:
    """Readings of an unedited model in neutral texts.

    Attributes:
        model: the model's fingerprint.
        probe: the digest of what was read.
        texts: number of texts.
        centre: `(column,)` mean of each column over their tokens; that of the direction is the projection's zero.
        neutral: `(token,)` projections of the tokens, ascending, with their mean taken away.
    """

    model: str
    probe: str
    texts: int
    centre: Float64[np.ndarray, " column"]
    neutral: Float64[np.ndarray, " token"]

    def quantile(self, projection: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """The share of neutral tokens below each projection, ties counted half: 0 to 1."""
        below = np.searchsorted(self.neutral, projection, side="left")
        until = np.searchsorted(self.neutral, projection, side="right")
        return (below + until) / (2 * len(self.neutral))

    def __repr__(self) -> str:
        low, high = np.quantile(self.neutral, [0.05, 0.95])
        return (
            f"Reference({self.texts} neutral texts of {len(self.neutral)} tokens, 90% of them from {low:+.2f} to "
            f"{high:+.2f})"
        )
