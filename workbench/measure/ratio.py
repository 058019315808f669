"""Ratios of means over paired rows, with their intervals, and whether a mean is surely above 0."""

import numpy as np
import scipy
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import Interval, cluster_codes, finite_rows, require_level


def ratio_of_means(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The sum of the numerators over the sum of the denominators, with a percentile bootstrap interval.

    A row counts by the size of its denominator. In a mean of the rows' own ratios, a row with a denominator near 0
    could outweigh all others.

    Args:
        numerators, denominators: one of each for each row, in the same unit; they are resampled together.
        clusters: as in `bootstrap_mean`.

    Returns:
        estimate and bounds without a unit; 1 where numerators and denominators agree. All three are nan where the
        interval of the mean denominator covers 0, as there is nothing to take a share of. Bounds are nan with a single
        cluster.

    Raises:
        ValueError: if the two differ in length, or as `bootstrap_mean`.

    Reference:
        Davison and Hinkley (1997), example 2.22; Fieller (1954), on a denominator whose interval covers 0.

    Example:
        >>> ratio_of_means([0.4, 0.2], [1.0, 2.0]).estimate.__round__(6)
        0.2
    """
    require_level(level)
    if resamples < 1:
        raise ValueError(f"ratio_of_means needs at least 1 resample, but resamples is {resamples}. Use e.g. 2000.")
    above, below = finite_rows("ratio_of_means", numerators), finite_rows("ratio_of_means", denominators)
    if len(above) != len(below):
        raise ValueError(
            f"ratio_of_means needs a denominator for each numerator, but {len(above)} and {len(below)} arrived."
        )
    codes = np.arange(len(above)) if clusters is None else cluster_codes("ratio_of_means", clusters, len(above))
    tops, bottoms, sizes = np.bincount(codes, weights=above), np.bincount(codes, weights=below), np.bincount(codes)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low = high = estimate = float("nan")
    drawn = np.random.default_rng(seed).integers(len(sizes), size=(resamples, len(sizes)))
    wholes = bottoms[drawn].sum(1)
    least, most = np.quantile(wholes / sizes[drawn].sum(1), tails)
    if not least <= 0 <= most:
        estimate = float(above.sum() / below.sum())
        if len(sizes) > 1:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = tops[drawn].sum(1) / wholes
            low, high = np.quantile(ratios[np.isfinite(ratios)], tails).tolist()
    unit = "rows" if clusters is None else "clusters"
    method = f"ratio of means, percentile bootstrap over {unit}, {resamples} resamples"
    return Interval(estimate, low, high, len(above), len(sizes), method, level)


def surely_above(values: ArrayLike, *, clusters: ArrayLike | None = None) -> float:
    """One-sided p-value of the hypothesis that the rows' mean is 0 or less.

    A t test with the cluster-robust standard error and clusters - 1 degrees of freedom. Unlike a percentile bootstrap
    it keeps its level with few clusters.

    Args:
        values: one for each row.
        clusters: one label for each row; whole clusters are independent.

    Returns:
        0 to 1; nan with a single cluster. Where the clusters do not vary at all, 0 if the mean is above 0, and 1
        otherwise.

    Raises:
        ValueError: if there are no rows, a value is not finite, or the labels do not fit the rows.

    Reference:
        Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, section VI.

    Example:
        >>> surely_above([1.0, 2.0, 3.0]) < 0.05, surely_above([-1.0, 1.0])
        (True, 0.5)
    """
    rows = finite_rows("surely_above", values)
    codes = np.arange(len(rows)) if clusters is None else cluster_codes("surely_above", clusters, len(rows))
    count = int(codes.max()) + 1
    if count < 2:
        return float("nan")
    mean = rows.mean()
    deviations = np.bincount(codes, weights=rows - mean)
    error = np.sqrt(count / (count - 1) * (deviations**2).sum()) / len(rows)
    if error <= 1e-12 * np.abs(rows).max():
        return 0.0 if mean > 0 else 1.0
    return float(scipy.special.stdtr(count - 1, -mean / error))
