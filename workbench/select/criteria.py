"""What a rule asks of a neuron, one criterion at a time, for one set of effects or for many replicates at once."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Criterion:
    """One condition that a neuron must meet.

    Attributes:
        name: a word for it, e.g. `magnitude`.
        text: what it asks, with its setting, e.g. `|s| > tau_q (q = 0.995)`.
        passes: `(layer, d_mlp)` which neurons meet it.
        threshold: `(layer,)` what had to be exceeded.
    """

    name: str
    text: str
    passes: Bool[Tensor, "layer d_mlp"]
    threshold: Float[Tensor, " layer"]


def upper_quantile(values: Float[Tensor, "*batch d_mlp"], quantile: float) -> Float[Tensor, "*batch"]:
    """The quantile over the last axis, linearly interpolated as torch has it, without sorting what lies below.

    Raises:
        ValueError: if `quantile` is outside (0, 1).
    """
    if not 0 < quantile < 1:
        raise ValueError(f"The quantile lies strictly between 0 and 1, but {quantile} arrived.")
    place = quantile * (values.shape[-1] - 1)
    below = int(place)
    largest = values.topk(values.shape[-1] - below, dim=-1).values
    if largest.shape[-1] == 1:
        return largest[..., -1]
    return torch.lerp(largest[..., -1], largest[..., -2], place - below)


def magnitude_threshold(mean_difference: Float[Tensor, "layer d_mlp"], quantile: float) -> Float[Tensor, " layer"]:
    """tau_q: each layer's `quantile` of |mean difference|, linearly interpolated.

    Raises:
        ValueError: if `quantile` is outside (0, 1).
    """
    return upper_quantile(mean_difference.abs(), quantile)


def passes(
    rule: str, s: Float[Tensor, "b d_mlp"], d: Float[Tensor, "b d_mlp"], *, quantile: float, min_d: float
) -> Bool[Tensor, "b d_mlp"]:
    """Which neurons of one layer a rule takes, for each replicate of the effects.

    Raises:
        ValueError: for a rule that needs more than mean differences and d.
    """
    strong = d.abs() > min_d
    if rule == "d-only":
        return strong
    if rule not in ("dual", "magnitude-only"):
        raise ValueError(
            "Replicates hold mean differences and d alone, which decide dual, magnitude-only and d-only, but not "
            f"{rule!r}."
        )
    large = s.abs() > upper_quantile(s.abs(), quantile)[:, None]
    return large & strong if rule == "dual" else large
