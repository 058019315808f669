"""Which neurons carry a trait: the published dual criterion and what it is compared with."""

import math
from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.measure.effect import Effects
from workbench.select.selection import Selection
from workbench.vocabulary import NeuronSet

RULES = ("dual", "magnitude-only", "d-only", "broad")


def magnitude_threshold(mean_difference: Float[Tensor, "layer d_mlp"], quantile: float) -> Float[Tensor, " layer"]:
    """tau_q: each layer's `quantile` of |mean difference|, linearly interpolated.

    Raises:
        ValueError: if `quantile` is outside (0, 1).
    """
    if not 0 < quantile < 1:
        raise ValueError(f"The quantile lies strictly between 0 and 1, but {quantile} arrived.")
    return torch.quantile(mean_difference.abs(), quantile, dim=1)


def select_neurons(
    effects: Effects,
    *,
    rule: str = "dual",
    quantile: float = 0.995,
    min_d: float = 0.8,
    layers: Sequence[int] | None = None,
) -> Selection:
    """Choose neurons by a rule.

    Rules, with s the mean difference and d Cohen's d, each strict and per layer:
        dual: |s| > tau_q and |d| > min_d, as DPN-LE has it.
        magnitude-only: |s| > tau_q.
        d-only: |d| > min_d.
        broad: every neuron of the layers with s ≠ 0.

    Args:
        quantile: q of tau_q, of |s| within the layer.
        min_d: tau_d, in pooled standard deviations.
        layers: which layers take part; all that the effects hold by default.

    Raises:
        ValueError: for an unknown rule, a setting out of range, layers that the effects lack, or an empty
            selection, naming the criterion that emptied it.

    Reference:
        Zheng et al. (2026), arXiv 2604.27929, section 3.2.
    """
    if rule not in RULES:
        raise ValueError(f"There is no rule {rule!r}. Choose one of {', '.join(RULES)}.")
    if not (math.isfinite(min_d) and min_d >= 0):
        raise ValueError(f"min_d is a number from 0 up, but {min_d} arrived.")
    if layers is not None:
        effects = effects.restrict(layers)
    s, d = effects.mean_difference, effects.cohens_d
    threshold = magnitude_threshold(s, quantile)
    large, strong = s.abs() > threshold[:, None], d.abs() > min_d
    chosen = {"dual": large & strong, "magnitude-only": large, "d-only": strong, "broad": s != 0}[rule]
    if not bool(chosen.any()):
        raise ValueError(_why_empty(rule, large, strong, quantile, min_d))
    high, low = chosen & (s > 0), chosen & (s < 0)
    table = pd.DataFrame(
        {
            "layer": effects.layers,
            "neurons": s.shape[1],
            "threshold": threshold.numpy(),
            "above_threshold": large.sum(1).numpy(),
            "above_min_d": strong.sum(1).numpy(),
            "high": high.sum(1).numpy(),
            "low": low.sum(1).numpy(),
            "removed_by_d": (large & ~strong).sum(1).numpy(),
            "removed_by_magnitude": (strong & ~large).sum(1).numpy(),
        }
    )
    used = {"dual": ("quantile", "min_d"), "magnitude-only": ("quantile",), "d-only": ("min_d",), "broad": ()}[rule]
    settings = {"quantile": quantile, "min_d": min_d}
    return Selection(
        effects.trait,
        rule,
        NeuronSet.from_mask(high, effects.layers),
        NeuronSet.from_mask(low, effects.layers),
        table,
        {name: settings[name] for name in used},
    )


def _why_empty(
    rule: str, large: Bool[Tensor, "layer d_mlp"], strong: Bool[Tensor, "layer d_mlp"], quantile: float, min_d: float
) -> str:
    by_size, by_d, total = int(large.sum()), int(strong.sum()), large.numel()
    counts = f"Of {total} neurons {by_size} pass |s| > tau_q (q = {quantile}) and {by_d} pass |d| > {min_d}"
    if rule != "magnitude-only" and by_d == 0:
        binding = "the d criterion binds. Lower min_d or add prompts."
    elif rule != "d-only" and by_size == 0:
        binding = "the magnitude criterion binds. Lower the quantile."
    else:
        binding = "no neuron passes both. Lower the quantile or min_d."
    return f"The {rule} rule selects nothing. {counts}: {binding}"
