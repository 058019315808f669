"""Outcomes compared prompt by prompt: bootstrap intervals, McNemar, non-inferiority and Holm."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import Interval, finite_rows, percentile_interval, require_level

EXACT_BELOW = 25  # discordant pairs: under this, McNemar's chi-squared is a poor stand-in for the binomial


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two arms on the same items.

    Attributes:
        b: items that the first arm has right and the second wrong.
        c: items that the first arm has wrong and the second right.
        pvalue: two-sided; 1 where no item is discordant.
        exact: whether it is the binomial test (fewer than 25 discordant items) or the corrected chi-squared.
        n: items.
    """

    b: int
    c: int
    pvalue: float
    exact: bool
    n: int


@dataclass(frozen=True)
class NonInferiority:
    """Whether an arm is at most `margin` worse than another.

    Attributes:
        estimate: mean of b - a, in the outcome's unit.
        lower: one-sided lower bound of that mean; nan with a single cluster.
        margin: the loss that would be tolerated.
        non_inferior: whether `lower` lies above `-margin`.
        n: rows.
        clusters: independent groups of rows.
        method: how the bound was found.
        level: one-sided coverage aimed at.
    """

    estimate: float
    lower: float
    margin: float
    non_inferior: bool
    n: int
    clusters: int
    method: str
    level: float = 0.95


def bootstrap_mean(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean of the rows with a percentile bootstrap interval.

    Args:
        values: an outcome a row.
        clusters: a label a row, e.g. the persona description it used. Whole clusters are drawn, so that rows
            which share one do not count as independent; without them rows are drawn.

    Returns:
        estimate and bounds in the values' unit. Bounds are nan with a single cluster. With fewer than about
        20 clusters the interval is too narrow.

    Raises:
        ValueError: if there are no rows, a value is not finite, or the labels do not fit the rows.

    Reference:
        Davison and Hinkley (1997), sections 3.8 and 5.3.

    Example:
        >>> bootstrap_mean([1, 1, 0, 0], clusters=["a", "a", "b", "b"]).clusters
        2
    """
    return percentile_interval(
        values,
        clusters=clusters,
        level=level,
        tail=(1 - level) / 2,
        resamples=resamples,
        seed=seed,
        caller="bootstrap_mean",
    )


def bootstrap_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean of b - a over paired rows with a percentile bootstrap interval.

    Returns:
        as `bootstrap_mean`, positive where `b` is the larger.

    Raises:
        ValueError: if the arms differ in length, or as `bootstrap_mean`.

    Example:
        >>> bootstrap_difference([1.0, 2.0], [2.0, 3.0]).estimate
        1.0
    """
    return percentile_interval(
        paired_difference("bootstrap_difference", a, b),
        clusters=clusters,
        level=level,
        tail=(1 - level) / 2,
        resamples=resamples,
        seed=seed,
        caller="bootstrap_difference",
    )


def non_inferiority(
    a: ArrayLike,
    b: ArrayLike,
    *,
    margin: float,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> NonInferiority:
    """Whether `b` keeps within `margin` of `a`, where a higher outcome is better.

    Fix the margin before looking: a wide one proves anything.

    Returns:
        `non_inferior` is true where the one-sided lower bound of the mean of b - a lies above `-margin`, and
        false with a single cluster, which has no bound. Where every difference is equal the bootstrap sees
        no spread and the bound is the estimate, however few the rows. With right or wrong answers and no
        discordant item among n, a loss of about 3 / n cannot be excluded.

    Raises:
        ValueError: for a negative margin, or as `bootstrap_difference`.

    Example:
        >>> plain, edited = [1] * 80 + [0] * 20, [1] * 79 + [0] * 21
        >>> found = non_inferiority(plain, edited, margin=0.05)
        >>> found.estimate, found.non_inferior
        (-0.01, True)
    """
    if not margin >= 0:
        raise ValueError(f"margin is the loss you would tolerate, so 0 or more, but it is {margin}. Use e.g. 0.05.")
    found = percentile_interval(
        paired_difference("non_inferiority", a, b),
        clusters=clusters,
        level=level,
        tail=1 - level,  # all of it below: the bound is one-sided
        resamples=resamples,
        seed=seed,
        caller="non_inferiority",
    )
    return NonInferiority(
        estimate=found.estimate,
        lower=found.low,
        margin=float(margin),
        non_inferior=found.low > -margin,
        n=found.n,
        clusters=found.clusters,
        method=f"one-sided {found.method}",
        level=level,
    )


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike) -> McNemar:
    """McNemar's test that two arms are right equally often on the same items.

    Raises:
        ValueError: if the arms differ in length, are empty, or hold anything but 0 and 1.

    Reference:
        McNemar (1947); statsmodels.

    Example:
        >>> mcnemar([1, 1, 1, 0], [0, 0, 1, 0])
        McNemar(b=2, c=0, pvalue=0.5, exact=True, n=4)
    """
    first, second = (finite_rows("mcnemar", values) for values in (a_correct, b_correct))
    _same_length("mcnemar", first, second)
    for values in (first, second):
        strange = values[(values != 0) & (values != 1)]
        if len(strange):
            raise ValueError(
                f"mcnemar compares right (1) with wrong (0), but a value is {strange[0]}. Threshold it first."
            )
    b = int(((first == 1) & (second == 0)).sum())
    c = int(((first == 0) & (second == 1)).sum())
    exact = b + c < EXACT_BELOW
    # The concordant cells do not enter the test.
    from statsmodels.stats import contingency_tables  # brings all of scipy.stats with it

    result: Any = contingency_tables.mcnemar(np.array([[0, b], [c, 0]]), exact=exact)
    return McNemar(b=b, c=c, pvalue=float(result.pvalue), exact=exact, n=len(first))


def holm(pvalues: ArrayLike) -> Float64[np.ndarray, " test"]:
    """Holm's adjusted p-values: reject where they are at most alpha to hold the family-wise error there.

    Returns:
        an adjusted p-value a test, in the order given; empty for no tests.

    Raises:
        ValueError: if a p-value does not lie in 0 to 1.

    Reference:
        Holm (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    given = np.asarray(pvalues, dtype=np.float64)
    outside = np.flatnonzero(~((given >= 0) & (given <= 1)))
    if len(outside):
        raise ValueError(
            f"p-values lie in 0 to 1, but number {outside[0]} is {given[outside[0]]}. Leave out tests that "
            "could not be run."
        )
    if not len(given):
        return given
    # statsmodels' multipletests gives the same, and collects garbage at every call, which a study makes thousands of.
    order = np.argsort(given, kind="stable")
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)), 1.0)
    return adjusted


def wilson(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval, for independent trials.

    Raises:
        ValueError: if there are no trials, or more successes than trials.

    Reference:
        Wilson (1927); statsmodels.

    Example:
        >>> found = wilson(8, 10)
        >>> found.estimate, round(found.low, 3), round(found.high, 3)
        (0.8, 0.49, 0.943)
    """
    require_level(level)
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            f"Wilson's interval needs 0 to n successes in at least 1 trial, but got {successes} in {n}. "
            "Count the trials again."
        )
    from statsmodels.stats.proportion import proportion_confint  # brings all of scipy.stats with it

    bounds: Any = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    low, high = map(float, bounds)
    return Interval(successes / n, low, high, n=n, clusters=n, method="Wilson score", level=level)


def paired_difference(caller: str, a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """b - a, row by row.

    Raises:
        ValueError: if the arms differ in length, are empty, or hold a value that is not finite.
    """
    first, second = finite_rows(caller, a), finite_rows(caller, b)
    _same_length(caller, first, second)
    return second - first


def _same_length(caller: str, a: np.ndarray, b: np.ndarray) -> None:
    if len(a) != len(b):
        raise ValueError(
            f"{caller} compares two arms row by row, but they have {len(a)} and {len(b)} rows. "
            "Keep the prompts that both arms answered, in one order."
        )
