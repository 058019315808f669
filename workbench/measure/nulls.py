"""Effects under shuffled pole labels: permutation p-values, max-T and false discovery."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from workbench.measure.units import Stack, blocks, flipped, relabelled, stacks

UNITS = ("pair", "question", "description")

Count = Callable[[Tensor, Tensor], Tensor]
"""From `(b, d_mlp)` mean differences and d of one layer: `(b,)` how many neurons pass a rule."""


@dataclass(frozen=True, eq=False)
class Null:
    """The observed effects, and how they compare with effects under shuffled labels.

    Attributes:
        layers: the layer of each row.
        t: `(layer, d_mlp)` the observed statistic, `d * sqrt(n_high * n_low / n)`.
        pvalue: `(layer, d_mlp)` two-sided, of each neuron alone; at least 1 / (permutations + 1).
        family_wise_layer: `(layer, d_mlp)` p-values corrected for all neurons of the layer (max-T).
        family_wise: `(layer, d_mlp)` p-values corrected for all neurons of all layers.
        max_t: `(permutations,)` the largest |t| of each permutation, over all layers.
        counts: `(permutations,)` how many neurons pass the selection rule under each permutation; None if no rule was
            given.
        count: how many pass it under the true labels.
        unit: what was shuffled.
        permutations: number of permutations.
    """

    layers: tuple[int, ...]
    t: Float64[Tensor, "layer d_mlp"]
    pvalue: Float64[Tensor, "layer d_mlp"]
    family_wise_layer: Float64[Tensor, "layer d_mlp"]
    family_wise: Float64[Tensor, "layer d_mlp"]
    max_t: Float64[Tensor, " permutations"]
    counts: Int64[Tensor, " permutations"] | None
    count: int | None
    unit: str
    permutations: int

    @property
    def count_pvalue(self) -> float:
        """The share of labellings, the true one among them, that select at least as many neurons as the true one.

        Raises:
            ValueError: if no rule was given.
        """
        if self.counts is None or self.count is None:
            raise ValueError("No selection rule was counted under the null. Give permutation_null a rule.")
        return (1 + int((self.counts >= self.count).sum())) / (1 + self.permutations)

    def false_discovery(self, method: str = "bh") -> Float64[Tensor, "layer d_mlp"]:
        """Adjusted p-values: taking the neurons with at most alpha keeps the false-discovery rate at alpha."""
        return false_discovery(self.pvalue, method=method)

    def __repr__(self) -> str:
        counted = "" if self.counts is None else f", {self.count} pass against {float(self.counts.double().mean()):.1f}"
        return f"Null({self.permutations} permutations of {self.unit}s, {len(self.layers)} layers{counted})"


def permuted(
    source: object,
    *,
    unit: str = "pair",
    permutations: int = 1000,
    poles: tuple[str, str] = ("high", "low"),
    count: Count | None = None,
    seed: int = 0,
) -> Null:
    """Effects under labels that are shuffled in one of three ways.

    - `pair`: the poles of each pair are swapped or not, at random. Use it if pairs are independent.
    - `question`: the poles of all pairs of a question are swapped together.
    - `description`: whole descriptions, with all of their rows, are assigned to the poles at random. Use it if rows
      that share a description resemble each other, as with persona prompts; the other two then find too many neurons.

    Args:
        source: kept rows; for questions and descriptions, a tally that kept these clusters apart will do.
        count: counts the neurons that pass a rule, layer by layer under every permutation.

    Returns:
        see `Null`. The true labelling is counted among the permutations, so no p-value is 0.

    Raises:
        ValueError: for an unknown unit, or a source that lacks its rows or labels.

    Reference:
        Westfall and Young (1993) for max-T; Phipson and Smyth (2010) for the counting.
    """
    if unit not in UNITS:
        raise ValueError(f"The unit that is shuffled is one of {', '.join(UNITS)}, but {unit!r} arrived.")
    if permutations < 1:
        raise ValueError(f"At least 1 permutation is needed, but {permutations} were asked for. Use e.g. 1000.")
    high, low = _paired(*stacks(source, kind="row" if unit == "pair" else unit, poles=poles), unit)
    labellings = _labellings(high, low, unit, permutations, np.random.default_rng(seed))
    rows = (float(high.count.sum()), float(low.count.sum()))
    layers, width = high.mean.shape[1:]
    observed, exceeding, maxima = [], [], []
    counts = torch.zeros(permutations + 1, dtype=torch.int64)
    for layer in range(layers):
        t = torch.empty(0)
        over, largest = torch.zeros(width, dtype=torch.int64), []
        for part in blocks(permutations + 1, width):
            difference, d, scale = _effects(high, low, labellings[part], unit, layer, rows)
            statistic = d * scale[:, None]
            if part.start == 0:
                t = statistic[0].clone()
            over += (statistic.abs() >= t.abs() * (1 - 1e-6)).sum(0)
            largest.append(statistic.abs().amax(1))
            if count is not None:
                counts[part] += count(difference, d)
        observed.append(t)
        exceeding.append(over)  # the true labelling, which is the first, is counted too
        maxima.append(torch.cat(largest)[1:])
    t = torch.stack(observed)
    by_layer = torch.stack(maxima)
    overall = by_layer.amax(0)
    return Null(
        layers=tuple(source.layers),  # pyright: ignore[reportAttributeAccessIssue]
        t=t,
        pvalue=torch.stack(exceeding).double() / (permutations + 1),
        family_wise_layer=torch.stack([_beyond(t[i], by_layer[i]) for i in range(layers)]),
        family_wise=_beyond(t.flatten(), overall).view_as(t),
        max_t=overall,
        counts=None if count is None else counts[1:],
        count=None if count is None else int(counts[0]),
        unit=unit,
        permutations=permutations,
    )


def false_discovery(pvalues: Float[Tensor, "*shape"], *, method: str = "bh") -> Float64[Tensor, "*shape"]:
    """Adjusted p-values by Benjamini and Hochberg (`bh`) or Benjamini and Yekutieli (`by`).

    `bh` is valid under independence and positive dependence, `by` under any dependence.

    Raises:
        ValueError: for another method, or p-values outside 0 to 1.

    Reference:
        Benjamini and Hochberg (1995); Benjamini and Yekutieli (2001); SciPy.

    Example:
        >>> [round(p, 3) for p in false_discovery(torch.tensor([0.01, 0.04, 0.03, 0.9])).tolist()]
        [0.04, 0.053, 0.053, 0.9]
    """
    if method not in ("bh", "by"):
        raise ValueError(f"False discovery is controlled by bh or by, but {method!r} arrived.")
    if bool((~((pvalues >= 0) & (pvalues <= 1))).any()):
        raise ValueError("p-values lie in 0 to 1, but one does not. Leave out neurons that could not be tested.")
    # A value just above 1 that rounding made would be refused.
    adjusted = scipy.stats.false_discovery_control(pvalues.double().flatten().numpy(), method=method)  # type: ignore[arg-type]
    return torch.from_numpy(np.asarray(adjusted)).view(pvalues.shape)


def _paired(high: Stack, low: Stack, unit: str) -> tuple[Stack, Stack]:
    """Both poles' units, ordered so that those with one index are a pair, if the unit needs pairs."""
    if unit == "description":
        return high, low
    if unit == "question":
        order = {name: i for i, name in enumerate(low.labels["question"])}
        missing = [name for name in high.labels["question"] if name not in order]
        if missing or len(high) != len(low):
            raise ValueError(f"Pairs share their question, but {missing[:1] or 'one'} is in one pole only.")
        indices = torch.tensor([order[name] for name in high.labels["question"]])
        low = Stack(
            low.count[indices],
            low.mean[indices],
            None if low.m2 is None else low.m2[indices],
            {"question": tuple(high.labels["question"])},
        )
    if len(high) != len(low) or not torch.equal(high.count, low.count):
        raise ValueError(
            f"The poles of pairs are swapped row by row, but high has {int(high.count.sum())} rows and low "
            f"{int(low.count.sum())}. Shuffle descriptions, or capture one row a prompt."
        )
    return high, low


def _labellings(high: Stack, low: Stack, unit: str, permutations: int, generator: np.random.Generator) -> Tensor:
    """`(permutations + 1, units)`: each unit's pole, or each pair's sign; the first labelling is the true one."""
    if unit == "description":
        true = np.concatenate([np.ones(len(high)), np.zeros(len(low))]).astype(np.int8)
        return torch.from_numpy(np.stack([true, *(generator.permutation(true) for _ in range(permutations))]))
    signs = generator.integers(2, size=(permutations, len(high)), dtype=np.int8) * 2 - 1
    return torch.from_numpy(np.concatenate([np.ones((1, len(high)), dtype=np.int8), signs]))


def _effects(
    high: Stack, low: Stack, labellings: Tensor, unit: str, layer: int, rows: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean differences, d, and the factor by which d is multiplied to get t."""
    if unit == "description":
        in_high = labellings.double() @ torch.cat([high.count, low.count])
        total = rows[0] + rows[1]
        scale = (in_high * (total - in_high) / total).sqrt()
        return *relabelled(high, low, labellings.double(), layer), scale
    factor = math.sqrt(rows[0] * rows[1] / (rows[0] + rows[1]))
    scale = torch.full((len(labellings),), factor, dtype=torch.float64)
    return *flipped(high, low, labellings.double(), layer), scale


def _beyond(t: Tensor, maxima: Tensor) -> Tensor:
    """The share of the maxima that are at least as large as each |t|, the true labelling counted among them."""
    ordered = maxima.sort().values
    below = torch.searchsorted(ordered, t.abs() * (1 - 1e-6))
    return (1 + len(ordered) - below).double() / (1 + len(ordered))
