"""Attribution patching: the first-order estimate of what patching each neuron alone would do, in one pass and back.

TransformerLens' own `attribution_patch` scores residual-stream nodes and edges of a bridge for one pair of equal
length. Here every neuron is scored, over padded batches of pairs, and the estimate is compared with true patching.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from workbench.contrast.contrast import Contrast
from workbench.edit.passes import (
    Poles,
    check_neurons,
    final_logits,
    layers_of,
    poles_of,
    rows_of,
    run_poles,
    scores,
)
from workbench.edit.patching import patch
from workbench.edit.readout import Metric
from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST, NeuronSet

ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well attribution predicts true patching.

    Attributes:
        pearson, spearman: correlations over neurons or layers; nan where either side does not vary.
        n: neurons, or layers.
        pairs: pairs that both are taken over.
        by: `neuron` or `layer`.
        table: a row for each neuron or layer: layer, neuron, attribution, patched, as shares of the donor's effect.
    """

    pearson: float
    spearman: float
    n: int
    pairs: int
    by: str
    table: pd.DataFrame

    def __str__(self) -> str:
        return (
            f"Attribution against true patching of single {self.by}s: Pearson {self.pearson:.2f}, Spearman "
            f"{self.spearman:.2f} over {self.n} {self.by}s and {self.pairs} pairs."
        )


@dataclass(frozen=True, eq=False)
class Attribution:
    """First-order effect of patching each neuron alone at the last position.

    Attributes:
        trait: the contrast's trait.
        direction: `increase` inserts from high, `decrease` from low.
        base: `opposite` or `neutral`; see `patch`.
        layers: absolute 0-based layer of each row.
        scores: `(layer, d_mlp)` gradient times (donor - base), as shares of the donor's effect: the sum over pairs over
            the sum of the donor's effects, a ratio of means as in `patch`. Their sum over a set estimates its joint
            effect. All are nan where the donor's effect, over all pairs, does not surely differ from 0.
        metric: what a run was read by; None is the projection on each pair's own difference.
        n: pairs.
        dropped: pairs whose runs agree, left out.
    """

    trait: str
    direction: str
    base: str
    layers: tuple[int, ...]
    scores: Float[Tensor, "layer d_mlp"]
    metric: Metric | None
    n: int
    dropped: int

    def frame(self) -> pd.DataFrame:
        """A row per neuron: trait, direction, layer, neuron, attribution."""
        width = self.scores.shape[1]
        return pd.DataFrame(
            {
                "trait": self.trait,
                "direction": self.direction,
                "layer": np.repeat(self.layers, width),
                "neuron": np.tile(np.arange(width), len(self.layers)),
                "attribution": self.scores.flatten().numpy(),
            }
        )

    def estimate(self, neurons: NeuronSet) -> float:
        """The first-order estimate of a set's joint effect: the sum of its neurons' attributions.

        Raises:
            ValueError: if a neuron lies outside the layers that were attributed.
        """
        return float(self.scores[self._places(neurons)].sum())

    def top(self, k: int) -> NeuronSet:
        """The `k` neurons of greatest |attribution|."""
        width = self.scores.shape[1]
        chosen = self.scores.abs().flatten().topk(min(k, self.scores.numel())).indices.tolist()
        return NeuronSet.of((self.layers[index // width], index % width) for index in chosen)

    def sample(self, k: int, *, seed: int = 0) -> NeuronSet:
        """`k` neurons of each layer: the half that are strongest by |attribution|, and as many random others."""
        generator = torch.Generator().manual_seed(seed)
        chosen: list[tuple[int, int]] = []
        for layer, row in zip(self.layers, self.scores, strict=True):
            order = row.abs().argsort(descending=True, stable=True)
            strongest, others = order[: (k + 1) // 2], order[(k + 1) // 2 :]
            drawn = others[torch.randperm(len(others), generator=generator)[: k // 2]]
            chosen += [(layer, int(neuron)) for neuron in torch.cat([strongest, drawn])]
        return NeuronSet.of(chosen)

    def agreement(
        self,
        model: Model,
        contrast: Contrast,
        *,
        neurons: NeuronSet | int = 8,
        by: str = "neuron",
        seed: int = 0,
        max_tokens: int = 16_384,
    ) -> Agreement:
        """The correlation of attribution with true patching, both over the pairs of `contrast`.

        Args:
            contrast: some rows are enough, e.g. `contrast.rows(range(16))`; attribution is computed anew on them.
            neurons: which to patch; a number takes that many of each layer, see `sample`.
            by: `neuron` patches each alone; `layer` patches each layer's neurons jointly.

        Raises:
            ValueError: for another `by`, neurons outside the layers attributed, or fewer than 2 points.
        """
        if by not in ("neuron", "layer"):
            raise ValueError(f"Agreement is by 'neuron' or by 'layer', but {by!r} arrived.")
        chosen = neurons if isinstance(neurons, NeuronSet) else self.sample(neurons, seed=seed)
        self._places(chosen)
        same: dict[str, Any] = {
            "direction": self.direction,
            "base": self.base,
            "metric": self.metric,
            "max_tokens": max_tokens,
        }
        estimated = attribution(model, contrast, layers=self.layers, **same)
        if by == "neuron":
            runs = run_poles(
                model,
                contrast,
                poles_of(contrast, self.direction, self.base),
                neurons=chosen,
                positions=(-1,),
                metric=self.metric,
                max_tokens=max_tokens,
            )
            truth = _each_alone(model, runs, chosen, max_tokens=max_tokens)
            attributions = estimated.scores[estimated._places(chosen)]
            table = chosen.frame().assign(attribution=attributions.numpy(), patched=truth.numpy())
        else:
            frame = patch(model, contrast, chosen, mode="by_layer", **same).frame(resamples=1)
            parts = [NeuronSet.of((layer, int(unit)) for unit in chosen.at(layer)) for layer in frame["layer"]]
            table = pd.DataFrame(
                {
                    "layer": frame["layer"],
                    "attribution": [estimated.estimate(part) for part in parts],
                    "patched": frame["effect"],
                }
            )
        if len(table) < 2:
            raise ValueError(f"A correlation needs at least 2 {by}s, but {len(table)} arrived.")
        pearson, spearman = _correlations(table["attribution"].to_numpy(), table["patched"].to_numpy())
        return Agreement(pearson, spearman, len(table), estimated.n, by, table)

    def _places(self, neurons: NeuronSet) -> tuple[Tensor, Tensor]:
        lacking = sorted(set(neurons.layer.tolist()) - set(self.layers))
        if lacking:
            raise ValueError(f"Layers {lacking} were not attributed, only {list(self.layers)}.")
        return torch.tensor([self.layers.index(layer) for layer in neurons.layer.tolist()], dtype=torch.int64), (
            neurons.neuron
        )

    def __repr__(self) -> str:
        return (
            f"Attribution({self.trait!r}, {self.direction}, {len(self.layers)} layers of {self.scores.shape[1]} "
            f"neurons, {self.n} pairs)"
        )


def attribution(
    model: Model,
    contrast: Contrast,
    *,
    direction: str = "increase",
    base: str = "opposite",
    layers: Sequence[int] | None = None,
    metric: Metric | None = None,
    max_tokens: int = 16_384,
) -> Attribution:
    """The gradient of the readout in the base run, times what patching would change, for every neuron of some layers.

    It is exact only where the readout is linear in the neuron; `Attribution.agreement` says how near it comes.

    Args:
        direction, base, metric: as in `patch`; the metric must be differentiable.
        layers: which to attribute; by default all.

    Raises:
        ValueError: as `patch`.

    Reference:
        Nanda (2023), attribution patching; Syed et al. (2023).
    """
    chosen = model.layers(layers)
    width = model.width(HOOK_POST, chosen)
    poles = poles_of(contrast, direction, base)
    every = NeuronSet(
        torch.tensor(chosen, dtype=torch.int64).repeat_interleave(width), torch.arange(width).repeat(len(chosen))
    )
    runs = run_poles(model, contrast, poles, neurons=every, positions=(-1,), metric=metric, max_tokens=max_tokens)
    total = torch.zeros(len(chosen), width, dtype=torch.float64)
    with _frozen(model), torch.enable_grad(), _probed(model, chosen) as probes:
        for rows, logits in final_logits(model, runs.tokens[runs.base], max_tokens=max_tokens):
            kept = runs.scale.kept[rows]
            metrics = runs.metric(logits, rows).cpu().double()[kept]
            gradients = torch.autograd.grad(metrics.sum(), [probes[layer] for layer in chosen])
            for i, (layer, gradient) in enumerate(zip(chosen, gradients, strict=True)):
                donor, base_values = (runs.values[pole].values[layer] for pole in (runs.donor, runs.base))
                change = (donor - base_values)[rows.to(donor.device), 0].double()
                total[i] += (gradient.double() * change.to(gradient.device)).sum(0).cpu()
    n = int(runs.scale.kept.sum())
    scores = (total / runs.scale.whole).float()
    return Attribution(contrast.trait, direction, base, chosen, scores, metric, n, runs.scale.dropped)


@contextmanager
def _probed(model: Model, layers: Sequence[int]) -> Iterator[dict[int, Tensor]]:
    """Zeros that are added at the last position of `hook_post`, to differentiate by; each pass gets new ones."""
    probes: dict[int, Tensor] = {}

    def prober(layer: int) -> Callable[[Tensor], Tensor]:
        def probe(activation: Tensor) -> Tensor:
            probes[layer] = torch.zeros_like(activation[:, -1], requires_grad=True)
            return torch.cat([activation[:, :-1], activation[:, -1:] + probes[layer][:, None]], 1)

        return probe

    with ExitStack() as hooks:
        for layer in layers:
            hooks.enter_context(model.hooked_at(HOOK_POST, layer, prober(layer)))
        yield probes


@contextmanager
def _frozen(model: Model) -> Iterator[None]:
    """The weights without gradients, so that nothing is kept of what lies before the first probe."""
    trained = [parameter for parameter in model.network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _each_alone(model: Model, runs: Poles, neurons: NeuronSet, *, max_tokens: int) -> Float64[Tensor, " k"]:
    """The effect of patching each neuron alone, a ratio of means over pairs.

    A batch holds a copy of the prompts for each of many neurons.
    """
    check_neurons(model, neurons)
    base, pairs = runs.tokens[runs.base], len(runs.tokens[runs.base])
    donor = runs.values[runs.donor]
    members = list(neurons)
    effects: list[float] = []
    at_once = max(1, ROWS_AT_ONCE // pairs)
    for start in range(0, len(members), at_once):
        block = members[start : start + at_once]
        patched = NeuronSet.of(block)
        held = {layer: donor.of(layer, patched.at(layer))[:, 0] for layer in layers_of(patched)}
        with ExitStack() as hooks:
            for layer, values in held.items():
                hook = _own_neuron(model, layer, block, values)
                hooks.enter_context(model.hooked_at(HOOK_POST, layer, hook))
            hooks.enter_context(model.rows_apart())
            metrics = scores(
                model, base * len(block), lambda logits, rows: runs.metric(logits, rows % pairs), max_tokens=max_tokens
            )
        effects += [runs.scale.share_of_all(of_neuron) for of_neuron in metrics.reshape(len(block), pairs)]
    return torch.tensor(effects, dtype=torch.float64)


def _own_neuron(
    model: Model, layer: int, block: Sequence[tuple[int, int]], donor: Float[Tensor, "pair k"]
) -> Callable[[Tensor], Tensor]:
    """A hook that patches one neuron in each row: the row's own, if that is in this layer."""
    units = [neuron for at, neuron in block if at == layer]
    column = torch.tensor([units.index(neuron) if at == layer else -1 for at, neuron in block])
    neuron = torch.tensor([neuron for _, neuron in block])

    def write(activation: Tensor) -> Tensor:
        rows = rows_of(model, activation)
        member, pair = rows // len(donor), rows % len(donor)
        mine = (column[member] >= 0).nonzero()[:, 0]
        new = donor[pair[mine].to(donor.device), column[member[mine]].to(donor.device)]
        changed = activation.clone()
        changed[mine.to(changed.device), -1, neuron[member[mine]].to(changed.device)] = new.to(changed)
        return changed

    return write


def _correlations(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Pearson's and Spearman's; nan where one side does not vary."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), float("nan")
    pearson, spearman = scipy.stats.pearsonr(x, y), scipy.stats.spearmanr(x, y)
    return float(pearson[0]), float(spearman[0])  # type: ignore[arg-type]
