"""The difference of two paired proportions: score intervals, which stay honest where no item changed."""

import numpy as np
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import Interval, cluster_codes, require_level


def paired_proportions(lost: float | int, gained: float | int, n: float | int, *, level: float = 0.95) -> Interval:
    """The difference gained minus lost of two proportions on the same items, with Tango's score interval.

    It holds its coverage from about 10 items, and has a width even where no item changed: its bounds are then
    -z^2 / (n + z^2) and z^2 / (n + z^2), near the rule of three.

    Args:
        lost, gained: items that only the first arm, or only the second, has right; may be fractions of items.
        n: items.

    Returns:
        the difference of shares, second arm minus first, -1 to 1.

    Raises:
        ValueError: if there are no items, or more changed than there are.

    Reference:
        Tango (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample
        design, equations 3 and 4.

    Example:
        >>> interval = paired_proportions(0, 0, 10)
        >>> round(interval.low, 3), round(interval.high, 3)
        (-0.278, 0.278)
    """
    require_level(level)
    if n <= 0 or min(lost, gained) < 0 or lost + gained > n * (1 + 1e-12):
        raise ValueError(
            f"Of n items some are lost and some gained, but {lost:g} and {gained:g} of {n:g} arrived. Count them again."
        )
    lost, gained, n = float(lost), float(gained), float(n)
    from scipy.stats import norm  # takes long to import, and a study's commands need none of it

    z = float(norm.ppf((1 + level) / 2))
    estimate = (gained - lost) / n
    return Interval(
        estimate,
        -_upper(lost, gained, n, z),
        _upper(gained, lost, n, z),
        n=round(n),
        clusters=round(n),
        method="Tango score",
        level=level,
    )


def binary_change(
    a: np.ndarray, b: np.ndarray, *, clusters: ArrayLike | None, level: float, caller: str
) -> Interval | None:
    """The mean of b - a by `paired_proportions` where every value is right (1) or wrong (0); None where one is not.

    Rows of one cluster count as one item together, as if they always changed alike, which is the most that they can.

    Returns:
        `n` counts rows. Bounds are nan with a single cluster.
    """
    if not (np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()):
        return None
    difference = b - a
    units = len(difference) if clusters is None else int(cluster_codes(caller, clusters, len(difference)).max()) + 1
    rows = len(difference)
    share = units / rows
    lost, gained = float((difference < 0).sum()), float((difference > 0).sum())
    interval = paired_proportions(share * lost, share * gained, units, level=level)
    low, high = (interval.low, interval.high) if units > 1 else (float("nan"), float("nan"))
    method = interval.method if clusters is None else f"{interval.method}, a cluster as one item"
    return Interval(float(difference.mean()), low, high, rows, units, method, level)


def _upper(gained: float, lost: float, n: float, z: float) -> float:
    """The greatest difference, gained minus lost, whose score statistic is within z."""

    def beyond(difference: float) -> float:
        # The share of lost items that is likeliest where gained minus lost is `difference`.
        a = 2.0 * n
        b = -gained - lost + (2 * n - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        share = max((np.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a), 0.0)
        variance = n * (2 * share + difference * (1 - difference))
        distance = gained - lost - n * difference
        return float(distance + z * np.sqrt(max(variance, 0.0)))

    from scipy.optimize import brentq

    estimate = (gained - lost) / n
    if estimate >= 1.0:
        return 1.0
    start = min(max(estimate, -1.0) + 1e-12, 1.0)
    root = brentq(beyond, start, 1.0) if beyond(start) > 0 > beyond(1.0) else 1.0
    return float(root)  # type: ignore[arg-type]
