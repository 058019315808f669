"""Which neurons a setting chooses, for the map, and why it leaves one out."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from workbench.explore.settings import Settings
from workbench.measure.effects import Effects
from workbench.select.criteria import magnitude_threshold
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection


@dataclass(frozen=True, eq=False)
class Chosen:
    """A trait's neurons at some settings.

    Attributes:
        settings: the settings.
        layers: those of the range.
        selection: what was chosen; None where nothing was.
        why_empty: then the criterion that left nothing, else empty.
        thresholds: columns layer, threshold: tau_q of |s|, in activation units.
    """

    settings: Settings
    layers: tuple[int, ...]
    selection: Selection | None
    why_empty: str
    thresholds: pd.DataFrame

    @classmethod
    def of(cls, effects: Effects, settings: Settings, layers: tuple[int, ...]) -> "Chosen":
        """What the settings choose among `layers`."""
        here = effects.restrict(layers)
        tau_q = magnitude_threshold(here.mean_difference, settings.quantile)
        selection, why = None, ""
        try:
            selection = select_neurons(here, rule=settings.rule, quantile=settings.quantile, min_d=settings.min_d)
        except ValueError as error:
            why = str(error)
        return cls(settings, layers, selection, why, pd.DataFrame({"layer": here.layers, "threshold": tau_q.numpy()}))

    @property
    def counts(self) -> pd.DataFrame:
        """Columns trait, layer, pole, neurons: how many were chosen where."""
        if self.selection is not None:
            return self.selection.counts()
        rows = [(self.settings.trait, layer, pole, 0) for pole in ("high", "low") for layer in self.layers]
        return pd.DataFrame(rows, columns=["trait", "layer", "pole", "neurons"])

    def pole(self, layer: int, neuron: int) -> str:
        """The pole under which a neuron was chosen; empty where it was not."""
        if self.selection is None:
            return ""
        held = {"high": self.selection.high, "low": self.selection.low}
        return next((pole for pole, neurons in held.items() if (layer, neuron) in neurons), "")

    def reason(self, effects: Effects, layer: int, neuron: int) -> str:
        """Whether a neuron is chosen, and by which criterion it is, or is not, in a sentence."""
        if layer not in self.layers:
            low, high = self.layers[0], self.layers[-1]
            return f"Not chosen: layer {layer} is outside the range, {low} to {high}."
        s, d = (float(values[neuron].abs()) for values in effects.at(layer))
        threshold = float(self.thresholds.set_index("layer").loc[layer, "threshold"])  # type: ignore[arg-type]
        asked = {
            "magnitude": (s > threshold, f"|s| {s:.3g}", f"tau_q {threshold:.3g}"),
            "d": (d > self.settings.min_d, f"|d| {d:.2f}", f"tau_d {self.settings.min_d:g}"),
        }
        wanted = {"dual": ("magnitude", "d"), "magnitude-only": ("magnitude",), "d-only": ("d",)}[self.settings.rule]
        lacking = [f"{value} is not above {bound}" for passes, value, bound in map(asked.get, wanted) if not passes]  # type: ignore[misc]
        if lacking:
            return f"Not chosen: {' and '.join(lacking)}."
        met = " and ".join(f"{value} is above {bound}" for _, value, bound in map(asked.get, wanted))  # type: ignore[misc]
        return f"Chosen as a {self.pole(layer, neuron).capitalize()} neuron: {met}."


def marked(frame: pd.DataFrame, chosen: Chosen, *, layers: Iterable[int]) -> pd.DataFrame:
    """The rows of some layers of an effects' frame, with `trait`, and `selected`: a chosen neuron's pole, or empty."""
    rows = frame[frame["layer"].isin(list(layers))].assign(trait=chosen.settings.trait)
    if chosen.selection is None:
        return rows.assign(selected="")
    poles = chosen.selection.frame().set_index(["layer", "neuron"])["pole"].rename("selected")
    rows = rows.join(poles, on=["layer", "neuron"])
    return rows.assign(selected=rows["selected"].fillna(""))


def rank_of(values: Float[Tensor, " d_mlp"], neuron: int) -> int:
    """The place of a neuron's magnitude in its layer; 1 is the largest."""
    sizes = values.abs()
    return 1 + int((sizes > sizes[neuron]).sum())
