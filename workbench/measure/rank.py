"""Whether two rankings agree, from few values."""

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
import scipy
from numpy.typing import ArrayLike

EXACT = 8
"""Up to so many values every order is tried; beyond, random ones."""
ORDERS = 9_999


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation with its interval.

    Attributes:
        estimate: -1 to 1.
        low, high: its 95 % bounds.
        pvalue: two-sided, of no relation.
        n: pairs of values.
    """

    estimate: float
    low: float
    high: float
    pvalue: float
    n: int


def rank_correlation(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> RankCorrelation:
    """Spearman's correlation of values that belong together; pairs in which either is missing are left out.

    Returns:
        the estimate with an interval by Fisher's transformation, with the variance of Bonett and Wright; the p-value is
        the share of all orders of one side (of random ones, beyond 8 values) that correlate as strongly. Everything but
        n is nan below 4 values, or where a side does not vary.

    Raises:
        ValueError: if the two differ in length.

    Reference:
        Bonett and Wright (2000), Sample size requirements for estimating Pearson, Kendall and Spearman correlations.

    Example:
        >>> rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]).estimate.__round__(6)
        0.8
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"Ranks are compared value by value, but shapes {first.shape} and {second.shape} arrived.")
    known = np.isfinite(first) & np.isfinite(second)
    a, b = (scipy.stats.rankdata(side[known]) for side in (first, second))
    n = len(a)
    if n < 4 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return RankCorrelation(*(float("nan"),) * 4, n=n)
    a, b = (side - side.mean() for side in (a, b))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    estimate = float(np.clip(a @ b / scale, -1, 1))
    reach = 1.959964 * np.sqrt((1 + estimate**2 / 2) / (n - 3))
    centre = np.arctanh(np.clip(estimate, -1 + 1e-12, 1 - 1e-12))
    low, high = np.tanh(centre - reach), np.tanh(centre + reach)
    if n <= EXACT:
        others = np.array([a @ b[list(order)] for order in permutations(range(n))]) / scale
        pvalue = float((np.abs(others) >= abs(estimate) - 1e-9).sum() / factorial(n))
    else:
        rng = np.random.default_rng(seed)
        others = np.array([a @ rng.permutation(b) for _ in range(ORDERS)]) / scale
        pvalue = float((1 + (np.abs(others) >= abs(estimate) - 1e-9).sum()) / (ORDERS + 1))
    return RankCorrelation(estimate, float(low), float(high), pvalue, n)
