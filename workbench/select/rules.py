"""Which neurons carry a trait: the published dual criterion, and the rules that it is compared with."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.measure.effects import Effects
from workbench.measure.nulls import false_discovery
from workbench.measure.resolution import discoveries_needed, draws_needed
from workbench.select.criteria import Criterion, is_strong, upper_quantile
from workbench.select.near import Above, EmptySelectionError
from workbench.select.selection import Selection
from workbench.select.settings import RuleSettings
from workbench.vocabulary import NeuronSet


def select_neurons(
    effects: Effects,
    settings: RuleSettings | None = None,
    *,
    layers: Sequence[int] | None = None,
    **changes: Any,
) -> Selection:
    """Choose neurons by a rule. Here s is the mean difference and d is Cohen's d.

    By default DPN-LE's rule and thresholds; keywords change them:
    `select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8, layers=range(12, 32))`.

    Rules:
        dual: |s| > tau_q and |d| > min_d, as in DPN-LE.
        magnitude-only: |s| > tau_q.
        d-only: |d| > min_d. Where a neuron is constant on both poles d is infinite, and the neuron is not taken.
        write-norm: |s_i| * ||W_out[i]||, the size of what neuron i writes to the residual stream, above its own
            quantile. Needs the measure `write_norm`.
        top-k: the k largest |measure| named `by`, in each layer or over the model.
        npti: the shares of rows above zero differ between poles by at least `min_probability`; where that gives a pole
            fewer than `least` neurons, its `least` most different ones. It is NPTI's rule if the capture read
            `hook_pre`. Needs the measure `positive_difference`.
        fdr: the p-value, adjusted by `method` over all layers together, is at most `alpha`. The p-values are the
            measure `pvalue` if the effects have one (a permutation's, say), else those of the effects' t test.
        broad: every neuron of the layers with s ≠ 0.

    Args:
        settings: the rule and its thresholds; by default `RuleSettings()`.
        layers: the layers to choose from; by default all that the effects hold.
        changes: fields of `settings` with other values: `rule`, `quantile` (q of tau_q), `min_d` (tau_d), `within`
            (take thresholds within each `layer` or over the `model`), `by`, `k`, `alpha`, ...

    Raises:
        ValueError: for an unknown rule, a setting out of range, or layers or a measure that the effects lack.
        EmptySelectionError: a ValueError, for an empty selection: the criterion that no neuron meets, and for rules
            with a min_d how |d| is distributed among the neurons that it was put to and what would select any.
        TypeError: for a keyword that is no setting.

    Reference:
        Zheng et al. (2026), arXiv 2604.27929, section 3.2; Deng et al. (2025) for npti.
    """
    settings = replace(settings or RuleSettings(), **changes)
    if layers is not None:
        effects = effects.restrict(layers)
    criteria, side, used = _CRITERIA[settings.rule](effects, settings)
    chosen = torch.stack([criterion.passes for criterion in criteria]).all(0)
    high, low = chosen & (side > 0), chosen & (side < 0)
    selection = Selection(
        effects.trait,
        settings.rule,
        NeuronSet.from_mask(high, effects.layers),
        NeuronSet.from_mask(low, effects.layers),
        _by_layer(effects, settings, high, low),
        {name: getattr(settings, name) for name in used},
        _what_each_removed(effects.layers, criteria),
    )
    if not bool(chosen.any()):
        above = Above.of(effects, settings) if settings.rule in ("dual", "d-only") else None
        raise EmptySelectionError(_why_empty(settings.rule, criteria), above, selection)
    return selection


Criteria = tuple[list[Criterion], Float[Tensor, "layer d_mlp"], tuple[str, ...]]
"""A rule's criteria, the values whose sign tells a neuron's pole, and the settings that were used."""


def _magnitude(effects: Effects, settings: RuleSettings) -> Criterion:
    return _large(effects.mean_difference.abs(), "magnitude", "|s|", settings)


def _effect_size(effects: Effects, settings: RuleSettings) -> Criterion:
    threshold = torch.full((len(effects.layers),), float(settings.min_d), dtype=torch.float64)
    return Criterion("d", f"|d| > {settings.min_d}", is_strong(effects.cohens_d, settings.min_d), threshold)


def _large(values: Tensor, name: str, sign: str, settings: RuleSettings) -> Criterion:
    if settings.within == "model":
        threshold = upper_quantile(values.flatten(), settings.quantile).expand(len(values))
    else:
        threshold = upper_quantile(values, settings.quantile)
    where = "" if settings.within == "layer" else " over the model"
    text = f"{sign} > tau_q (q = {settings.quantile}{where})"
    return Criterion(name, text, values > threshold[:, None], threshold.double())


def _dual(effects: Effects, settings: RuleSettings) -> Criteria:
    criteria = [_magnitude(effects, settings), _effect_size(effects, settings)]
    return criteria, effects.mean_difference, ("quantile", "min_d", "within")


def _magnitude_only(effects: Effects, settings: RuleSettings) -> Criteria:
    return [_magnitude(effects, settings)], effects.mean_difference, ("quantile", "within")


def _d_only(effects: Effects, settings: RuleSettings) -> Criteria:
    return [_effect_size(effects, settings)], effects.mean_difference, ("min_d",)


def _write_norm(effects: Effects, settings: RuleSettings) -> Criteria:
    written = effects.measure("write_norm")
    return [_large(written, "write norm", "|s|·||W_out||", settings)], effects.mean_difference, ("quantile", "within")


def _top_k(effects: Effects, settings: RuleSettings) -> Criteria:
    assert settings.k is not None
    values = effects.measure(settings.by).abs()
    if settings.by == "auroc":
        values = (effects.measure("auroc") - 0.5).abs()
    pool = values.flatten()[None] if settings.within == "model" else values
    if settings.k > pool.shape[1]:
        raise ValueError(f"k is at most the {pool.shape[1]} neurons to choose from, but it is {settings.k}.")
    best = pool.topk(settings.k, dim=1)
    taken = torch.zeros_like(pool, dtype=torch.bool).scatter_(1, best.indices, True).view_as(values)
    text = f"among the {settings.k} largest |{settings.by}| of the {settings.within}"
    threshold = best.values[:, -1].double().expand(len(values))
    return [Criterion("rank", text, taken, threshold)], effects.mean_difference, ("by", "k", "within")


def _npti(effects: Effects, settings: RuleSettings) -> Criteria:
    apart = effects.measure("positive_difference")
    taken = torch.zeros_like(apart, dtype=torch.bool)
    for sign in (1, -1):
        towards = sign * apart
        pole = (towards >= settings.min_probability) & (towards > 0)
        if int(pole.sum()) < settings.least:
            ranked = towards.flatten().topk(min(settings.least, towards.numel()))
            pole = torch.zeros(towards.numel(), dtype=torch.bool).scatter_(0, ranked.indices, ranked.values > 0)
            pole = pole.view_as(towards)
        taken |= pole
    text = f"shares above zero differ by {settings.min_probability:g} or are among the {settings.least} most different"
    threshold = torch.full((len(apart),), float(settings.min_probability), dtype=torch.float64)
    return [Criterion("activation probability", text, taken, threshold)], apart, ("min_probability", "least")


def _fdr(effects: Effects, settings: RuleSettings) -> Criteria:
    measured = effects.measures.get("pvalue", None)
    pvalues = effects.pvalue if measured is None else measured
    adjusted = false_discovery(pvalues, method=settings.method)
    taken = adjusted <= settings.alpha * (1 + 1e-9)
    if measured is not None and not bool(taken.any()):
        _refuse_coarse(measured, settings)
    threshold = torch.full((len(adjusted),), settings.alpha, dtype=torch.float64)
    text = f"p adjusted by {settings.method} <= {settings.alpha:g}"
    return [Criterion("false discovery", text, taken, threshold)], effects.mean_difference, ("alpha", "method")


def _refuse_coarse(pvalues: Tensor, settings: RuleSettings) -> None:
    """Refuse p-values of a permutation that could not have been small enough, however large the effects are."""
    least, tests = float(pvalues.min()), pvalues.numel()
    multiples = pvalues / least if least else torch.full_like(pvalues, 0.5)
    if least == 1 or bool(((multiples - multiples.round()).abs() > 1e-6).any()):
        return  # nothing came close, or the p-values are no counts of permutations
    at_least = int((multiples < 1.5).sum())
    needed = discoveries_needed(least, tests, alpha=settings.alpha, method=settings.method)
    reaches = least * at_least / needed
    raise ValueError(
        f"The fdr rule cannot select: the least of these permutation p-values is {least:.2g}, and {settings.method} "
        f"takes it at {settings.alpha:g} only if {needed} of the {tests} neurons have it, but {at_least} do. Use "
        f"max-T, Null.family_wise, or so many permutations that p-values reach {reaches:.2g}: about "
        f"{draws_needed(reaches)}, if as many labellings exist."
    )


def _broad(effects: Effects, settings: RuleSettings) -> Criteria:
    nonzero = Criterion("difference", "s ≠ 0", effects.mean_difference != 0, torch.zeros(len(effects.layers)).double())
    return [nonzero], effects.mean_difference, ()


_CRITERIA: dict[str, Callable[[Effects, RuleSettings], Criteria]] = {
    "dual": _dual,
    "magnitude-only": _magnitude_only,
    "d-only": _d_only,
    "write-norm": _write_norm,
    "top-k": _top_k,
    "npti": _npti,
    "fdr": _fdr,
    "broad": _broad,
}


def _by_layer(effects: Effects, settings: RuleSettings, high: Tensor, low: Tensor) -> pd.DataFrame:
    """For each layer, how many neurons meet both published criteria and how many the rule, whichever it is, chose."""
    large, strong = _magnitude(effects, settings), _effect_size(effects, settings)
    return pd.DataFrame(
        {
            "layer": effects.layers,
            "neurons": effects.width,
            "threshold": large.threshold.numpy(),
            "above_threshold": large.passes.sum(1).numpy(),
            "above_min_d": strong.passes.sum(1).numpy(),
            "high": high.sum(1).numpy(),
            "low": low.sum(1).numpy(),
            "removed_by_d": (large.passes & ~strong.passes).sum(1).numpy(),
            "removed_by_magnitude": (strong.passes & ~large.passes).sum(1).numpy(),
        }
    )


def _what_each_removed(layers: Sequence[int], criteria: list[Criterion]) -> pd.DataFrame:
    tables = []
    for criterion in criteria:
        others = [other.passes for other in criteria if other is not criterion]
        rest = torch.stack(others).all(0) if others else torch.ones_like(criterion.passes)
        tables.append(
            pd.DataFrame(
                {
                    "layer": layers,
                    "criterion": criterion.name,
                    "asks": criterion.text,
                    "threshold": criterion.threshold.numpy(),
                    "passes": criterion.passes.sum(1).numpy(),
                    "removes": (rest & ~criterion.passes).sum(1).numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _why_empty(rule: str, criteria: list[Criterion]) -> str:
    total = criteria[0].passes.numel()
    counts = [int(criterion.passes.sum()) for criterion in criteria]
    passing = " and ".join(f"{n} pass {criterion.text}" for n, criterion in zip(counts, criteria, strict=True))
    empty = [criterion.name for n, criterion in zip(counts, criteria, strict=True) if n == 0]
    cure = {
        "d": "Lower min_d or add prompts.",
        "magnitude": "Lower the quantile.",
        "write norm": "Lower the quantile.",
        "activation probability": "Lower min_probability, or set least.",
        "false discovery": "Raise alpha or add prompts.",
        "difference": "The poles' activations are equal: check that their prompts differ.",
    }
    if empty:
        binding = f"the {empty[0]} criterion binds. {cure.get(empty[0], '')}".rstrip()
    else:
        binding = "no neuron passes both. Lower the quantile or min_d."
    return f"The {rule} rule selects nothing. Of {total} neurons {passing}: {binding}"
