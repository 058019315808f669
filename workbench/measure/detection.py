"""How well a score tells two groups apart, with an interval that stays honest where they do not overlap."""

import numpy as np
from numpy.typing import ArrayLike

from workbench.measure.bootstrap import Interval, finite_rows, require_level


def detection_area(
    high: ArrayLike, low: ArrayLike, *, units: tuple[int, int] | None = None, level: float = 0.95
) -> Interval:
    """The probability that a score of the first group exceeds one of the second, ties counted half (AUC).

    The bounds solve |area - true area| = z * standard error at the true area, so that they have a width even where
    every score of one group exceeds every one of the other.

    Args:
        high, low: scores of each group.
        units: how many independent scores each group holds, where fewer than all.

    Returns:
        the area, 0 to 1; 0.5 where the score tells nothing.

    Raises:
        ValueError: if a group is empty, or a score is not finite.

    Reference:
        Newcombe (2006), Confidence intervals for an effect size measure based on the Mann-Whitney statistic, part 2,
        method 5; the variance is Hanley and McNeil's (1982).

    Example:
        >>> area = detection_area([3, 4, 5, 6], [0, 1, 2, 2.5])
        >>> area.estimate, round(area.low, 2), area.high
        (1.0, 0.58, 1.0)
    """
    require_level(level)
    first, second = finite_rows("detection_area", high), finite_rows("detection_area", low)
    from scipy.optimize import brentq
    from scipy.stats import norm, rankdata

    n, m = len(first), len(second)
    ranks = rankdata(np.concatenate([first, second]))
    area = float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))
    a, b = units or (n, m)
    z, spare = float(norm.ppf((1 + level) / 2)), (a + b) / 2 - 1

    def apart(true: float) -> float:
        shape = 1 + spare * ((1 - true) / (2 - true) + true / (1 + true))
        return (area - true) ** 2 - z * z * true * (1 - true) * shape / (a * b)

    lower = 0.0 if area == 0 else float(brentq(apart, 0.0, area - 1e-12 if area < 1 else 1 - 1e-12))  # type: ignore[arg-type]
    upper = 1.0 if area == 1 else float(brentq(apart, area + 1e-12 if area > 0 else 1e-12, 1.0))  # type: ignore[arg-type]
    return Interval(area, lower, upper, n + m, a + b, "Newcombe score", level)
