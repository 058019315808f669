"""Controls of an edit: its values elsewhere or otherwise, which should move the trait less.

They keep the edit's values, so that the norm of the values is equal; what they write to the residual stream is not.
`Writing.matched` makes that equal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.edit import Edit
from workbench.measure.effects import Effects
from workbench.select.controls import match_quality
from workbench.vocabulary import NeuronSet

MOST_ALIKE = 0.7
"""The greatest cosine between an edit's values and a shuffle of them: less than half of its square is the edit."""
_FEW, _DRAWS = 5_040, 1_000  # permutations up to which all are listed; draws before a shuffle is given up


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

    A selection takes the largest |s|, so others are smaller: `match_ratio` in the provenance has the others' mean |s|
    over that of the edit's own.

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
    ratio = match_quality(edit.neurons, neurons, effects)["ratio"].iloc[-1]
    control = _moved(edit, moved, method="matched random", control="matched on count, layer and |s|")
    return replace(control, provenance={**control.provenance, "match_ratio": f"{ratio:.3f}"})


def shuffled_control(edit: Edit, *, seed: int = 0) -> Edit:
    """The same neurons, with their values permuted within each layer, unlike the edit itself.

    A permutation may leave most values where they were, or give a neuron one much like its own. Only those are drawn
    whose cosine with the edit, over all of its values, is at most `MOST_ALIKE`; the provenance has it as `cosine`.
    Other seeds give other draws; where there are fewer than a few thousand permutations, seeds go through all that are
    unlike the edit before one repeats.

    Raises:
        ValueError: if no permutation is unlike enough, as where a layer's values are much the same.
    """
    layers = [(edit.layer == layer).nonzero()[:, 0] for layer in edit.layers]
    ways = math.prod(math.factorial(len(units)) for units in layers)
    if ways <= _FEW:
        value, cosine = _one_of_few(edit, layers, seed)
    else:
        value, cosine = _drawn(edit, layers, seed)
    control = f"values shuffled in layers, seed {seed}"
    return _named(replace(edit, value=value), method="shuffled", control=control, cosine=f"{cosine:.3f}")


def _one_of_few(edit: Edit, layers: Sequence[Tensor], seed: int) -> tuple[Float[Tensor, " k"], float]:
    """One of all the different shuffles that are unlike the edit, by seed."""
    unlike: dict[tuple[float, ...], float] = {}
    for orders in product(*(permutations(units.tolist()) for units in layers)):
        value = edit.value.clone()
        for units, order in zip(layers, orders, strict=True):
            value[units] = edit.value[torch.tensor(order)]
        cosine = _cosine(value, edit.value)
        if cosine <= MOST_ALIKE:
            unlike[tuple(value.tolist())] = cosine
    if not unlike:
        raise _too_alike(edit)
    order = torch.randperm(len(unlike), generator=torch.Generator().manual_seed(0))
    turn = seed % 1000 + seed // 1000  # draws' seeds go up by one, or by thousands
    value, cosine = list(unlike.items())[int(order[turn % len(unlike)])]
    return torch.tensor(value, dtype=edit.value.dtype), cosine


def _drawn(edit: Edit, layers: Sequence[Tensor], seed: int) -> tuple[Float[Tensor, " k"], float]:
    """A random shuffle that is unlike the edit."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(_DRAWS):
        value = edit.value.clone()
        for units in layers:
            value[units] = edit.value[units[torch.randperm(len(units), generator=generator)]]
        cosine = _cosine(value, edit.value)
        if cosine <= MOST_ALIKE:
            return value, cosine
    raise _too_alike(edit)


def _cosine(one: Float[Tensor, " k"], other: Float[Tensor, " k"]) -> float:
    return float(torch.nn.functional.cosine_similarity(one.double(), other.double(), dim=0))


def _too_alike(edit: Edit) -> ValueError:
    return ValueError(
        f"A shuffle of {edit!r} that differs from it (cosine at most {MOST_ALIKE:g}) was not found: its values in a "
        "layer are too few or too much alike. Leave this control out, or select more neurons."
    )


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


def _named(edit: Edit, *, method: str, control: str, **said: str) -> Edit:
    return replace(edit, method=method, provenance={**edit.provenance, "control": control, **said})


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
