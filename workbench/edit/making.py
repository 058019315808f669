"""Edits from effects: DPN-LE's, and the residual stream's mean difference that it is compared with."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.edit.controls import random_control as random_control
from workbench.edit.edit import Edit
from workbench.edit.writing import Writing
from workbench.measure.effects import Effects
from workbench.select.selection import Selection
from workbench.vocabulary import RESID_POST, sign_of


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


def caa_edit(
    residual: Effects,
    *,
    layers: Sequence[int],
    gamma: float = 1.0,
    direction: str = "increase",
) -> Edit:
    """Contrastive activation addition as published: the poles' mean difference at `resid_post`, added times gamma.

    Args:
        residual: effects at `resid_post`.
        layers: where it is added; as published, one.

    Raises:
        ValueError: for an unknown direction, effects of another site, or a layer that they lack.

    Reference:
        Rimsky et al. (2024), Steering Llama 2 via Contrastive Activation Addition.
    """
    sign = sign_of(direction)
    if residual.site != RESID_POST.name:
        raise ValueError(
            f"The residual stream is shifted at {RESID_POST.name}, but these effects are of {residual.site}. "
            f"Capture site={RESID_POST.name!r}."
        )
    return Edit.of(
        {layer: sign * residual.at(layer)[0] for layer in layers},
        trait=residual.trait,
        method="CAA",
        direction=direction,
        site=residual.site,
        gamma=gamma,
        provenance=residual.provenance,
    )


def residual_edit(
    residual: Effects,
    edit: Edit,
    *,
    writing: Writing,
    layer: int | None = None,
) -> Edit:
    """The residual stream's mean difference (CAA, ActAdd), as strong as what the whole of `edit` writes.

    At every layer that `edit` touches, or at one, the direction of the poles' mean difference at `resid_post` is
    added. Its norm in a layer is in proportion to what `edit` writes there, and the norm of all that is added together
    is that of all that `edit` writes; see `Writing`.

    Args:
        residual: effects at `resid_post` of the same contrast.
        edit: the edit to match, whose gamma and direction are kept.
        writing: how the model writes, e.g. `Writing.of(model)`.
        layer: the only layer to add at; None for those of `edit`.

    Raises:
        ValueError: as `caa_edit` and `Writing.norm`.
    """
    aimed = writing.norm(edit).by_layer if layer is None else {layer: 1.0}
    plain = caa_edit(residual, layers=tuple(aimed), direction=edit.direction)
    deltas = {at: norm * plain.delta(at) / plain.delta(at).norm() for at, norm in aimed.items()}
    shaped = Edit.of(
        deltas,
        trait=edit.trait,
        method="residual" if layer is None else "residual one layer",
        direction=edit.direction,
        site=residual.site,
        gamma=edit.gamma,
        provenance={**residual.provenance, "matched": edit.method},
    )
    return writing.matched(shaped, edit)
