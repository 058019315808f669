"""Ablation: what is lost when the activations of some neurons are replaced by ones that say nothing of the prompt."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from workbench.contrast.contrast import Contrast
from workbench.edit.passes import (
    NeuronValues,
    Started,
    check_neurons,
    check_positions,
    final_logits,
    layers_of,
    named_sets,
    neurons_read,
    neurons_set,
    poles_of,
    require_pole,
    run_poles,
    scores,
    union,
)
from workbench.edit.patching import Patching, chosen_modes, condition_rows, conditions, trait_labels
from workbench.edit.readout import Metric
from workbench.model.model import Model
from workbench.vocabulary import NeuronSet, Pole

KINDS = ("zero", "mean", "resample")


@dataclass(frozen=True, eq=False)
class Ablation(Patching):
    """What is lost without some neurons in each pair, as a share of the distance between the two poles' runs.

    As `Patching`, with `lost` for `effect`: 0 where nothing is lost, 1 where the run reads like the other pole's, more
    where it lies beyond. `moved` is how far the metric has fallen back from the pole's own run.
    """

    quantity: ClassVar[str] = "lost"


def reference_values(
    model: Model,
    contrast: Contrast,
    neurons: NeuronSet,
    *,
    poles: Sequence[Pole | str] = ("high", "low"),
    max_tokens: int = 16_384,
) -> NeuronValues:
    """The activations of `neurons` at the last token of every prompt of some poles, one pole after another.

    Raises:
        ValueError: for a pole that the contrast lacks, or neurons that the model lacks.
    """
    check_neurons(model, neurons)
    prompts = []
    for pole in map(Pole, poles):
        require_pole(contrast, pole)
        prompts += contrast.poles[pole]
    tokens = model.tokens(prompts)
    with neurons_read(model, neurons, (-1,), rows=len(tokens)) as values:
        for _ in final_logits(model, tokens, max_tokens=max_tokens):
            pass
    return values


@contextmanager
def ablated(
    model: Model,
    neurons: NeuronSet,
    *,
    kind: str = "zero",
    values: NeuronValues | None = None,
    positions: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
    seed: int = 0,
) -> Iterator[None]:
    """Run `model` with the activations of `neurons` replaced; no hook is left behind, whatever happens.

    Args:
        kind: what replaces them: `zero`; `mean`, over the prompts of `values`; or `resample`, the activations in one
            of those prompts, the same prompt for all neurons, so that they still fit each other.
        values: from `reference_values`, for `mean` and `resample`.
        positions: counted from the end; None is every position, of the prompt and of the answer.
        rows: which prompt of `values` each prompt of the run takes, for `resample`; by default seeded draws.

    Raises:
        ValueError: for an unknown kind, neurons that the model or `values` lack, or `values` that are missing.
    """
    if kind not in KINDS:
        raise ValueError(f"An ablation is {', '.join(KINDS)}, but {kind!r} arrived.")
    check_neurons(model, neurons)
    held: dict[int, Tensor] = {}
    if kind != "zero" and len(neurons):
        if values is None:
            raise ValueError(f"A {kind} ablation needs values=, e.g. of reference_values(model, contrast, neurons).")
        lacking = set(neurons) - set(values.neurons)
        if lacking:
            raise ValueError(f"values= must hold every neuron that is ablated, but it lacks {sorted(lacking)[:3]}.")
        held = {layer: values.of(layer, neurons.at(layer))[:, -1] for layer in layers_of(neurons)}
        if kind == "mean":
            held = {layer: values.double().mean(0).to(values.dtype) for layer, values in held.items()}

    def value(layer: int, batch: Int[Tensor, " batch"]) -> Tensor:
        if kind == "zero":
            return torch.zeros(())
        if kind == "mean":
            return held[layer]
        prompts = _drawn(batch, len(held[layer]), seed) if rows is None else torch.tensor(list(rows))[batch]
        return held[layer][prompts.to(held[layer].device)][:, None]

    with neurons_set(model, neurons, value, positions=positions):
        yield


def ablate(
    model: Model,
    contrast: Contrast,
    neurons: NeuronSet | Mapping[str, NeuronSet],
    *,
    kind: str = "zero",
    pole: str = "high",
    base: str = "opposite",
    reference: str = "opposite",
    mode: str | Sequence[str] = "joint",
    positions: Sequence[int] | None = (-1,),
    metric: Metric | None = None,
    seed: int = 0,
    max_tokens: int = 16_384,
) -> Ablation:
    """Run a pole's prompts without some neurons, and measure how far the readout falls back to another pole's.

    Args:
        neurons: one set, called `selected`; or several by name, run on the same pairs.
        kind: see `ablated`.
        pole: whose prompts are run, `high` or `low`.
        base: the run that counts as a loss of 1: that of the `opposite` pole, or of the `neutral` arm.
        reference: whose activations `mean` and `resample` take: the `opposite` pole's, the `neutral` arm's, or those
            of `both` poles. `resample` never takes those of the prompt itself or of its pair.
        mode, metric: as in `patch`.
        positions: as in `patch`; None is every position.
        seed: draws the prompts of `resample`.

    Returns:
        shares lost, ratios of means over pairs: 0 is the pole's own run, 1 the base's; see `Ablation.frame`.

    Raises:
        ValueError: for an unknown kind, pole, base, reference or mode, neurons or positions that do not fit, or if
            all pairs' runs agree.
    """
    sets, modes = named_sets(neurons), chosen_modes(mode)
    if kind not in KINDS:
        raise ValueError(f"An ablation is {', '.join(KINDS)}, but {kind!r} arrived.")
    if pole not in ("high", "low"):
        raise ValueError(f"The pole to ablate is high or low, but {pole!r} arrived.")
    poles = poles_of(contrast, "increase" if pole == "high" else "decrease", base)
    every = union(sets)
    runs = run_poles(
        model, contrast, poles, neurons=NeuronSet.of([]), positions=(-1,), metric=metric, max_tokens=max_tokens
    )
    if positions is not None:
        check_positions(positions, runs.tokens[runs.donor])
    values, prompts = None, None
    if kind != "zero":
        sources = _reference_poles(contrast, runs.donor, reference)
        values = reference_values(model, contrast, every, poles=sources, max_tokens=max_tokens)
        prompts = _other_pairs(len(contrast), len(sources), seed)
    check_neurons(model, every)
    started = Started.of(model, runs.tokens[runs.donor], positions, max_tokens=max_tokens)
    tables = []
    for condition in conditions(sets, modes):
        metrics = runs.scale.donor
        if len(condition.neurons):
            with ablated(model, condition.neurons, kind=kind, values=values, positions=positions, rows=prompts):
                metrics = scores(model, runs.tokens[runs.donor], runs.metric, max_tokens=max_tokens, started=started)
        moved, lost = runs.scale.donor - metrics, runs.scale.lost(metrics)
        tables.append(condition_rows(runs, condition, metrics, {Ablation.quantity: lost, "moved": moved}))
    settings = {
        "kind": kind,
        "reference": "none" if kind == "zero" else reference,
        "base": str(runs.base),
        "donor": str(runs.donor),
        "positions": "all" if positions is None else " ".join(map(str, positions)),
    }
    return Ablation(contrast.trait, settings, pd.concat(tables, ignore_index=True), trait_labels(contrast, poles))


def _reference_poles(contrast: Contrast, donor: Pole, reference: str) -> tuple[Pole, ...]:
    opposite = Pole.LOW if donor is Pole.HIGH else Pole.HIGH
    chosen = {"opposite": (opposite,), "neutral": (Pole.NEUTRAL,), "both": (Pole.HIGH, Pole.LOW)}
    if reference not in chosen:
        raise ValueError(f"The reference is {', '.join(chosen)}, but {reference!r} arrived.")
    for pole in chosen[reference]:
        require_pole(contrast, pole)
    return chosen[reference]


def _drawn(batch: Int[Tensor, " batch"], among: int, seed: int) -> Int[Tensor, " batch"]:
    """One of `among` for each row number: a draw that depends on the seed and that number alone."""
    draws = []
    for row in batch.tolist():
        generator = torch.Generator().manual_seed((seed * 1_000_003 + row) % 2**63)
        draws.append(int(torch.randint(among, (1,), generator=generator)))
    return torch.tensor(draws)


def _other_pairs(pairs: int, blocks: int, seed: int) -> list[int]:
    """For each pair, the index of a random prompt of another pair in a list of `blocks` poles one after another."""
    generator = torch.Generator().manual_seed(seed)
    step = torch.randint(1, pairs, (pairs,), generator=generator)
    block = torch.randint(blocks, (pairs,), generator=generator)
    return (block * pairs + (torch.arange(pairs) + step) % pairs).tolist()
