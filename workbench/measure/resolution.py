"""The least p-value that a number of draws can give, and how many draws a level needs."""

import math
import warnings

LEVEL = 0.05
"""A test that cannot give p-values as low as this is warned of."""


def least_pvalue(draws: int, *, two_sided: bool = False, tests: int = 1) -> float:
    """The least p-value of a test by this many permutations or resamples.

    Args:
        draws: random permutations or resamples, without the sample itself, which is counted too.
        two_sided: whether the smaller tail is doubled, as in a p-value from a bootstrap's two tails. A permutation
            test of |t| is two-sided already.
        tests: how many p-values are corrected together, by Bonferroni or Holm.

    Raises:
        ValueError: for fewer than one draw or test.

    Example:
        >>> round(least_pvalue(100, two_sided=True, tests=5), 3)
        0.099
    """
    if draws < 1 or tests < 1:
        raise ValueError(f"A p-value needs at least 1 draw and 1 test, but {draws} and {tests} arrived.")
    return min(1.0, tests * (1 + two_sided) / (draws + 1))


def draws_needed(level: float, *, two_sided: bool = False, tests: int = 1) -> int:
    """How many permutations or resamples bring the least p-value down to a level.

    Example:
        >>> draws_needed(0.05), draws_needed(0.05, two_sided=True, tests=5)
        (19, 199)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, but it is {level}. Choose e.g. 0.05.")
    return math.ceil(tests * (1 + two_sided) / level - 1e-9) - 1


def discoveries_needed(least: float, tests: int, *, alpha: float = 0.05, method: str = "bh") -> int:
    """How many of `tests` p-values have to be as small as possible before a false-discovery rule takes any.

    Benjamini and Hochberg take k p-values only if they are at most `alpha * k / tests`. With few permutations none is
    so small unless k is large.

    Args:
        least: the least p-value that can come out.
        method: `bh`, or `by`, which divides `alpha` by the sum of 1 / i up to `tests`.

    Returns:
        k; more than `tests` if the rule can take nothing.

    Example:
        >>> discoveries_needed(1 / 200, 1000), discoveries_needed(1 / 10_000, 1000)
        (100, 2)
    """
    penalty = sum(1 / i for i in range(1, tests + 1)) if method == "by" else 1.0
    return math.ceil(least * tests * penalty / alpha - 1e-9)


def warn_of(least: float, why: str) -> None:
    """Warn where the least p-value is above `LEVEL`, with the reason and what to do."""
    if least > LEVEL:
        warnings.warn(f"No p-value can be below {least:.2g}, as {why}: nothing is shown at {LEVEL:g}.", stacklevel=3)
