"""The conditions that rules put to neurons: one at a time, or for many replicates of the effects at once."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.select.settings import RuleSettings


@dataclass(frozen=True, eq=False)
class Criterion:
    """One condition that a neuron must meet.

    Attributes:
        name: a word for it, e.g. `magnitude`.
        text: the condition with its setting, e.g. `|s| > tau_q (q = 0.995)`.
        passes: `(layer, d_mlp)` which neurons meet it.
        threshold: `(layer,)` the value that a neuron had to exceed.
    """

    name: str
    text: str
    passes: Bool[Tensor, "layer d_mlp"]
    threshold: Float[Tensor, " layer"]


def upper_quantile(values: Float[Tensor, "*batch d_mlp"], quantile: float) -> Float[Tensor, "*batch"]:
    """The quantile over the last axis, interpolated linearly as `torch.quantile` does; lower values are not sorted.

    Raises:
        ValueError: if `quantile` is outside (0, 1).
    """
    if not 0 < quantile < 1:
        raise ValueError(f"The quantile lies strictly between 0 and 1, but {quantile} arrived.")
    rank = quantile * (values.shape[-1] - 1)
    below = int(rank)
    largest = values.topk(values.shape[-1] - below, dim=-1).values
    if largest.shape[-1] == 1:
        return largest[..., -1]
    return torch.lerp(largest[..., -1], largest[..., -2], rank - below)


def magnitude_threshold(mean_difference: Float[Tensor, "layer d_mlp"], quantile: float) -> Float[Tensor, " layer"]:
    """tau_q: the `quantile` of |mean difference| in each layer, interpolated linearly.

    Raises:
        ValueError: if `quantile` is outside (0, 1).
    """
    return upper_quantile(mean_difference.abs(), quantile)


def is_strong(d: Float[Tensor, "*shape"], min_d: float) -> Bool[Tensor, "*shape"]:
    """Which neurons' |d| is above `min_d`. An infinite d is not: the neuron is constant on both poles.

    Without spread there is nothing to measure an effect against, as where each pole is one prompt, repeated.
    """
    return (d.abs() > min_d) & d.isfinite()


def passes(settings: RuleSettings, s: Float[Tensor, "b d_mlp"], d: Float[Tensor, "b d_mlp"]) -> Bool[Tensor, "b d_mlp"]:
    """Which neurons of one layer a rule takes, for each replicate of the mean differences `s` and of `d`.

    Raises:
        ValueError: for a rule that needs more than mean differences and d, or a threshold over the whole model.
    """
    require_replicable(settings)
    strong = is_strong(d, settings.min_d)
    if settings.rule == "d-only":
        return strong
    large = s.abs() > upper_quantile(s.abs(), settings.quantile)[:, None]
    return large & strong if settings.rule == "dual" else large


def require_replicable(settings: RuleSettings) -> None:
    """Check that mean differences and d of one layer are all that a rule needs.

    Raises:
        ValueError: if they are not.
    """
    if settings.rule not in ("dual", "magnitude-only", "d-only") or settings.within != "layer":
        raise ValueError(
            "Replicates are mean differences and d of one layer at a time, which is enough for dual, magnitude-only "
            f"and d-only within a layer, but not for {settings.rule} within the {settings.within}. Choose one of these."
        )
