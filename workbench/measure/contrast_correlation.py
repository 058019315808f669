"""How far two contrasts with one reference agree over neurons, without the noise of the reference that both share."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.measure.units import Stack

LEAST_DESCRIPTIONS = 10
"""Descriptions that each pole needs, neutral ones included; from fewer, the spread between them is too unsure."""


@dataclass(frozen=True)
class Correlation:
    """The correlation over neurons of two contrasts' true effects, with its 95 % interval.

    Attributes:
        estimate: -1 to 1; nan if a contrast varies no more over neurons than its noise does, or would without one of
            its descriptions.
        low, high: its bounds, -1 to 1; nan with the estimate.
        pvalue: two-sided, of a correlation of 0: the larger of the tests of the correlation and of the covariance. 1
            where the estimate is nan.
    """

    estimate: float
    low: float
    high: float
    pvalue: float


class Products(NamedTuple):
    """Inner products over some layers' neurons of each unit with the poles' means, from which correlations follow.

    Attributes:
        neurons: how many neurons the products run over.
        squares: by pole, `(u,)` each unit with itself.
        with_means: by pole, `(u, 3)` each unit with the mean of high, low and neutral.
        sums: by pole, `(u,)` each unit summed over neurons.
    """

    neurons: int
    squares: tuple[np.ndarray, ...]
    with_means: tuple[np.ndarray, ...]
    sums: tuple[np.ndarray, ...]

    def plus(self, other: "Products") -> "Products":
        """Those of both sets of neurons together."""
        added = (
            tuple(a + b for a, b in zip(mine, theirs, strict=True))
            for mine, theirs in zip(self[1:], other[1:], strict=True)
        )
        return Products(self.neurons + other.neurons, *added)


def products_of(stacks: tuple[Stack, Stack, Stack], scale: Float[Tensor, " d_mlp"], layer: int) -> Products:
    """The products of one layer.

    Args:
        stacks: the descriptions of high, low and neutral.
        scale: `(d_mlp,)` the standard deviation that each neuron is divided by; neurons with 0 are left out.
    """
    kept = (scale > 0) & scale.isfinite()
    units = [stack.at(layer)[0][:, kept] for stack in stacks]
    # The common centre changes no contrast, and keeps the digits of what differs.
    centre = torch.cat(units).mean(0)
    units = [(each - centre) / scale[kept].double() for each in units]
    means = torch.stack([_weights(stack) @ each for stack, each in zip(stacks, units, strict=True)])
    return Products(
        int(kept.sum()),
        tuple(each.square().sum(1).numpy() for each in units),
        tuple((each @ means.T).numpy() for each in units),
        tuple(each.sum(1).numpy() for each in units),
    )


def correlation_of(products: Products, stacks: tuple[Stack, Stack, Stack]) -> Correlation:
    """The correlation over neurons of high - neutral with low - neutral.

    Noise of the neutral arm enters both contrasts and so correlates them. Here every product of two effects is taken
    over pairs of *different* descriptions only, the neutral ones included: the average over all ways to halve the
    descriptions. Descriptions are a sample: the interval is Student's over the jackknife that leaves out one
    description of any pole. So are neurons: effects that have nothing to do with each other still correlate a little
    over finitely many.

    Returns:
        nan throughout where a pole has fewer than 3 descriptions.

    Reference:
        Arvesen (1969), Jackknifing U-statistics; Efron and Stein (1981); Satterthwaite (1946) for the degrees of
        freedom.
    """
    nothing = Correlation(*(float("nan"),) * 3, pvalue=1.0)
    if products.neurons < 3 or min(map(len, stacks)) < 3:
        return nothing
    weights = [_weights(stack).numpy() for stack in stacks]
    sums = [each / products.neurons**0.5 for each in products.sums]
    mean_sums = np.array([w @ each for w, each in zip(weights, sums, strict=True)])
    squares = [square - each**2 for square, each in zip(products.squares, sums, strict=True)]
    along = [u - each[:, None] * mean_sums for u, each in zip(products.with_means, sums, strict=True)]
    crossed = np.stack([w @ each for w, each in zip(weights, along, strict=True)])
    own = np.array([w**2 @ each for w, each in zip(weights, squares, strict=True)])
    load = np.array([w @ w for w in weights])
    covariance, correlation = _statistics(crossed, own, load)
    if not np.isfinite(correlation):
        return nothing
    variances = []
    for pole, w in enumerate(weights):
        without = _left_out(crossed, own, load, pole, w, along[pole], squares[pole])
        values = np.array([_statistics(*each) for each in without])
        if not np.isfinite(values).all():
            return nothing
        variances.append((len(w) - 1) / len(w) * np.square(values - values.mean(0)).sum(0))
    # Unrelated effects of K neurons correlate at 0 with variance 1 / K; the covariance follows in its own unit.
    unit = covariance / correlation if correlation else 0.0
    variances.append(np.array([unit**2, 1.0]) / products.neurons)
    degrees = [*(len(stack) - 1 for stack in stacks), products.neurons - 1]
    reach, p_correlation = _student(correlation, [variance[1] for variance in variances], degrees)
    _, p_covariance = _student(covariance, [variance[0] for variance in variances], degrees)
    clipped = np.clip([correlation, correlation - reach, correlation + reach], -1, 1)
    return Correlation(*map(float, clipped), pvalue=max(p_correlation, p_covariance))


def _student(estimate: float, variances: list[float], degrees: list[int]) -> tuple[float, float]:
    """Half of the 95 % interval, and the p-value, of a statistic whose variance is the sum of these parts."""
    total = sum(variances)
    if not total:
        return 0.0, 1.0
    df = total**2 / sum(part**2 / n for part, n in zip(variances, degrees, strict=True))
    error = total**0.5
    return float(scipy.stats.t.ppf(0.975, df) * error), float(2 * scipy.stats.t.sf(abs(estimate) / error, df))


def _weights(stack: Stack) -> Tensor:
    return stack.count / stack.count.sum()


def _statistics(crossed: np.ndarray, own: np.ndarray, load: np.ndarray) -> tuple[float, float]:
    """The covariance of the two contrasts over neurons, and their correlation; the latter nan without spread."""
    high, low, neutral = (crossed.diagonal() - own) / (1 - load)  # a pole's products of different descriptions
    covariance = crossed[0, 1] - crossed[0, 2] - crossed[1, 2] + neutral
    spreads = high - 2 * crossed[0, 2] + neutral, low - 2 * crossed[1, 2] + neutral
    if min(spreads) <= 0:
        return float(covariance), float("nan")
    return float(covariance), float(covariance / (spreads[0] * spreads[1]) ** 0.5)


def _left_out(
    crossed: np.ndarray,
    own: np.ndarray,
    load: np.ndarray,
    pole: int,
    weights: np.ndarray,
    along: np.ndarray,
    squares: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The products of the poles' means without each description of one pole in turn."""
    found = []
    for weight, with_means, square in zip(weights, along, squares, strict=True):
        rest = 1 - weight
        reduced, its_own, its_load = crossed.copy(), own.copy(), load.copy()
        row = (crossed[pole] - weight * with_means) / rest
        reduced[pole], reduced[:, pole] = row, row
        reduced[pole, pole] = (crossed[pole, pole] - 2 * weight * with_means[pole] + weight**2 * square) / rest**2
        its_own[pole] = (own[pole] - weight**2 * square) / rest**2
        its_load[pole] = (load[pole] - weight**2) / rest**2
        found.append((reduced, its_own, its_load))
    return found
