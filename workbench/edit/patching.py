"""Interchange: what inserting some neurons' activations from a matched prompt causes.

TransformerLens' own `tools.analysis.interchange` sets a dense subspace of one hook at one position, without padding
and without the state of a pass that edits rely on. Here many layers are set at once, for many sets on the same pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from workbench.contrast.contrast import Contrast
from workbench.edit.passes import (
    Poles,
    Started,
    layers_of,
    named_sets,
    neurons_set,
    poles_of,
    run_poles,
    scores,
    union,
)
from workbench.edit.readout import Metric
from workbench.measure.bootstrap import Interval
from workbench.measure.ratio import ratio_of_means, surely_above
from workbench.model.model import Model
from workbench.model.norms import normalises_mlp_output
from workbench.vocabulary import RESID_POST, NeuronSet, Pole

MODES = ("joint", "by_layer", "cumulative")
JOINT = -1
"""What stands for the layer where all layers are changed at once."""


@dataclass(frozen=True, eq=False)
class Condition:
    """One way in which a set of neurons is changed.

    Attributes:
        set: the set's name.
        mode: see `patch`.
        layer: the layer that the mode is at; -1 where all are changed at once.
        neurons: those of the set that are changed.
    """

    set: str
    mode: str
    layer: int
    neurons: NeuronSet


@dataclass(frozen=True, eq=False)
class Patching:
    """What inserting neurons' activations did in each pair, as a share of the whole way to the donor run.

    Over pairs, the share is a ratio of means: what the metric moved in all pairs together over the whole way in all
    pairs together. A mean of the pairs' own shares would rest on the pairs whose runs hardly differ.

    Attributes:
        trait: the contrast's trait.
        settings: what every row shares: direction, base, donor, positions, direct.
        table: a row for each condition and pair: set, mode, layer (-1: all of the set's layers), neurons, pair, the
            quantity (the pair's own share), the metric in each run (`base`, `donor` and `patched`), and the share's
            numerator and denominator in the metric's unit: `moved` and `whole`. Dropped pairs have no quantity.
        labels: by pole, the description id of each pair; intervals are clustered by it. Empty where none is known.
    """

    quantity: ClassVar[str] = "effect"

    trait: str
    settings: dict[str, str]
    table: pd.DataFrame
    labels: dict[Pole, tuple[str, ...]]

    def rows(self) -> pd.DataFrame:
        """A row per pair and condition, with the settings as columns."""
        return _with_settings(self.table.rename(columns=_METRIC_COLUMNS), self.trait, self.settings)

    def frame(self, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
        """A row per condition, with intervals over pairs, or over whole descriptions where they are known.

        Returns:
            columns trait, the settings, set, mode, layer, neurons, the quantity (over all pairs: the sum of what moved
            over the sum of the whole way) with `low` and `high`, `n` (pairs), `clusters`, and `dropped` (pairs left
            out because their runs agree). All three are nan where the interval of the mean whole way covers 0.
        """
        summaries = []
        for key, rows in self.table.groupby(["set", "mode", "layer"], sort=False):
            interval = self.interval(rows, level=level, resamples=resamples, seed=seed)
            assert isinstance(key, tuple)
            summaries.append(
                {
                    **dict(zip(("set", "mode", "layer"), key, strict=True)),
                    "neurons": int(rows["neurons"].iloc[0]),
                    self.quantity: interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "n": interval.n,
                    "clusters": interval.clusters,
                    "dropped": int(rows[self.quantity].isna().sum()),
                }
            )
        return _with_settings(pd.DataFrame(summaries), self.trait, self.settings)

    def values(self, name: str, *, mode: str = "joint", layer: int = JOINT) -> pd.DataFrame:
        """The rows of one condition, by pair.

        Raises:
            ValueError: if it was not run, with what was.
        """
        table = self.table
        rows = table[(table["set"] == name) & (table["mode"] == mode) & (table["layer"] == layer)]
        if rows.empty:
            ran = ", ".join(dict.fromkeys(f"{a} {b}" for a, b in zip(table["set"], table["mode"], strict=True)))
            raise ValueError(f"There is no row of set {name!r}, mode {mode!r}, layer {layer}; these were run: {ran}.")
        return rows

    def interval(self, rows: pd.DataFrame, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
        """The quantity over all of a condition's rows, without the dropped pairs, with its interval.

        Where both poles have descriptions, an interval is computed with the clusters of each, and the wider one is
        returned. A quantity that has no estimate by either is nan.

        Args:
            rows: with the columns pair, `moved`, `whole` and the quantity.
        """
        kept = rows[rows[self.quantity].notna()]
        intervals = [
            ratio_of_means(kept["moved"], kept["whole"], clusters=ids, level=level, resamples=resamples, seed=seed)
            for ids in self._clusters(kept)
        ]
        undefined = [interval for interval in intervals if np.isnan(interval.estimate)]
        return undefined[0] if undefined else max(intervals, key=lambda interval: interval.high - interval.low)

    def surely_above(self, rows: pd.DataFrame, column: str) -> float:
        """One-sided p-value of the hypothesis that the mean of a column over a condition's pairs is 0 or less.

        Where both poles have descriptions, a test is made with the clusters of each, and the larger p is returned. It
        is nan with a single cluster. Dropped pairs are left out.
        """
        kept = rows[rows[self.quantity].notna()]
        return float(np.max([surely_above(kept[column], clusters=ids) for ids in self._clusters(kept)]))

    def _clusters(self, kept: pd.DataFrame) -> list[np.ndarray | None]:
        """The labels of these rows' clusters, pole by pole."""
        return [np.asarray(ids)[kept["pair"]] for ids in self.labels.values()] or [None]

    def __repr__(self) -> str:
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        pairs = self.table["pair"].nunique()
        count = len(self.table) // pairs
        return f"{type(self).__name__}({self.trait!r}, {count} conditions on {pairs} pairs, {settings})"


_METRIC_COLUMNS = {"base": "base_metric", "donor": "donor_metric", "patched": "patched_metric"}


def patch(
    model: Model,
    contrast: Contrast,
    neurons: NeuronSet | Mapping[str, NeuronSet],
    *,
    direction: str = "increase",
    base: str = "opposite",
    mode: str | Sequence[str] = "joint",
    positions: Sequence[int] = (-1,),
    metric: Metric | None = None,
    direct: bool = False,
    max_tokens: int = 16_384,
) -> Patching:
    """Run the base prompts with some neurons set to what they do in each pair's donor prompt.

    Args:
        neurons: one set, called `selected`; or several by name, run on the same pairs.
        direction: `increase` inserts from high into low, `decrease` from low into high.
        base: `opposite` of the donor; or `neutral`, which asks whether the neurons suffice.
        mode: `joint` patches all of a set's layers at once, `by_layer` each alone, `cumulative` all up to each; or
            several of these.
        positions: counted from the prompts' end, where the template's common ending aligns them.
        metric: what is read from the final logits; by default their projection on the pair's own difference.
        direct: add what the change writes to the final residual stream instead, past every later layer. This is the
            effect on the logits that no other component passes on.

    Returns:
        effects as shares of the donor's, ratios of means over pairs: 0 is the base run, 1 the donor run; see
        `Patching.frame`.

    Raises:
        ValueError: for an unknown direction, base or mode, neurons or positions that do not fit, a direct effect of
            earlier positions or in a model that normalises the MLP's output, or if all pairs' runs agree.

    Reference:
        Geiger et al. (2021) on interchange; Vig et al. (2020) on direct and indirect effects.
    """
    sets, modes = named_sets(neurons), chosen_modes(mode)
    if direct:
        _check_direct(model, positions)
    poles = poles_of(contrast, direction, base)
    every = union(sets)
    runs = run_poles(model, contrast, poles, neurons=every, positions=positions, metric=metric, max_tokens=max_tokens)
    tables = []
    change = _written_directly if direct else inserted
    started = Started.of(model, runs.tokens[runs.base], positions, max_tokens=max_tokens)
    for condition in conditions(sets, modes):
        metrics = runs.scale.base
        if len(condition.neurons):
            with change(model, runs, condition.neurons):
                metrics = scores(model, runs.tokens[runs.base], runs.metric, max_tokens=max_tokens, started=started)
        moved, shares = metrics - runs.scale.base, runs.scale.share(metrics)
        tables.append(condition_rows(runs, condition, metrics, {Patching.quantity: shares, "moved": moved}))
    settings = {
        "direction": direction,
        "base": str(runs.base),
        "donor": str(runs.donor),
        "positions": " ".join(map(str, positions)),
        "direct": str(direct),
    }
    return Patching(contrast.trait, settings, pd.concat(tables, ignore_index=True), trait_labels(contrast, poles))


def inserted(model: Model, runs: Poles, neurons: NeuronSet) -> AbstractContextManager[None]:
    """The context in which each prompt runs with these neurons as they are in the donor prompt of its row."""
    donor = runs.values[runs.donor]
    values = {layer: donor.of(layer, neurons.at(layer)) for layer in layers_of(neurons)}
    return neurons_set(
        model, neurons, lambda layer, rows: values[layer][rows.to(values[layer].device)], positions=donor.positions
    )


def _written_directly(model: Model, runs: Poles, neurons: NeuronSet) -> AbstractContextManager[None]:
    """The context in which what the change of these neurons writes is added to the final residual stream alone."""
    write = torch.zeros(len(runs.tokens[runs.base]), model.d_model)
    for layer in layers_of(neurons):
        units = neurons.at(layer)
        donor, base = (runs.values[pole].of(layer, units)[:, 0].float().cpu() for pole in (runs.donor, runs.base))
        write += (donor - base) @ model.w_out(layer)[units.to(model.w_out(layer).device)].float().cpu()

    def add(residual: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        assert model.current is not None
        changed = residual.clone()
        changed[:, -1] += write[model.current.rows].to(residual)
        return changed

    return model.hooked_at(RESID_POST, model.n_layers - 1, add)


def conditions(sets: Mapping[str, NeuronSet], modes: Sequence[str]) -> Iterator[Condition]:
    """Every condition that the sets are run in."""
    for name, neurons in sets.items():
        for mode in modes:
            if mode == "joint":
                yield Condition(name, mode, JOINT, neurons)
                continue
            for layer in layers_of(neurons):
                changed = neurons.layer == layer if mode == "by_layer" else neurons.layer <= layer
                yield Condition(name, mode, layer, NeuronSet(neurons.layer[changed], neurons.neuron[changed]))


def condition_rows(
    runs: Poles,
    condition: Condition,
    metrics: Float64[Tensor, " pair"],
    quantity: Mapping[str, Float64[Tensor, " pair"]],
) -> pd.DataFrame:
    """The rows of one condition, as `Patching.table` holds them.

    Args:
        metrics: what the changed runs were read by.
        quantity: the share that follows from them, by its name, and its numerator, `moved`.
    """
    return pd.DataFrame(
        {
            "set": condition.set,
            "mode": condition.mode,
            "layer": condition.layer,
            "neurons": len(condition.neurons),
            "pair": np.arange(len(metrics)),
            **{name: values.numpy() for name, values in quantity.items()},
            "whole": (runs.scale.donor - runs.scale.base).numpy(),
            "base": runs.scale.base.numpy(),
            "donor": runs.scale.donor.numpy(),
            "patched": metrics.numpy(),
        }
    )


def trait_labels(contrast: Contrast, poles: Sequence[Pole]) -> dict[Pole, tuple[str, ...]]:
    """Description ids of the poles that show the trait; a neutral arm's few personas are no sample of anything."""
    return {
        pole: contrast.descriptions[pole]
        for pole in poles
        if pole is not Pole.NEUTRAL and pole in contrast.descriptions
    }


def chosen_modes(mode: str | Sequence[str]) -> tuple[str, ...]:
    """The modes asked for, without repeats.

    Raises:
        ValueError: naming those that there are not, or if none is asked for.
    """
    modes = (mode,) if isinstance(mode, str) else tuple(dict.fromkeys(mode))
    unknown = [name for name in modes if name not in MODES]
    if unknown or not modes:
        raise ValueError(f"The mode is among {', '.join(MODES)}, but {unknown or modes!r} arrived.")
    return modes


def _check_direct(model: Model, positions: Sequence[int]) -> None:
    if tuple(positions) != (-1,):
        raise ValueError(
            f"Only the last position writes to its logits directly, but positions {list(positions)} arrived. Leave "
            "positions at (-1,) for a direct effect."
        )
    if normalises_mlp_output(model):
        raise ValueError(
            f"{model.name} normalises what its MLPs write, so a neuron's change has no write of its own. Use "
            "direct=False."
        )


def _with_settings(table: pd.DataFrame, trait: str, settings: dict[str, str]) -> pd.DataFrame:
    return table.assign(trait=trait, **settings)[["trait", *settings, *table.columns]]
