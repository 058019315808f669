"""Means over doses, and the same means of resampled clusters, from which intervals are taken."""

import numpy as np
import pandas as pd


def resampling_weights(generator: np.random.Generator, clusters: int, resamples: int) -> np.ndarray:
    """`(1 + resamples, clusters)`: how often each resample draws each cluster; the first row is the sample itself."""
    drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return np.vstack([np.ones(clusters), drawn])


def dose_curve(
    rows: pd.DataFrame, column: str, gammas: np.ndarray, clusters: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """`(1 + resamples, 1 + gammas)`: 0 at dose 0, then a column's mean at each dose; missing values are left out."""
    known = rows.dropna(subset=[column])
    cluster = pd.Categorical(known["cluster"], categories=clusters).codes
    cell = (cluster, np.searchsorted(gammas, known["gamma"]))
    sums, counts = np.zeros((len(clusters), len(gammas))), np.zeros((len(clusters), len(gammas)))
    np.add.at(sums, cell, known[column].to_numpy(float))
    np.add.at(counts, cell, 1.0)
    means = (weights @ sums) / np.maximum(weights @ counts, 1e-12)
    return np.hstack([np.zeros((len(weights), 1)), means])


def monotone(means: np.ndarray) -> np.ndarray:
    """Each row's nearest rising curve, by least squares, among those that begin at the row's first value.

    A mean that falls below an earlier one is noise or a hump; either way the two are pooled, so that the dose that
    first reaches a value is found alike for every arm.

    Args:
        means: `(row, dose)`, doses ascending; a dose at which any row lacks a value stays as it is.

    Returns:
        `(row, dose)`, never falling along a row.

    Reference:
        Barlow, Bartholomew, Bremner and Brunk (1972), the max-min formula of isotonic regression.

    Example:
        >>> monotone(np.array([[0.0, 2.0, 1.0, 3.0]])).tolist()
        [[0.0, 1.5, 1.5, 3.0]]
    """
    known = np.asarray(~np.isnan(means).any(axis=0))
    known[0] = False
    later = means[:, known]
    doses = later.shape[1]
    sums = np.concatenate([np.zeros((len(means), 1)), np.cumsum(later, axis=1)], axis=1)
    rising = np.empty_like(later)
    for last in range(doses):
        best = means[:, 0]
        for first in range(last + 1):
            lengths = np.arange(last + 1, doses + 1) - first
            best = np.maximum(best, ((sums[:, last + 1 :] - sums[:, [first]]) / lengths).min(axis=1))
        rising[:, last] = best
    fitted = means.copy()
    fitted[:, known] = rising
    return fitted


def first_reaching(doses: np.ndarray, shifts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least dose at which each row's shift, a straight line between doses, reaches its target; nan if none does."""
    reaching = shifts >= target[:, None]
    at = reaching.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    rows = np.arange(len(target))
    high, low = shifts[rows, at], shifts[rows, before]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = doses[before] + (target - low) / (high - low) * (doses[at] - doses[before])
    needed = np.where(at == 0, doses[0], between)
    return np.where(reaching.any(axis=1), needed, np.nan)


def summary(name: str, values: np.ndarray) -> dict[str, float]:
    """The sample's value, with the 95 % percentile interval of the resamples if at least half of them have a value."""
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or len(resampled) < 0.5 * (len(values) - 1):
        return {name: float(values[0]), f"{name}_low": np.nan, f"{name}_high": np.nan}
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def two_sided(values: np.ndarray) -> float:
    """A two-sided bootstrap p-value for a value of 0: twice the smaller of the shares at or below and at or above 0.

    It is never below 2 / (n + 1). The first value is the sample's own and is not counted; nan if most resamples have no
    value.

    Reference:
        Davison and Hinkley (1997), section 4.4 and equation 4.11.

    Example:
        >>> two_sided(np.array([1.0, 1.0, 2.0, 3.0]))
        0.5
    """
    resampled = values[1:][np.isfinite(values[1:])]
    n = len(resampled)
    if not np.isfinite(values[0]) or n < 0.5 * (len(values) - 1):
        return float("nan")
    below, above = (resampled <= 0).sum(), (resampled >= 0).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (n + 1)))
