"""Effects under shuffled pole labels: permutation p-values, max-T and false discovery."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from workbench.measure.labelled import Labelled, just_below
from workbench.measure.labellings import labellings_of, paired_units
from workbench.measure.resolution import LEVEL, discoveries_needed, draws_needed, warn_of
from workbench.measure.units import stacks

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
        permutations: number of permutations, the true labelling not among them.
        exact: whether they are all that there are.
        least_pvalue: the least p-value that can come out.
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
    exact: bool
    least_pvalue: float

    @property
    def count_pvalue(self) -> float:
        """The share of labellings, the true one among them, that select at least as many neurons as the true one.

        Raises:
            ValueError: if no rule was given.
        """
        counts, count = self._counted()
        return (1 + int((counts >= count).sum())) / (1 + self.permutations)

    @property
    def count_pvalue_fewer(self) -> float:
        """The share of labellings, the true one among them, that select at most as many neurons as the true one.

        Raises:
            ValueError: if no rule was given.
        """
        counts, count = self._counted()
        return (1 + int((counts <= count).sum())) / (1 + self.permutations)

    @property
    def count_is_fixed(self) -> bool:
        """Whether every labelling selects equally many neurons, as under a rule that takes a share of them.

        Raises:
            ValueError: if no rule was given.
        """
        counts, count = self._counted()
        return bool((counts == count).all())

    def _counted(self) -> tuple[Tensor, int]:
        if self.counts is None or self.count is None:
            raise ValueError("No selection rule was counted under the null. Give permutation_null a rule.")
        return self.counts, self.count

    def false_discovery(self, method: str = "bh") -> Float64[Tensor, "layer d_mlp"]:
        """Adjusted p-values: taking the neurons with at most alpha keeps the false-discovery rate at alpha.

        Permutations give no p-value below `least_pvalue`, so that none may be small enough however large the effects
        are; `discoveries_needed` tells from how many neurons on any is taken. `family_wise` has no such limit.
        """
        return false_discovery(self.pvalue, method=method)

    def discoveries_needed(self, *, alpha: float = 0.05, method: str = "bh") -> int:
        """How many neurons must have the least p-value before a false-discovery rate of `alpha` selects any."""
        return discoveries_needed(self.least_pvalue, self.pvalue.numel(), alpha=alpha, method=method)

    def __repr__(self) -> str:
        counted = "" if self.counts is None else f", {self.count} pass against {float(self.counts.double().mean()):.1f}"
        drawn = f"all {self.permutations + 1} labellings" if self.exact else f"{self.permutations} permutations"
        return (
            f"Null({drawn} of {self.unit}s, {len(self.layers)} layers{counted}, least p {self.least_pvalue:.2g}, "
            f"false discovery from {self.discoveries_needed()} neurons on)"
        )


def permuted(
    source: object,
    *,
    unit: str = "pair",
    permutations: int = 1000,
    poles: tuple[str, str] = ("high", "low"),
    count: Count | None = None,
    least_d: float = 0.0,
    seed: int = 0,
) -> Null:
    """Effects under labels that are shuffled in one of three ways.

    - `pair`: the poles of each pair are swapped or not, at random; pairs of the same descriptions and question are one.
      Use it if pairs are independent.
    - `question`: the poles of all pairs of a question are swapped together.
    - `description`: whole descriptions, with all of their rows, are assigned to the poles at random. Use it if rows
      that share a description resemble each other, as with persona prompts; the other two then find too many neurons.

    Args:
        source: kept rows; for questions and descriptions, a tally that kept these clusters apart will do.
        count: counts the neurons that pass a rule, layer by layer under every permutation.
        least_d: no neuron passes it unless its |d| is above this, so that labellings under which none is are not
            counted.

    Returns:
        see `Null`. The true labelling is counted among the permutations, so no p-value is 0. Where there are no more
        labellings than `permutations`, each is evaluated once. Warns where no p-value can be below 0.05.

    Raises:
        ValueError: for an unknown unit, or a source that lacks its rows or labels.

    Reference:
        Westfall and Young (1993) for max-T; Phipson and Smyth (2010) for the counting.
    """
    if unit not in UNITS:
        raise ValueError(f"The unit that is shuffled is one of {', '.join(UNITS)}, but {unit!r} arrived.")
    if permutations < 1:
        raise ValueError(f"At least 1 permutation is needed, but {permutations} were asked for. Use e.g. 1000.")
    high, low = paired_units(*stacks(source, kind="row" if unit == "pair" else unit, poles=poles), unit)
    labellings, exact, least = labellings_of(high, low, unit, permutations, np.random.default_rng(seed))
    permutations = len(labellings) - 1
    warn_of(least, _why(unit, len(high), len(low), exact))
    labelled = Labelled(high, low, labellings, paired=unit != "description")
    observed, at_least, largest = [], [], []
    counts = torch.zeros(permutations + 1, dtype=torch.int64)
    for layer in labelled.layers():
        observed.append(layer.correlation)
        at_least.append(layer.at_least)
        largest.append(layer.largest)
        if count is not None:
            for chosen in labelled.reaching(least_d, layer.largest):
                counts[chosen] += count(*labelled.effects(layer, chosen))
    correlation = torch.stack(observed)
    by_layer = torch.stack(largest)[:, 1:]
    overall = by_layer.amax(0)
    return Null(
        layers=tuple(source.layers),  # pyright: ignore[reportAttributeAccessIssue]
        t=labelled.statistic(correlation),
        pvalue=torch.stack(at_least).double() / (permutations + 1),
        family_wise_layer=torch.stack([_beyond(r, maxima) for r, maxima in zip(correlation, by_layer, strict=True)]),
        family_wise=_beyond(correlation, overall),
        max_t=labelled.statistic(overall),
        counts=None if count is None else counts[1:],
        count=None if count is None else int(counts[0]),
        unit=unit,
        permutations=permutations,
        exact=exact,
        least_pvalue=least,
    )


def _why(unit: str, high: int, low: int, exact: bool) -> str:
    if exact:
        return f"{high} and {low} {unit}s a pole can be labelled in few ways (add {unit}s)"
    return f"there are too few permutations (use at least {draws_needed(LEVEL)})"


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


def _beyond(correlation: Tensor, maxima: Tensor) -> Tensor:
    """The share of the maxima at least as large as each |correlation|, the true labelling counted among them."""
    ordered = maxima.sort().values
    below = torch.searchsorted(ordered, just_below(correlation.abs()))
    return (1 + len(ordered) - below).double() / (1 + len(ordered))
