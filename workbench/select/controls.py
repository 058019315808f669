"""Neurons to compare a selection with: as many, in the same layers, as near in magnitude as there are."""

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
    """Random other neurons, as many in each layer, each drawn from those nearest in magnitude to a neuron of the set.

    A selection takes the largest magnitudes, so its controls are smaller: `match_quality` says by how much.

    Args:
        by: the measure whose absolute value is matched; see `Effects.measure`.
        exclude: neurons that may not be drawn, besides the set itself.
        window: each is drawn from this many of the nearest that are left; 1 takes the nearest.

    Raises:
        ValueError: if a layer has too few other neurons, the effects lack a layer, or `window` is not positive.
    """
    if window < 1:
        raise ValueError(f"window is how many of the nearest to draw from, at least 1, but {window} arrived.")
    magnitude, places = _magnitudes(neurons, effects, by)
    banned = neurons if exclude is None else neurons | exclude
    generator = torch.Generator().manual_seed(seed)
    drawn: list[tuple[int, int]] = []
    for layer, row in places.items():
        members, values = neurons.at(layer), magnitude[row]
        free = torch.isfinite(values)
        free[banned.at(layer)] = False
        if int(free.sum()) < len(members):
            raise ValueError(
                f"Layer {layer} has {effects.width} neurons, of which {int(free.sum())} may be controls, but "
                f"{len(members)} are to be matched. Exclude fewer, or select fewer."
            )
        # In a random order, so that no member always chooses first.
        for member in members[torch.randperm(len(members), generator=generator)]:
            left = free.nonzero()[:, 0]
            apart = (values[left] - values[member]).abs()
            nearest = left[apart.argsort(stable=True)[:window]]
            one = int(nearest[torch.randint(len(nearest), (1,), generator=generator)])
            free[one] = False
            drawn.append((layer, one))
    return NeuronSet.of(drawn)


def match_quality(
    neurons: NeuronSet, control: NeuronSet, effects: Effects, *, by: str = "mean_difference"
) -> pd.DataFrame:
    """How near a control comes to a set in magnitude.

    Returns:
        a row per layer and a last one of all layers (layer -1): columns layer, neurons, set, control (mean magnitude
        in the measure's unit), ratio (control over set; 1 is a perfect match).

    Raises:
        ValueError: if the two differ in how many neurons a layer has.
    """
    magnitude, places = _magnitudes(neurons, effects, by)
    if sorted(neurons.layer.tolist()) != sorted(control.layer.tolist()):
        raise ValueError(
            f"A set and its control have as many neurons in each layer, but {neurons!r} and {control!r} do not."
        )
    own, other = (_taken(magnitude, places, each) for each in (neurons, control))
    rows = [_quality(layer, own[neurons.layer == layer], other[control.layer == layer]) for layer in places]
    return pd.DataFrame([*rows, _quality(-1, own, other)])


def _magnitudes(neurons: NeuronSet, effects: Effects, by: str) -> tuple[Float[Tensor, "layer d_mlp"], dict[int, int]]:
    """Magnitudes of every neuron, and the row of each layer that the set has neurons in."""
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


def _taken(magnitude: Float[Tensor, "layer d_mlp"], places: dict[int, int], neurons: NeuronSet) -> Float[Tensor, " k"]:
    rows: Int[Tensor, " k"] = torch.tensor([places[layer] for layer in neurons.layer.tolist()])
    return magnitude[rows, neurons.neuron]


def _quality(layer: int, own: Float[Tensor, " k"], other: Float[Tensor, " k"]) -> dict[str, int | float]:
    means = own.mean().item(), other.mean().item()
    ratio = means[1] / means[0] if means[0] else float("nan")
    return {"layer": layer, "neurons": len(own), "set": means[0], "control": means[1], "ratio": ratio}
