"""Effect sizes from the moments of two poles: mean difference, Cohen's d with its interval, Hedges' g."""

import math
from collections.abc import Mapping
from statistics import NormalDist

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from workbench.measure.moments import Moments


def mean_difference(high: Moments, low: Moments) -> Float64[Tensor, "*shape"]:
    """The mean on `high` minus the mean on `low`, in the activations' unit.

    Raises:
        ValueError: if a pole is empty or the shapes differ.
    """
    require_poles("A mean difference", {"high": high, "low": low}, least=1)
    return high.mean - low.mean


def pooled_std(high: Moments, low: Moments, *, epsilon: float = 0.0) -> Float64[Tensor, "*shape"]:
    """Standard deviation within poles: the root of the mean of the unbiased variances, weighted by n - 1.

    Args:
        epsilon: added to the pooled variance; DPN-LE's authors use 1e-8.

    Returns:
        one value for each neuron, in the activations' unit; 0 if both poles are constant and `epsilon` is 0.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or the shapes differ.
    """
    require_poles("A pooled standard deviation", {"high": high, "low": low}, least=2)
    return ((high.m2 + low.m2) / (high.count + low.count - 2) + epsilon).sqrt()


def cohens_d(high: Moments, low: Moments, *, epsilon: float = 0.0) -> Float64[Tensor, "*shape"]:
    """Standardised mean difference of each neuron between two poles.

    Args:
        epsilon: added to the pooled variance; DPN-LE's authors use 1e-8.

    Returns:
        effects in pooled standard deviations, positive where the neuron is more active on `high`. A neuron that is
        constant on both poles gets 0 if the means agree, otherwise ±inf.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or the shapes differ.

    Reference:
        Cohen (1988), chapter 2.

    Example:
        >>> acts = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
        >>> cohens_d(Moments.of(acts + 2), Moments.of(acts)).item()
        2.0
    """
    require_poles("Cohen's d", {"high": high, "low": low}, least=2)
    difference, spread = mean_difference(high, low), pooled_std(high, low, epsilon=epsilon)
    constant = (difference == 0) & (spread == 0)
    return torch.where(constant, 0.0, difference / spread)


def hedges_g(high: Moments, low: Moments, *, epsilon: float = 0.0) -> Float64[Tensor, "*shape"]:
    """Cohen's d, corrected exactly for its upward bias in small samples.

    Returns:
        as `cohens_d`, times `gamma(m/2) / (sqrt(m/2) gamma((m-1)/2))` with m = n_high + n_low - 2.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or the shapes differ.

    Reference:
        Hedges (1981), Distribution theory for Glass's estimator of effect size.

    Example:
        >>> acts = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
        >>> round(hedges_g(Moments.of(acts + 2), Moments.of(acts)).item(), 4)
        1.5958
    """
    require_poles("Hedges' g", {"high": high, "low": low}, least=2)
    return cohens_d(high, low, epsilon=epsilon) * hedges_correction(high.count + low.count - 2)


def hedges_correction(degrees: int) -> float:
    """The factor that removes the upward bias of Cohen's d: `gamma(m/2) / (sqrt(m/2) gamma((m-1)/2))`, 0 to 1.

    Example:
        >>> round(hedges_correction(4), 4)
        0.7979
    """
    half = degrees / 2
    return math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)


def cohens_d_interval(
    d: Float[Tensor, "*shape"], n_high: int, n_low: int, *, level: float = 0.95
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Large-sample normal interval of Cohen's d.

    It assumes that rows are independent; if prompts share descriptions or questions it is too narrow.

    Returns:
        lower and upper bounds in the shape and unit of `d`; both nan where `d` is infinite.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or `level` is not between 0 and 1.

    Reference:
        Hedges and Olkin (1985), chapter 5: variance (n1 + n2) / (n1 n2) + d² / (2 (n1 + n2)).

    Example:
        >>> low, high = cohens_d_interval(torch.tensor([0.0]), 50, 50)
        >>> round(low.item(), 3), round(high.item(), 3)
        (-0.392, 0.392)
    """
    _require_counts("An interval of Cohen's d", {"high": n_high, "low": n_low}, least=2)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, but it is {level}. Choose e.g. 0.95.")
    total = n_high + n_low
    variance = total / (n_high * n_low) + d.square() / (2 * total)
    reach = NormalDist().inv_cdf((1 + level) / 2) * variance.sqrt()
    bounded = d.isfinite()
    return torch.where(bounded, d - reach, math.nan), torch.where(bounded, d + reach, math.nan)


def require_poles(quantity: str, poles: Mapping[str, Moments], *, least: int) -> None:
    """Check that each pole has at least `least` prompts, and that all have one shape.

    Raises:
        ValueError: naming the pole, or the shapes.
    """
    _require_counts(quantity, {pole: moments.count for pole, moments in poles.items()}, least=least)
    shapes = {pole: moments.shape for pole, moments in poles.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"{quantity} needs poles of one shape, but they have {shapes}. Capture both at the same site and layers."
        )


def _require_counts(quantity: str, counts: Mapping[str, int], *, least: int) -> None:
    for pole, count in counts.items():
        if count < least:
            raise ValueError(
                f"{quantity} needs at least {least} prompt{'s' * (least > 1)} per pole, but the {pole} pole "
                f"has {count}. Add prompts or lower holdout."
            )
