"""Controls of an edit: edits that are as strong as it in every layer but should move the trait less."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.edit import Edit
from workbench.measure.effects import Effects
from workbench.vocabulary import NeuronSet


def random_control(edit: Edit, *, seed: int = 0) -> Edit:
    """The edit's values on random other neurons of the same layers: equal in count and norm, layer by layer.

    Raises:
        ValueError: if a layer has too few other neurons.
    """
    generator = torch.Generator().manual_seed(seed)
    moved = {}
    for layer in edit.layers:
        edited = edit.unit[edit.layer == layer]
        others = torch.ones(edit.width, dtype=torch.bool)
        others[edited] = False
        free = others.nonzero()[:, 0]
        if free.numel() < edited.numel():
            raise ValueError(
                f"Layer {layer} has {edit.width} neurons of which {edited.numel()} are edited: too few are left for a "
                "control of as many others."
            )
        moved[layer] = free[torch.randperm(free.numel(), generator=generator)[: edited.numel()]]
    return _moved(edit, moved, method="random", control=f"random, seed {seed}")


def matched_control(edit: Edit, neurons: NeuronSet, effects: Effects) -> Edit:
    """The edit's values on other neurons that match its own in |s|, paired by the rank of |s| in each layer.

    Args:
        neurons: in every layer that `edit` touches, as many others, with an |s| like that of its own.
        effects: their mean difference s ranks both.

    Raises:
        ValueError: if a neuron is the edit's own, or a layer's counts differ.
    """
    shared = len(edit.neurons & neurons)
    if shared:
        raise ValueError(f"A control uses other neurons, but {shared} of these are the edit's own.")
    counts = {layer: (int((edit.layer == layer).sum()), len(neurons.at(layer))) for layer in edit.layers}
    wrong = {layer: count for layer, count in counts.items() if count[0] != count[1]}
    if wrong or len(neurons) != len(edit):
        layer, (wanted, arrived) = next(iter(wrong.items()), (None, (len(edit), len(neurons))))
        where = "in all" if layer is None else f"in layer {layer}"
        raise ValueError(f"A matched control has as many neurons, but {where} {arrived} arrived for {wanted}.")
    moved = {}
    for layer in edit.layers:
        s = effects.at(layer)[0].abs()
        edited, others = edit.unit[edit.layer == layer], neurons.at(layer)
        matched = torch.empty_like(edited)
        matched[s[edited].argsort(stable=True)] = others[s[others].argsort(stable=True)]
        moved[layer] = matched
    return _moved(edit, moved, method="matched random", control="matched on count, layer and |s|")


def shuffled_control(edit: Edit, *, seed: int = 0) -> Edit:
    """The same neurons, with their values permuted within each layer."""
    generator = torch.Generator().manual_seed(seed)
    value = edit.value.clone()
    for layer in edit.layers:
        at_layer = (edit.layer == layer).nonzero()[:, 0]
        value[at_layer] = edit.value[at_layer[torch.randperm(len(at_layer), generator=generator)]]
    return _named(replace(edit, value=value), method="shuffled", control=f"values shuffled in layers, seed {seed}")


def flipped_control(edit: Edit) -> Edit:
    """The same neurons, pushed the other way.

    Raises:
        ValueError: if the edit does not add.
    """
    _require_add(edit)
    return _named(replace(edit, value=-edit.value), method="flipped", control="sign flipped")


def other_trait_control(
    edit: Edit, other: Edit, *, w_out: Mapping[int, Float[Tensor, "d_mlp d_model"]] | None = None
) -> Edit:
    """Another trait's edit, as strong in each layer as `edit`, and labelled with `edit`'s trait and direction.

    Where `other` lacks some of `edit`'s layers, those that both have are made stronger, so that the whole is as strong.

    Args:
        other: another trait's edit at the same site; only its values in `edit`'s layers are used.
        w_out: match the norm of what is written, `delta @ W_out`, instead of the norm of the values.

    Raises:
        ValueError: if either does not add, the sites differ, or there is no layer in common.
    """
    _require_add(edit, other)
    if (edit.site, edit.width) != (other.site, other.width):
        raise ValueError(
            f"Both edits are at one site, but {edit.site} ({edit.width}) met {other.site} ({other.width})."
        )

    def strength(measured: Edit, layer: int) -> float:
        delta = measured.with_gamma(1.0).delta(layer)
        return float(delta.norm() if w_out is None else (delta.to(w_out[layer].device) @ w_out[layer].float()).norm())

    aimed = {layer: strength(edit, layer) for layer in edit.layers}
    shared = [layer for layer in edit.layers if layer in other.layers]
    if not shared:
        raise ValueError(f"{other!r} has no layer of {edit!r}: it edits {list(other.layers)}, not {list(aimed)}.")
    carried = sum(aimed[layer] ** 2 for layer in shared) ** 0.5
    lift = sum(norm**2 for norm in aimed.values()) ** 0.5 / carried if len(shared) < len(aimed) else 1.0
    plain = other.with_gamma(1.0)
    control = Edit.of(
        {layer: plain.delta(layer) * (lift * aimed[layer] / strength(other, layer)) for layer in shared},
        trait=edit.trait,
        method="other trait",
        direction=edit.direction,
        site=edit.site,
        gamma=edit.gamma,
        provenance=edit.provenance,
    )
    norm = "values" if w_out is None else "write"
    return _named(control, method="other trait", control=f"{other.direction} {other.trait}, matched in {norm} norm")


def _require_add(*edits: Edit) -> None:
    for edit in edits:
        if edit.operation != "add":
            raise ValueError(f"This control is of edits that add, but {edit!r} has operation {edit.operation!r}.")


def _moved(edit: Edit, moved: Mapping[int, Int[Tensor, " k"]], *, method: str, control: str) -> Edit:
    """The edit with each layer's values on other units, in the same order."""
    unit, value = edit.unit.clone(), edit.value.clone()
    for layer, units in moved.items():
        at_layer = edit.layer == layer
        order = units.argsort()
        unit[at_layer], value[at_layer] = units[order], edit.value[at_layer][order]
    return _named(replace(edit, unit=unit, value=value), method=method, control=control)


def _named(edit: Edit, *, method: str, control: str) -> Edit:
    return replace(edit, method=method, provenance={**edit.provenance, "control": control})


def random_direction_control(edit: Edit, *, seed: int = 0) -> Edit:
    """A random direction in each layer, of the norm that the edit has there; for edits of every unit of a layer.

    Raises:
        ValueError: if the edit does not add.
    """
    _require_add(edit)
    generator = torch.Generator().manual_seed(seed)
    value = edit.value.clone()
    for layer in edit.layers:
        here = edit.layer == layer
        drawn = torch.randn(int(here.sum()), generator=generator)
        value[here] = drawn * (edit.value[here].norm() / drawn.norm())
    return _named(replace(edit, value=value), method="random", control=f"random direction, seed {seed}")
