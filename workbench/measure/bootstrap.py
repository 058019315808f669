"""Percentile bootstrap of a mean, over rows or over whole clusters of rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64
from numpy.typing import ArrayLike

BLOCK = 4_000_000  # cluster draws in memory at once


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, and the data and method behind it.

    Attributes:
        estimate: the quantity, in its own unit.
        low: lower bound; nan if the data do not show how much the estimate varies, as with a single cluster.
        high: upper bound, likewise.
        n: number of rows.
        clusters: number of independent groups of rows; equal to `n` if no clusters were given.
        method: how the bounds were found.
        level: nominal coverage.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int
    method: str
    level: float = 0.95


def percentile_interval(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None,
    level: float,
    tail: float,
    resamples: int,
    seed: int,
    caller: str,
) -> Interval:
    """Mean of the rows, with a percentile bootstrap interval that leaves `tail` outside on each side.

    Args:
        level: the coverage to report. The bounds follow from `tail`, which differs between one and two sides.
        caller: the function that errors name.

    Returns:
        estimate and bounds in the values' unit. Bounds are nan with a single cluster. If all rows are equal, the
        bounds equal them too, however few the rows.

    Raises:
        ValueError: if there are no rows, a value is not finite, or the labels do not fit the rows.

    Reference:
        Davison and Hinkley (1997), sections 3.8 and 5.3.

    Example:
        >>> settings = dict(clusters=None, level=0.9, tail=0.05, resamples=50, seed=0, caller="example")
        >>> percentile_interval([2.0, 2.0], **settings).high
        2.0
    """
    require_level(level)
    if resamples < 1:
        raise ValueError(f"{caller} needs at least 1 resample, but resamples is {resamples}. Use e.g. 2000.")
    rows = finite_rows(caller, values)
    codes = np.arange(len(rows)) if clusters is None else cluster_codes(caller, clusters, len(rows))
    # Differences from the first row are exactly 0 for equal rows, so that their bounds equal them exactly.
    shifted = rows - rows[0]
    sums, sizes = np.bincount(codes, weights=shifted), np.bincount(codes)
    low = high = float("nan")
    if len(sums) > 1:
        means = np.concatenate(list(_resampled_means(sums, sizes, resamples=resamples, seed=seed)))
        low, high = (rows[0] + np.quantile(means, [tail, 1 - tail])).tolist()
    unit = "rows" if clusters is None else "clusters"
    method = f"percentile bootstrap over {unit}, {resamples} resamples"
    estimate = float(rows[0] + shifted.mean())
    return Interval(estimate, low, high, len(rows), len(sums), method, level)


def _resampled_means(sums: np.ndarray, sizes: np.ndarray, *, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """The mean over rows of each resample of whole clusters; one block of resamples after the other."""
    generator = np.random.default_rng(seed)
    clusters = len(sums)
    block = max(1, BLOCK // clusters)
    for start in range(0, resamples, block):
        drawn = generator.integers(clusters, size=(min(block, resamples - start), clusters))
        yield sums[drawn].sum(1) / sizes[drawn].sum(1)


def finite_rows(caller: str, values: ArrayLike) -> Float64[np.ndarray, " n"]:
    """The values as one axis of float64.

    Raises:
        ValueError: if there is not exactly one axis, it is empty, or a value is not finite.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 1 or not len(rows):
        raise ValueError(
            f"{caller} needs one value a row, but got an array of shape {rows.shape}. Pass a single axis of rows."
        )
    broken = np.flatnonzero(~np.isfinite(rows))
    if len(broken):
        raise ValueError(
            f"{caller} needs finite values, but {len(broken)} of {len(rows)} are not: row {broken[0]} is "
            f"{rows[broken[0]]}. Drop those rows and report how many, or give them a value."
        )
    return rows


def cluster_codes(caller: str, clusters: ArrayLike, n: int) -> np.ndarray:
    """Each row's cluster as a number from 0.

    Raises:
        ValueError: if the labels do not fit the rows, or one is missing.
    """
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(
            f"{caller} needs a cluster label a row, but {n} rows came with labels of shape {labels.shape}. "
            "Pass one label a row."
        )
    codes, _ = pd.factorize(labels)
    if (codes < 0).any():
        raise ValueError(
            f"{caller} needs a cluster label a row, but row {int(np.argmin(codes))} has none. "
            "Label it, or leave the row out."
        )
    return codes


def require_level(level: float) -> None:
    """Check that a coverage lies between 0 and 1.

    Raises:
        ValueError: if it does not.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, but it is {level}. Choose e.g. 0.95.")
