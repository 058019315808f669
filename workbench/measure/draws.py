"""One thing compared with many random draws of what it should exceed: its rank, and the difference from their mean."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import cluster_codes


@dataclass(frozen=True)
class AgainstDraws:
    """What exceeds random draws, and by how much.

    Attributes:
        difference: mean of the subject's rows minus the mean over all draws' rows.
        low, high: its 95 % interval, from resampling clusters of rows and draws, each by itself; nan with one cluster.
        means: each draw's mean over the rows.
        p_above: the chance of a rank so high if the subject were one more draw: (1 + draws at least as great) /
            (1 + draws).
        p_below: the same of a rank so low.
    """

    difference: float
    low: float
    high: float
    means: Float64[np.ndarray, " draw"]
    p_above: float
    p_below: float


def against_draws(
    subject: Float64[np.ndarray, " row"],
    drawn: Float64[np.ndarray, "draw row"],
    *,
    clusters: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
) -> AgainstDraws:
    """Rank a subject among random draws that were asked the same, row by row.

    Args:
        subject: an outcome for each row.
        drawn: the same rows' outcomes under each draw.
        clusters: a label for each row; rows with one label are resampled together.

    Raises:
        ValueError: if there is no draw, or the labels do not fit the rows.

    Reference:
        Phipson and Smyth (2010) for the counting; Owen (2007), The pigeonhole bootstrap, for resampling both factors.

    Example:
        >>> found = against_draws(np.array([2.0, 2.0]), np.zeros((19, 2)), clusters=["a", "b"], resamples=50)
        >>> found.difference, found.p_above
        (2.0, 0.05)
    """
    if not len(drawn):
        raise ValueError("A subject is ranked among at least 1 draw, but none arrived.")
    codes = cluster_codes("against_draws", clusters, len(subject))
    count = int(codes.max()) + 1
    sizes = np.bincount(codes).astype(float)
    own = np.bincount(codes, weights=subject)
    theirs = np.stack([np.bincount(codes, weights=row) for row in drawn])
    means = drawn.mean(axis=1)
    mean = float(subject.mean())
    tolerance = 1e-12 * max(1.0, float(np.abs(means).max()))
    low = high = float("nan")
    if count > 1:
        generator = np.random.default_rng(seed)
        of_clusters = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
        of_draws = generator.multinomial(len(drawn), np.full(len(drawn), 1 / len(drawn)), size=resamples)
        rows = of_clusters @ sizes
        average = ((of_clusters @ theirs.T) * of_draws).sum(axis=1) / len(drawn)
        low, high = np.quantile((of_clusters @ own - average) / rows, [0.025, 0.975]).tolist()
    return AgainstDraws(
        mean - float(means.mean()),
        low,
        high,
        means,
        float((1 + (means >= mean - tolerance).sum()) / (1 + len(drawn))),
        float((1 + (means <= mean + tolerance).sum()) / (1 + len(drawn))),
    )
