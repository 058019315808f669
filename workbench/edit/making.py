"""Edits from effects: DPN-LE's, and the residual stream's mean difference that it is compared with."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.edit.controls import random_control as random_control
from workbench.edit.edit import Edit
from workbench.measure.effects import Effects
from workbench.select.selection import Selection
from workbench.vocabulary import sign_of


def rank_weights(d: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """DPN-LE_w's weight of each of a layer's selected neurons.

    Returns:
        `(k,)` from 0.75 at the least |d| to 1 at the greatest, evenly by rank; 1 where k = 1.

    Reference:
        Zheng et al. (2026), arXiv 2604.27929: w_i = 0.75 + 0.25 rank(|d_i|) / (k - 1).

    Example:
        >>> rank_weights(torch.tensor([-3.0, 1.0, 2.0])).tolist()
        [1.0, 0.75, 0.875]
    """
    k = d.numel()
    if k == 1:
        return torch.ones_like(d)
    rank = d.abs().argsort(stable=True).argsort(stable=True)
    return 0.75 + 0.25 * rank.to(d.dtype) / (k - 1)


_METHODS = {"dual": "DPN-LE", "magnitude-only": "magnitude only", "d-only": "d only", "npti": "NPTI's neurons"}


def dpn_edit(
    effects: Effects,
    selection: Selection,
    *,
    gamma: float = 1.0,
    direction: str = "increase",
    weighted: bool = False,
    neurons: Literal["both", "directional"] = "both",
    method: str | None = None,
) -> Edit:
    """Add `sign * gamma * s_i` to each selected neuron: DPN-LE, or any other rule's neurons edited its way.

    Args:
        gamma: the dose; 1 moves a neuron by the difference between the poles' means.
        direction: `increase` (sign +) or `decrease` (sign -) the trait.
        weighted: multiply by `rank_weights` over the layer's edited neurons (DPN-LE_w): with
            `directional` over that pole's alone, as the authors' code does.
        neurons: `both` edits High and Low; `directional` edits High alone to increase, Low alone to decrease.
        method: the arm's name; by default after the rule.

    Raises:
        ValueError: for an unknown direction or choice of neurons, a gamma that is not finite, or if no neuron
            is left to edit.
    """
    sign = sign_of(direction)
    if neurons not in ("both", "directional"):
        raise ValueError(f"neurons is 'both' or 'directional', but {neurons!r} arrived.")
    edited = selection.both
    if neurons == "directional":
        edited = selection.high if direction == "increase" else selection.low
    if not len(edited):
        raise ValueError(f"There is no neuron to {direction} {effects.trait} with: {selection!r} has none there.")
    deltas = {}
    for layer in sorted(set(edited.layer.tolist())):
        s, d = effects.at(layer)
        units = edited.at(layer)
        weights = torch.ones_like(s)
        if weighted:
            weights[units] = rank_weights(d[units])
        delta = torch.zeros_like(s)
        delta[units] = sign * weights[units] * s[units]
        deltas[layer] = delta
    name = method or _METHODS.get(selection.rule, selection.rule) + (" weighted" if weighted else "")
    return Edit.of(
        deltas,
        trait=effects.trait,
        method=name,
        direction=direction,
        site=effects.site,
        gamma=gamma,
        provenance={**effects.provenance, "rule": selection.rule, "neurons": neurons, "weighted": str(weighted)},
    )


def residual_edit(
    residual: Effects,
    edit: Edit,
    w_out: Mapping[int, Float[Tensor, "d_mlp d_model"]],
) -> Edit:
    """The residual stream's mean difference, as strong in each layer as what `edit` writes there.

    At every layer that `edit` touches, the direction of the poles' mean difference at `resid_post` is added
    with the norm of `delta @ W_out`: the contrastive-activation baseline (CAA, ActAdd), matched in norm.

    Args:
        residual: effects at `resid_post` of the same contrast.
        edit: the edit at `hook_post` to match, whose gamma and direction are kept.
        w_out: the down projection of each layer that `edit` touches.
    """
    sign = sign_of(edit.direction)
    deltas = {}
    for layer in edit.layers:
        difference, _ = residual.at(layer)
        write = (edit.with_gamma(1.0).delta(layer).to(w_out[layer].device) @ w_out[layer].float()).norm()
        deltas[layer] = sign * float(write) * difference / difference.norm()
    return Edit.of(
        deltas,
        trait=edit.trait,
        method="residual",
        direction=edit.direction,
        site=residual.site,
        gamma=edit.gamma,
        provenance={**residual.provenance, "matched": edit.method},
    )
