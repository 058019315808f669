"""Neurons to compare a selection with: equally many, in the same layers, and of similar magnitude."""

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.measure.effects import Effects
from workbench.vocabulary import NeuronSet


def matched_neurons(
    neurons: NeuronSet,
    effects: Effects,
    *,
    by: str = "mean_difference",
    exclude: NeuronSet | None = None,
    window: int = 10,
    seed: int = 0,
) -> NeuronSet:
    """Random other neurons, equally many in each layer, each drawn from those nearest in magnitude to one of the set.

    A selection takes the largest magnitudes, so its controls are smaller; `match_quality` reports by how much.

    Args:
        by: the measure whose absolute value is matched; see `Effects.measure`.
        exclude: neurons that may not be drawn, besides the set itself.
        window: each control is drawn from this many of the nearest free neurons; 1 takes the nearest.

    Raises:
        ValueError: if a layer has too few other neurons, the effects lack a layer, or `window` is not positive.
    """
    if window < 1:
        raise ValueError(f"window is how many of the nearest to draw from, at least 1, but {window} arrived.")
    magnitude, row_of = _magnitudes(neurons, effects, by)
    banned = neurons if exclude is None else neurons | exclude
    generator = torch.Generator().manual_seed(seed)
    drawn: list[tuple[int, int]] = []
    for layer, row in row_of.items():
        members, values = neurons.at(layer), magnitude[row]
        free = torch.isfinite(values)
        free[banned.at(layer)] = False
        if int(free.sum()) < len(members):
            raise ValueError(
                f"Layer {layer} has {effects.width} neurons, of which {int(free.sum())} may be controls, but "
                f"{len(members)} are to be matched. Exclude fewer, or select fewer."
            )
        # In a random order, so that no member always gets the first choice.
        for member in members[torch.randperm(len(members), generator=generator)]:
            candidates = free.nonzero()[:, 0]
            apart = (values[candidates] - values[member]).abs()
            nearest = candidates[apart.argsort(stable=True)[:window]]
            control = int(nearest[torch.randint(len(nearest), (1,), generator=generator)])
            free[control] = False
            drawn.append((layer, control))
    return NeuronSet.of(drawn)


def match_quality(
    neurons: NeuronSet, control: NeuronSet, effects: Effects, *, by: str = "mean_difference"
) -> pd.DataFrame:
    """How similar a control is to a set in magnitude.

    Returns:
        a row for each layer and a last one for all layers (layer -1): columns layer, neurons, set and control (mean
        magnitude in the measure's unit), ratio (control over set; 1 is a perfect match).

    Raises:
        ValueError: if the two differ in how many neurons they have in a layer.
    """
    magnitude, row_of = _magnitudes(neurons, effects, by)
    if sorted(neurons.layer.tolist()) != sorted(control.layer.tolist()):
        raise ValueError(
            f"A set and its control have as many neurons in each layer, but {neurons!r} and {control!r} do not."
        )
    of_set, of_control = (_taken(magnitude, row_of, each) for each in (neurons, control))
    rows = [_quality(layer, of_set[neurons.layer == layer], of_control[control.layer == layer]) for layer in row_of]
    return pd.DataFrame([*rows, _quality(-1, of_set, of_control)])


def _magnitudes(neurons: NeuronSet, effects: Effects, by: str) -> tuple[Float[Tensor, "layer d_mlp"], dict[int, int]]:
    """The magnitude of every neuron, and the row of each layer in which the set has neurons."""
    layers = sorted(set(neurons.layer.tolist()))
    lacking = [layer for layer in layers if layer not in effects.layers]
    if not layers or lacking:
        raise ValueError(
            f"A control needs effects in every layer of a set that is not empty, but {neurons!r} came with effects "
            f"of layers {list(effects.layers)}."
        )
    if int(neurons.neuron.max()) >= effects.width:
        raise ValueError(
            f"The effects are of {effects.width} neurons a layer, but the set has neuron {int(neurons.neuron.max())}."
        )
    magnitude = torch.nan_to_num(effects.measure(by).double().abs().cpu(), nan=torch.nan)
    return magnitude, {layer: effects.layers.index(layer) for layer in layers}


def _taken(magnitude: Float[Tensor, "layer d_mlp"], row_of: dict[int, int], neurons: NeuronSet) -> Float[Tensor, " k"]:
    rows: Int[Tensor, " k"] = torch.tensor([row_of[layer] for layer in neurons.layer.tolist()])
    return magnitude[rows, neurons.neuron]


def _quality(layer: int, of_set: Float[Tensor, " k"], of_control: Float[Tensor, " k"]) -> dict[str, int | float]:
    means = of_set.mean().item(), of_control.mean().item()
    ratio = means[1] / means[0] if means[0] else float("nan")
    return {"layer": layer, "neurons": len(of_set), "set": means[0], "control": means[1], "ratio": ratio}
