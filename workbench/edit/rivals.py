"""Published ways to steer a trait, each as an edit of comparable strength."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from workbench.capture.tally import Tally
from workbench.edit.edit import Composite, Edit
from workbench.edit.npti import npti_from_values, npti_values
from workbench.edit.writing import Writing
from workbench.measure.effects import Effects, effect_sizes
from workbench.model.model import Model
from workbench.select.rules import select_neurons
from workbench.vocabulary import HOOK_PRE, Pole, Z, sign_of

# NPTI takes at least 2,000 neurons a pole, and was published for LLaMA-3-8B.
PUBLISHED_LEAST, PUBLISHED_NEURONS = 2_000, 32 * 14_336


def npti_edit(
    tally: Tally,
    *,
    direction: str = "increase",
    gamma: float = 1.4,
    min_delta: float = 0.1,
    min_neurons: int | None = None,
    mask: float = 0.0,
    seed: int = 0,
    activation: Callable[[Tensor], Tensor] = torch.nn.functional.silu,
) -> Composite:
    """NPTI: silence the other pole's neurons and drive the own pole's, at the activation function's output a.

    With delta the difference between the poles' shares of positive a, own minus other: where the other pole leads,
    `a <- min(a, 0)` at any gamma above 0; where the own pole leads, `a <- a + gamma * q95 * sigmoid(10 (delta -
    0.15))`, q95 being the 95th percentile of a on the own pole. Published with scope `decode`.

    Args:
        tally: a capture at `hook_pre` of the answers' tokens, with `positive=True` and `sample=`.
        direction: `increase` takes the high pole for its own, `decrease` the low one.
        min_delta: the least difference of a chosen neuron.
        min_neurons: where fewer pass in a pole, this many of the most different are taken; by default 2,000, and in
            a model smaller than LLaMA-3-8B the same share of its neurons.
        mask: share of the own pole's neurons that each step leaves out; the released code has 0.1, unseeded.
        activation: the model's activation function, as `model.activation_function(layer)` gives it.

    Raises:
        ValueError: for a tally of another site or without counts above zero or a sample, an unknown direction, or
            if no neuron differs.

    Reference:
        Deng et al. (2025), Neuron-based Personality Trait Induction in Large Language Models.
    """
    sign_of(direction)
    if tally.site != HOOK_PRE.name:
        raise ValueError(f"NPTI's neurons are at hook_pre, but this tally is of {tally.site}. Capture site='hook_pre'.")
    poles = (Pole.HIGH, Pole.LOW) if direction == "increase" else (Pole.LOW, Pole.HIGH)
    total = len(tally.layers) * tally.width
    least = min_neurons
    if least is None:
        least = min(PUBLISHED_LEAST, max(1, round(total * PUBLISHED_LEAST / PUBLISHED_NEURONS)))
    tally.probability_positive(poles[0])  # raises with what is missing
    effects = effect_sizes(tally)
    chosen = select_neurons(effects, rule="npti", min_probability=min_delta, least=least)
    neurons = {Pole.HIGH: chosen.high, Pole.LOW: chosen.low}
    driven, silenced = (npti_values(tally, neurons[pole], pole=pole, activation=activation) for pole in poles)
    return npti_from_values(
        driven,
        silenced,
        trait=tally.trait,
        width=tally.width,
        direction=direction,
        gamma=gamma,
        mask=mask,
        seed=seed,
        provenance={**tally.provenance, "rule": "npti", "min_delta": f"{min_delta:g}", "min_neurons": str(least)},
    )


def head_edit(
    heads: Effects,
    edit: Edit,
    *,
    model: Model,
    k: int | None = None,
    matched: Literal["total", "layer"] = "total",
    writing: Writing | None = None,
) -> Edit:
    """The mean difference of the attention heads that differ most, as strong as what `edit` writes.

    A head's score is the norm of its coordinates' Cohen's d.

    Args:
        heads: effects at `z` of the same contrast; the layers they cover are those that may be edited.
        edit: the edit at `hook_post` to match, whose gamma and direction are kept.
        model: whose projections say what is written.
        k: heads to edit; by default 5 % of those that the effects cover. With `matched="layer"`, in each layer.
        matched: `total` takes the k best of all and matches the norm of all that is written together; `layer` takes
            the k best of each layer that `edit` touches and matches the norm in each layer.
        writing: how the model writes; by default `Writing.of(model)`, which is enough unless norms follow its layers.

    Raises:
        ValueError: if the effects are of another site, lack a layer, or there are not k heads.

    Reference:
        Li et al. (2023), Inference-Time Intervention; Zhu et al. (2025), Personality Alignment (PAS).
    """
    sign = sign_of(edit.direction)
    if heads.site != Z.name:
        raise ValueError(f"Heads are shifted at z, but these effects are of {heads.site}. Capture site='z'.")
    if matched not in ("total", "layer"):
        raise ValueError(f"The strength is matched in 'total' or by 'layer', but {matched!r} arrived.")
    layers = edit.layers if matched == "layer" else heads.layers
    heads = heads.restrict(layers)
    count = int(model.hooked.cfg.n_heads)
    score = heads.cohens_d.unflatten(1, (count, -1)).norm(dim=2)  # (layer, head)
    pools = score if matched == "layer" else score.flatten()[None]
    wanted = max(1, round(0.05 * pools.shape[1])) if k is None else k
    if not 1 <= wanted <= pools.shape[1]:
        raise ValueError(f"k is from 1 to the {pools.shape[1]} heads to choose from, but it is {wanted}.")
    best = torch.zeros_like(pools, dtype=torch.bool).scatter_(1, pools.topk(wanted, dim=1).indices, True)
    chosen = best.view_as(score).repeat_interleave(heads.width // count, dim=1)
    shaped = Edit.of(
        dict(zip(heads.layers, sign * heads.mean_difference * chosen, strict=True)),
        trait=edit.trait,
        method="heads",
        direction=edit.direction,
        site=Z.name,
        gamma=edit.gamma,
        provenance={**heads.provenance, "matched": f"{edit.method}, {matched}", "heads": str(int(best.sum()))},
    )
    writing = writing or Writing.of(model)
    if matched == "total":
        return writing.matched(shaped, edit)
    value = shaped.value.clone()
    for layer, aimed in writing.norm(edit).by_layer.items():
        here = shaped.layer == layer
        alone = replace(shaped, layer=shaped.layer[here], unit=shaped.unit[here], value=value[here])
        value[here] *= writing.factor(alone, aimed)
    return writing.compared(replace(shaped, value=value), edit)
