"""Standard errors of effects, from a bootstrap of whole clusters."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from workbench.measure.clustered import CLUSTERS, Errors
from workbench.measure.units import Stack, stacks, weighted_counts, weighted_effects

_REPLICATES = 256_000  # of neurons' effects at once, which stay in the processor's cache


def bootstrap_errors(
    source: object,
    *,
    poles: tuple[str, str] = ("high", "low"),
    kinds: Sequence[str] = CLUSTERS,
    resamples: int = 1000,
    seed: int = 0,
) -> Errors:
    """Standard errors of the mean difference and of Cohen's d from resampled clusters.

    Whole clusters are drawn with replacement: descriptions within each pole, questions for both poles together. With
    two kinds, descriptions, questions and single rows are each resampled separately, and the variances are combined as
    in `clustered_errors`. (Drawing both kinds at once and multiplying the weights would count the rows' noise three
    times.)

    Raises:
        ValueError: if the source lacks such clusters or, for two kinds, its rows.

    Reference:
        Cameron, Gelbach and Miller (2011); Owen (2007) on what the product of two bootstraps overstates.
    """
    if resamples < 2:
        raise ValueError(f"A bootstrap needs at least 2 resamples, but {resamples} were asked for. Use e.g. 1000.")
    wanted = list(dict.fromkeys(kinds))
    drawn = [*wanted, "row"] if len(wanted) == 2 else wanted
    variances: dict[str, tuple[Tensor, Tensor]] = {}
    counts: dict[str, int] = {}
    for kind in drawn:
        high, low = stacks(source, kind=kind, poles=poles)
        counts[kind] = len({*high.labels[kind], *low.labels[kind]}) if kind == "question" else min(len(high), len(low))
        variances[kind] = _variances(high, low, kind, resamples, seed)
    if len(wanted) == 2:
        crossed = []
        for effect in (0, 1):  # the mean difference, then d
            first, second, row = (variances[kind][effect] for kind in drawn)
            crossed.append(torch.maximum(first + second - row, torch.maximum(first, second) / 2))
        total = (crossed[0], crossed[1])
    else:
        total = variances[wanted[0]]
    df = min(2 * counts[kind] - 2 if kind != "question" else counts[kind] - 1 for kind in wanted)
    return Errors(
        total[0].sqrt(),
        total[1].sqrt(),
        max(1, df),
        {kind: counts[kind] for kind in wanted},
        f"bootstrap over {' and '.join(wanted)}s, {resamples} resamples",
    )


def drawn_weights(
    high: Stack, low: Stack, kind: str, resamples: int, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """How often each resample draws each unit: descriptions and rows within a pole, questions for both together."""
    if kind != "question":
        return _multinomial(len(high), resamples, generator), _multinomial(len(low), resamples, generator)
    code_of = {name: i for i, name in enumerate(dict.fromkeys([*high.labels[kind], *low.labels[kind]]))}
    weights = _multinomial(len(code_of), resamples, generator)
    first, second = ([code_of[name] for name in stack.labels[kind]] for stack in (high, low))
    return weights[:, first], weights[:, second]


def _multinomial(units: int, resamples: int, generator: np.random.Generator) -> Tensor:
    return torch.from_numpy(generator.multinomial(units, np.full(units, 1 / units), size=resamples)).double()


def _variances(high: Stack, low: Stack, kind: str, resamples: int, seed: int) -> tuple[Tensor, Tensor]:
    weights = drawn_weights(high, low, kind, resamples, np.random.default_rng(seed))
    # Single precision is enough for large captures, as replicates are compared only with each other.
    dtype = torch.float32 if high.mean.shape[-1] * resamples > 4_000_000 else torch.float64
    weighted = [weighted_counts(stack, drawn, dtype) for stack, drawn in zip((high, low), weights, strict=True)]
    layers, width = high.mean.shape[1:]
    variances = torch.empty(2, layers, width, dtype=torch.float64)
    size = max(1, _REPLICATES // resamples)
    for layer in range(layers):
        for start in range(0, width, size):
            some = slice(start, start + size)
            effects = weighted_effects(high, low, weighted[0], weighted[1], layer, some)
            for into, replicates in zip(variances, effects, strict=True):
                into[layer, some] = _variance(replicates)
    return variances[0], variances[1]


def _variance(replicates: Tensor) -> Tensor:
    """`(n,)` variance of each column; the mean is taken off first, so that single precision is enough."""
    replicates -= replicates.mean(0)
    left = replicates.sum(0).double()
    return (replicates.square_().sum(0).double() - left.square() / len(replicates)) / (len(replicates) - 1)
