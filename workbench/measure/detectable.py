"""The smallest loss that a comparison of paired proportions can detect."""

from typing import Any

import numpy as np
import scipy


def smallest_detectable(n: int, *, discordant: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference of two paired proportions that McNemar's test detects with probability `power`.

    Solves n = (z_{1-alpha/2} sqrt(p) + z_power sqrt(p - d^2))^2 / d^2 for d, where p is the share of items on
    which the arms differ; p is at least d.

    Args:
        n: items, each answered by both arms.
        discordant: p, expected or observed, 0 to 1.

    Returns:
        d, 0 to 1, for a two-sided test at level alpha; nan if not even a loss of every item would be detected. With
        few discordant items the normal approximation makes d somewhat too large.

    Raises:
        ValueError: if n is below 1, or a share lies outside 0 to 1.

    Reference:
        Connor (1987), equation 1; after Miettinen (1968).

    Example:
        >>> round(smallest_detectable(500, discordant=0.1), 4)
        0.0395
    """
    if n < 1:
        raise ValueError(f"Detecting a loss needs at least 1 item, but n is {n}. Add items.")
    for name, share in (("power", power), ("alpha", alpha)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must lie between 0 and 1, but it is {share}. Choose e.g. 0.8 and 0.05.")
    if not 0 <= discordant <= 1:
        raise ValueError(f"discordant is a share from 0 to 1, but it is {discordant}. Divide by the items.")
    z_alpha, z_power = float(scipy.stats.norm.ppf(1 - alpha / 2)), float(scipy.stats.norm.ppf(power))
    p = float(discordant)

    def short(d: float) -> float:
        # Divided by the square root of the discordant share, so that d = 0 is no solution if p is 0.
        q = max(p, d)
        return z_alpha + z_power * np.sqrt(max(1 - d**2 / q, 0.0)) - d * np.sqrt(n / q)

    if short(1.0) > 0:
        return float("nan")
    root: Any = scipy.optimize.brentq(short, 1e-12, 1.0)
    return float(root)
