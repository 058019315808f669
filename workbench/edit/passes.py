"""Runs of whole prompts, in which some neurons are read and some are overwritten."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from workbench.contrast.contrast import Contrast
from workbench.edit.readout import Metric, Projection, Scale
from workbench.model.beginnings import beginnings, continues
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import pad_left
from workbench.model.runner import KeyValues
from workbench.vocabulary import HOOK_POST, NeuronSet, Pole, sign_of

MAX_ROWS = 256


@dataclass(frozen=True, eq=False)
class NeuronValues:
    """Activations of some neurons in some prompts.

    Attributes:
        neurons: the neurons.
        positions: where they were read, counted from the prompt's end (-1 is its last token).
        values: by layer, `(row, position, k)` with the layer's neurons ascending.
    """

    neurons: NeuronSet
    positions: tuple[int, ...]
    values: dict[int, Tensor]

    def of(self, layer: int, units: Int[Tensor, " k"]) -> Float[Tensor, "row position k"]:
        """The activations of some of a layer's neurons."""
        columns = torch.searchsorted(self.neurons.at(layer), units)
        held = self.values[layer]
        return held[:, :, columns.to(held.device)]


@dataclass(frozen=True, eq=False)
class Poles:
    """Two poles of a contrast, run as they are: the ends of the scale on which interventions are measured.

    Attributes:
        base, donor: the poles at the scale's 0 and 1.
        tokens: the token ids of each pole's prompts.
        values: the activations of the neurons asked for, in each pole.
        metric: what a run is read by.
        scale: the metric's values in both.
    """

    base: Pole
    donor: Pole
    tokens: dict[Pole, list[list[int]]]
    values: dict[Pole, NeuronValues]
    metric: Metric
    scale: Scale


def poles_of(contrast: Contrast, direction: str, base: str) -> tuple[Pole, Pole]:
    """The base pole and the donor pole of a direction.

    Args:
        base: `opposite` of the donor, or `neutral`.

    Raises:
        ValueError: for an unknown direction or base, or a neutral base where there is no neutral arm.
    """
    donor, opposite = (Pole.HIGH, Pole.LOW) if sign_of(direction) > 0 else (Pole.LOW, Pole.HIGH)
    if base not in ("opposite", "neutral"):
        raise ValueError(f"base is 'opposite' or 'neutral', but {base!r} arrived.")
    chosen = Pole.NEUTRAL if base == "neutral" else opposite
    require_pole(contrast, chosen)
    return chosen, donor


def require_pole(contrast: Contrast, pole: Pole) -> None:
    """Refuse a pole that a contrast lacks.

    Raises:
        ValueError: naming the poles that it has.
    """
    if pole not in contrast.poles:
        raise ValueError(f"The contrast has no {pole} arm, but {', '.join(contrast.poles)}. Give it one.")


def run_poles(
    model: Model,
    contrast: Contrast,
    poles: tuple[Pole, Pole],
    *,
    neurons: NeuronSet,
    positions: Sequence[int],
    metric: Metric | None,
    max_tokens: int,
) -> Poles:
    """Run a base and a donor pole, and read `neurons` in both.

    Args:
        metric: None takes the projection of the logits on each pair's own difference.

    Raises:
        ValueError: if neurons or positions do not fit, or both runs agree.
    """
    tokens = {pole: model.tokens(contrast.poles[pole]) for pole in poles}
    for rows in tokens.values():
        model.loop.check([len(ids) for ids in rows])
    check_neurons(model, neurons)
    check_positions(positions, [row for rows in tokens.values() for row in rows])
    logits: dict[Pole, list[Tensor]] = {}
    metrics: dict[Pole, Tensor] = {}
    values: dict[Pole, NeuronValues] = {}
    for pole in poles:
        with neurons_read(model, neurons, positions, rows=len(contrast)) as values[pole]:
            if metric is None:
                logits[pole] = [torch.empty(0)] * len(contrast)
                for rows, batch in final_logits(model, tokens[pole], max_tokens=max_tokens):
                    for row, logits_of_row in zip(rows.tolist(), batch, strict=True):
                        logits[pole][row] = logits_of_row
            else:
                metrics[pole] = scores(model, tokens[pole], metric, max_tokens=max_tokens)
    base, donor = poles
    if metric is None:
        ends = {pole: torch.stack(logits.pop(pole)) for pole in poles}
        metric = Projection.between(ends[base], ends[donor])
        every = torch.arange(len(contrast))
        metrics = {pole: metric(ends[pole], every).double().cpu() for pole in poles}
    return Poles(base, donor, tokens, values, metric, Scale.between(metrics[base], metrics[donor]))


@dataclass(frozen=True, eq=False)
class Started:
    """Prompts of which all but the last tokens are computed already, for runs that change nothing before those.

    Attributes:
        tail: how many tokens are left to compute in each run.
        before: by row, the keys and values of what is computed.
    """

    tail: int
    before: dict[int, KeyValues]

    @classmethod
    def of(
        cls, model: Model, tokens: Sequence[Sequence[int]], positions: Sequence[int] | None, *, max_tokens: int
    ) -> "Started | None":
        """The prompts up to the first of the positions that will be changed, as they are computed at this moment.

        Args:
            positions: counted from the end; None is every position.

        Returns:
            None where nothing would be saved, the keys and values would not fit beside a batch, or the model cannot
            continue them.
        """
        tail = 0 if positions is None else -min(positions, default=-1)
        if tail < 1 or not tokens or min(map(len, tokens)) <= tail + 1 or sum(map(len, tokens)) > max_tokens:
            return None
        if any(model.loop.lengths.group(len(ids)) for ids in tokens) or not continues(model, tokens[0]):
            return None
        before: dict[int, KeyValues] = {}
        lasts = [len(ids) - 1 for ids in tokens]
        for batch in model.loop.batches([len(ids) for ids in tokens], max_tokens=max_tokens, max_rows=MAX_ROWS):
            before |= beginnings(model, tokens, batch, lasts, tail=tail)
        return cls(tail, before)


def final_logits(
    model: Model, tokens: Sequence[Sequence[int]], *, max_tokens: int, started: Started | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Row numbers `(batch,)` and logits `(batch, d_vocab)` at the last position, batch by batch of like length.

    Gradients are kept where the caller has them enabled and no prompt is started.

    Raises:
        ValueError: with both lengths, if a prompt needs more positions than there are.
    """
    lengths = [len(ids) for ids in tokens]
    model.loop.check(lengths)
    for batch in model.loop.batches(lengths, max_tokens=max_tokens, max_rows=MAX_ROWS):
        rows = torch.tensor(batch)
        if started is not None:
            yield rows, _finished(model, [tokens[row] for row in batch], rows, started)
            continue
        ids, real = pad_left([tokens[row] for row in batch], model.pad_token)
        ids, real = ids.to(model.device), real.to(model.device)
        with model.passing(Pass("prompt", real, rows)):
            logits = model.runner.run(ids, real, logits=True)
        assert logits is not None
        yield rows, logits


def _finished(
    model: Model, tokens: Sequence[Sequence[int]], rows: Int[Tensor, " batch"], started: Started
) -> Float[Tensor, "batch d_vocab"]:
    """The logits at the last position of prompts that are computed up to their last tokens."""
    tail = started.tail
    lengths = [len(ids) - tail for ids in tokens]
    past = max(lengths)
    attended = torch.zeros(len(tokens), past + tail, dtype=torch.bool)
    for i, length in enumerate(lengths):
        attended[i, past - length :] = True
    attended = attended.to(model.device)
    last = torch.tensor([list(ids[-tail:]) for ids in tokens], device=model.device)
    steps = torch.arange(1 - tail, 1, device=model.device).expand(len(tokens), -1)
    cache = model.runner.new_cache(
        KeyValues.gathered([started.before[row] for row in rows.tolist()], past), batch=len(tokens)
    )
    with model.passing(Pass("prompt", attended[:, past:], rows, steps)):
        logits = model.runner.run(last, attended, cache, logits=True)
    assert logits is not None
    return logits


@torch.no_grad()
def scores(
    model: Model,
    tokens: Sequence[Sequence[int]],
    metric: Metric,
    *,
    max_tokens: int,
    started: Started | None = None,
) -> Float64[Tensor, " row"]:
    """The metric of every prompt, on the CPU.

    Raises:
        ValueError: if the metric gives anything but one number a row.
    """
    metrics = torch.empty(len(tokens), dtype=torch.float64)
    for rows, logits in final_logits(model, tokens, max_tokens=max_tokens, started=started):
        values = metric(logits, rows)
        if values.shape != rows.shape:
            raise ValueError(
                f"A metric gives one number a row, but {tuple(values.shape)} came from {len(rows)} rows of logits."
            )
        metrics[rows] = values.detach().double().cpu()
    return metrics


@contextmanager
def neurons_read(model: Model, neurons: NeuronSet, positions: Sequence[int], *, rows: int) -> Iterator[NeuronValues]:
    """Keep the activations of `neurons` at `positions` of every prompt that runs inside the `with`, by its row."""
    kept: dict[int, Tensor] = {}

    def reader(layer: int) -> Callable[[Tensor], None]:
        units, columns = neurons.at(layer), torch.tensor(list(positions))

        def read(activation: Tensor) -> None:
            device = activation.device
            values = activation.detach()[:, columns.to(device)[:, None], units.to(device)]
            if layer not in kept:
                kept[layer] = values.new_zeros(rows, *values.shape[1:])
            kept[layer][rows_of(model, activation).to(device)] = values

        return read

    with ExitStack() as hooks, torch.no_grad():
        for layer in layers_of(neurons):
            hooks.enter_context(model.hooked_at(HOOK_POST, layer, reader(layer)))
        yield NeuronValues(neurons, tuple(positions), kept)


@contextmanager
def neurons_set(
    model: Model,
    neurons: NeuronSet,
    value: Callable[[int, Int[Tensor, " batch"]], Tensor],
    *,
    positions: Sequence[int] | None,
) -> Iterator[None]:
    """Run `model` with the activations of `neurons` replaced; no hook is left behind, whatever happens.

    Args:
        value: takes a layer and the row numbers of a batch; gives what replaces the activations there, which
            broadcasts to `(batch, position, k)`.
        positions: counted from the end; None is every position, of the prompt and of the answer.
    """

    def writer(layer: int) -> Callable[[Tensor], Tensor]:
        units = neurons.at(layer)

        def write(activation: Tensor) -> Tensor:
            device = activation.device
            new = value(layer, rows_of(model, activation)).to(activation)
            changed = activation.clone()
            if positions is None:
                changed[..., units.to(device)] = new
            else:
                changed[:, torch.tensor(list(positions), device=device)[:, None], units.to(device)] = new
            return changed

        return write

    with ExitStack() as hooks:
        for layer in layers_of(neurons):
            hooks.enter_context(model.hooked_at(HOOK_POST, layer, writer(layer)))
        hooks.enter_context(model.rows_apart())
        yield


def rows_of(model: Model, activation: Tensor) -> Int[Tensor, " batch"]:
    """Which prompt of the run each batch row is; in a pass that the workbench did not start, its index in the batch."""
    return torch.arange(activation.shape[0]) if model.current is None else model.current.rows


def layers_of(neurons: NeuronSet) -> list[int]:
    """The layers in which a set has neurons, ascending."""
    return sorted(set(neurons.layer.tolist()))


def named_sets(neurons: NeuronSet | Mapping[str, NeuronSet]) -> dict[str, NeuronSet]:
    """Neuron sets by name; a single set is called `selected`.

    Raises:
        ValueError: if there is none.
    """
    sets = {"selected": neurons} if isinstance(neurons, NeuronSet) else dict(neurons)
    if not sets:
        raise ValueError("At least one set of neurons is needed, but none arrived.")
    return sets


def union(sets: Mapping[str, NeuronSet]) -> NeuronSet:
    """All neurons of some sets."""
    return NeuronSet.of(pair for neurons in sets.values() for pair in neurons)


def check_neurons(model: Model, neurons: NeuronSet) -> None:
    """Refuse neurons that the model lacks.

    Raises:
        ValueError: naming the first of them.
    """
    for layer in layers_of(neurons):
        if layer >= model.n_layers:
            raise ValueError(f"Layers of {model.name} are 0 to {model.n_layers - 1}, but {layer} arrived.")
        width, last = model.width(HOOK_POST, (layer,)), int(neurons.at(layer)[-1])
        if last >= width:
            raise ValueError(f"Layer {layer} of {model.name} has neurons 0 to {width - 1}, but {last} arrived.")


def check_positions(positions: Sequence[int], tokens: Sequence[Sequence[int]]) -> None:
    """Refuse positions that not every prompt has.

    Raises:
        ValueError: if there is none, one repeats, or one lies outside the shortest prompt.
    """
    shortest = min(map(len, tokens))
    if not positions or len(set(positions)) != len(positions) or not -shortest <= min(positions) <= max(positions) < 0:
        raise ValueError(
            f"Positions count from the prompt's end, -1 to -{shortest} (the shortest prompt's length), each once, "
            f"but {list(positions)} arrived."
        )
