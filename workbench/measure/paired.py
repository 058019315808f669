"""Tests of outcomes that are paired item by item: bootstrap intervals, McNemar, non-inferiority, Holm."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import Interval, cluster_codes, finite_rows, percentile_interval, require_level
from workbench.measure.proportions import binary_change

EXACT_BELOW = 25  # discordant pairs; with fewer, McNemar's chi-squared approximates the binomial poorly


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two arms on the same items.

    Attributes:
        b: number of items that the first arm has right and the second wrong.
        c: number of items that the first arm has wrong and the second right.
        pvalue: two-sided; 1 if no item is discordant.
        exact: whether it is the binomial test (fewer than 25 discordant items) or the corrected chi-squared.
        n: number of items.
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
        lower: one-sided lower bound of that mean: the loss that the data cannot exclude is just below -lower; nan where
            they do not show how much the mean varies.
        upper: one-sided upper bound, likewise.
        margin: the loss that would be tolerated.
        non_inferior: whether `lower` is above `-margin`.
        inferior: whether `upper` is below `-margin`: the loss is surely greater than the margin.
        n: number of rows.
        clusters: number of independent groups of rows.
        method: how the bound was found.
        level: nominal one-sided coverage.
    """

    estimate: float
    lower: float
    upper: float
    margin: float
    non_inferior: bool
    inferior: bool
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
    """Mean of the rows, with a percentile bootstrap interval.

    Args:
        values: one outcome for each row.
        clusters: one label for each row, e.g. its persona description. Whole clusters are drawn, so that rows of one
            cluster do not count as independent; without labels single rows are drawn.

    Returns:
        estimate and bounds in the values' unit. Bounds are nan with a single cluster. With fewer than about 20
        clusters the interval is too narrow.

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
    """Mean of b - a over paired rows, with a percentile bootstrap interval.

    For right and wrong answers see `paired_change`, whose interval has a width where no answer changed too.

    Returns:
        as `bootstrap_mean`; positive if `b` is larger.

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


def paired_change(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean of b - a over paired rows: with Tango's score interval if every value is 0 or 1, else as the bootstrap's.

    Returns:
        as `bootstrap_difference`.

    Raises:
        ValueError: as `bootstrap_difference`.

    Example:
        >>> paired_change([1.0] * 10, [1.0] * 10).low.__round__(3)
        -0.278
    """
    first, second = finite_rows("paired_change", a), finite_rows("paired_change", b)
    _same_length("paired_change", first, second)
    interval = binary_change(first, second, clusters=clusters, level=level, caller="paired_change")
    if interval is not None:
        return interval
    return bootstrap_difference(first, second, clusters=clusters, level=level, resamples=resamples, seed=seed)


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
    """Whether `b` is at most `margin` worse than `a`, where a higher outcome is better.

    Fix the margin before you look at the results: with a wide enough margin every arm passes.

    Right and wrong answers (1 and 0) are judged by Tango's score interval, in which a cluster counts as one item; other
    outcomes by a percentile bootstrap.

    Returns:
        `non_inferior` is true if the one-sided lower bound of the mean of b - a is above `-margin`, and false where
        there is no bound: with a single cluster, or where all differences of other outcomes are equal, which does not
        show how much they vary. With no discordant item among n the bound is about -2.7 / n.

    Raises:
        ValueError: for a negative margin, or as `bootstrap_difference`.

    Example:
        >>> plain, edited = [1] * 80 + [0] * 20, [1] * 79 + [0] * 21
        >>> test = non_inferiority(plain, edited, margin=0.05)
        >>> test.estimate, test.non_inferior
        (-0.01, True)
    """
    if not margin >= 0:
        raise ValueError(f"margin is the loss you would tolerate, so 0 or more, but it is {margin}. Use e.g. 0.05.")
    difference = paired_difference("non_inferiority", a, b)
    first, second = finite_rows("non_inferiority", a), finite_rows("non_inferiority", b)
    # Each bound is one-sided, so all of 1 - level is beyond it.
    interval = binary_change(first, second, clusters=clusters, level=2 * level - 1, caller="non_inferiority")
    if interval is None:
        interval = percentile_interval(
            difference,
            clusters=clusters,
            level=level,
            tail=1 - level,
            resamples=resamples,
            seed=seed,
            caller="non_inferiority",
        )
        if interval.low == interval.high:
            interval = replace(interval, low=float("nan"), high=float("nan"))
    return NonInferiority(
        estimate=interval.estimate,
        lower=interval.low,
        upper=interval.high,
        margin=float(margin),
        non_inferior=interval.low > -margin,
        inferior=interval.high < -margin,
        n=interval.n,
        clusters=interval.clusters,
        method=f"one-sided {interval.method}",
        level=level,
    )


def mcnemar(a_correct: ArrayLike, b_correct: ArrayLike, *, clusters: ArrayLike | None = None) -> McNemar:
    """McNemar's test of whether two arms are right equally often on the same items.

    Args:
        clusters: one label for each row, where items are asked several times: an item counts once, as discordant if one
            arm has it right more often.

    Raises:
        ValueError: if the arms differ in length, are empty, or hold anything but 0 and 1, or labels do not fit.

    Reference:
        McNemar (1947); statsmodels.

    Example:
        >>> mcnemar([1, 1, 1, 0], [0, 0, 1, 0])
        McNemar(b=2, c=0, pvalue=0.5, exact=True, n=4)
    """
    first, second = (finite_rows("mcnemar", values) for values in (a_correct, b_correct))
    _same_length("mcnemar", first, second)
    for values in (first, second):
        others = values[(values != 0) & (values != 1)]
        if len(others):
            raise ValueError(
                f"mcnemar compares right (1) with wrong (0), but a value is {others[0]}. Threshold it first."
            )
    net = second - first
    if clusters is not None:
        net = np.bincount(cluster_codes("mcnemar", clusters, len(net)), weights=net)
    b, c = int((net < 0).sum()), int((net > 0).sum())
    exact = b + c < EXACT_BELOW
    # The concordant cells do not enter the test.
    from statsmodels.stats import contingency_tables  # brings all of scipy.stats with it

    result: Any = contingency_tables.mcnemar(np.array([[0, b], [c, 0]]), exact=exact)
    return McNemar(b=b, c=c, pvalue=float(result.pvalue), exact=exact, n=len(net))


def holm(pvalues: ArrayLike) -> Float64[np.ndarray, " test"]:
    """Holm's adjusted p-values: rejecting those of at most alpha keeps the family-wise error at alpha.

    Returns:
        one adjusted p-value for each test, in the order given; empty without tests.

    Raises:
        ValueError: if a p-value does not lie in 0 to 1.

    Reference:
        Holm (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    raw = np.asarray(pvalues, dtype=np.float64)
    outside = np.flatnonzero(~((raw >= 0) & (raw <= 1)))
    if len(outside):
        raise ValueError(
            f"p-values lie in 0 to 1, but number {outside[0]} is {raw[outside[0]]}. Leave out tests that "
            "could not be run."
        )
    if not len(raw):
        return raw
    # statsmodels' multipletests gives the same, but collects garbage at every call, and a study makes thousands.
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)), 1.0)
    return adjusted


def wilson(successes: float | int, n: int, *, level: float = 0.95) -> Interval:
    """A proportion of independent trials, with Wilson's score interval.

    Successes may be fractions, as where several rows of one cluster count as one trial.

    Raises:
        ValueError: if there are no trials, or more successes than trials.

    Reference:
        Wilson (1927); statsmodels.

    Example:
        >>> interval = wilson(8, 10)
        >>> interval.estimate, round(interval.low, 3), round(interval.high, 3)
        (0.8, 0.49, 0.943)
    """
    require_level(level)
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            f"Wilson's interval needs 0 to n successes in at least 1 trial, but got {successes:g} in {n}. "
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
