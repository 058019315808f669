"""Which neurons carry a trait: the published dual criterion and what it is compared with."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.measure.effects import Effects
from workbench.measure.nulls import false_discovery
from workbench.select.criteria import Criterion, upper_quantile
from workbench.select.selection import Selection
from workbench.vocabulary import NeuronSet

RULES = ("dual", "magnitude-only", "d-only", "write-norm", "top-k", "npti", "fdr", "broad")


@dataclass(frozen=True)
class RuleSettings:
    """What the rules may be set to; each uses some of it."""

    quantile: float = 0.995
    min_d: float = 0.8
    within: str = "layer"
    by: str = "cohens_d"
    k: int | None = None
    alpha: float = 0.05
    method: str = "bh"
    min_probability: float = 0.1
    least: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"The quantile lies strictly between 0 and 1, but {self.quantile} arrived.")
        if not (math.isfinite(self.min_d) and self.min_d >= 0):
            raise ValueError(f"min_d is a number from 0 up, but {self.min_d} arrived.")
        if self.within not in ("layer", "model"):
            raise ValueError(f"Thresholds are taken within a layer or the model, but within={self.within!r} arrived.")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha lies strictly between 0 and 1, but {self.alpha} arrived.")
        if self.k is not None and self.k < 1:
            raise ValueError(f"k is a number of neurons from 1 up, but {self.k} arrived.")
        if not 0 <= self.min_probability <= 1 or self.least < 0:
            raise ValueError(
                f"min_probability is a share and least a number from 0 up, but {self.min_probability} and {self.least} "
                "arrived."
            )


def select_neurons(
    effects: Effects,
    *,
    rule: str = "dual",
    quantile: float = 0.995,
    min_d: float = 0.8,
    layers: Sequence[int] | None = None,
    within: str = "layer",
    by: str = "cohens_d",
    k: int | None = None,
    alpha: float = 0.05,
    method: str = "bh",
    min_probability: float = 0.1,
    least: int = 0,
) -> Selection:
    """Choose neurons by a rule, with s the mean difference and d Cohen's d.

    Rules:
        dual: |s| > tau_q and |d| > min_d, as DPN-LE has it.
        magnitude-only: |s| > tau_q.
        d-only: |d| > min_d.
        write-norm: |s_i| * ||W_out[i]|| above its own quantile: the size of what reaches the residual stream. Needs
            the measure `write_norm`.
        top-k: the k largest |measure| named `by`, in each layer or over the model.
        npti: the share of rows above zero differs by at least `min_probability`, and at least the `least` most
            different neurons of each pole; captured at `hook_pre` it is NPTI's. Needs `positive_difference`.
        fdr: p-values, adjusted by `method` over all layers together, of at most `alpha`; from the measure `pvalue`
            where there is one (a permutation's, say), else the effects' own t test.
        broad: every neuron of the layers with s ≠ 0.

    Args:
        quantile: q of tau_q, of |s| within the layer, or over all layers with `within="model"`.
        min_d: tau_d, in pooled standard deviations.
        layers: which layers take part; all that the effects hold by default.
        within: where thresholds are taken and k is counted: `layer` or `model`.

    Raises:
        ValueError: for an unknown rule, a setting out of range, layers or a measure that the effects lack, or an
            empty selection, naming the criterion that emptied it.

    Reference:
        Zheng et al. (2026), arXiv 2604.27929, section 3.2; Deng et al. (2025) for npti.
    """
    if rule not in RULES:
        raise ValueError(f"There is no rule {rule!r}. Choose one of {', '.join(RULES)}.")
    chosen = RuleSettings(quantile, min_d, within, by, k, alpha, method, min_probability, least)
    if layers is not None:
        effects = effects.restrict(layers)
    criteria, side, used = _ASKED[rule](effects, chosen)
    taken = torch.stack([criterion.passes for criterion in criteria]).all(0)
    if not bool(taken.any()):
        raise ValueError(_why_empty(rule, criteria))
    high, low = taken & (side > 0), taken & (side < 0)
    return Selection(
        effects.trait,
        rule,
        NeuronSet.from_mask(high, effects.layers),
        NeuronSet.from_mask(low, effects.layers),
        _by_layer(effects, chosen, high, low),
        {name: getattr(chosen, name) for name in used},
        _what_each_removed(effects.layers, criteria),
    )


Asked = tuple[list[Criterion], Float[Tensor, "layer d_mlp"], tuple[str, ...]]


def _magnitude(effects: Effects, settings: RuleSettings) -> Criterion:
    return _large(effects.mean_difference.abs(), "magnitude", "|s|", settings)


def _effect_size(effects: Effects, settings: RuleSettings) -> Criterion:
    threshold = torch.full((len(effects.layers),), float(settings.min_d), dtype=torch.float64)
    return Criterion("d", f"|d| > {settings.min_d}", effects.cohens_d.abs() > settings.min_d, threshold)


def _large(values: Tensor, name: str, sign: str, settings: RuleSettings) -> Criterion:
    if settings.within == "model":
        threshold = upper_quantile(values.flatten(), settings.quantile).expand(len(values))
    else:
        threshold = upper_quantile(values, settings.quantile)
    where = "" if settings.within == "layer" else " over the model"
    text = f"{sign} > tau_q (q = {settings.quantile}{where})"
    return Criterion(name, text, values > threshold[:, None], threshold.double())


def _dual(effects: Effects, settings: RuleSettings) -> Asked:
    asked = [_magnitude(effects, settings), _effect_size(effects, settings)]
    return asked, effects.mean_difference, ("quantile", "min_d", "within")


def _magnitude_only(effects: Effects, settings: RuleSettings) -> Asked:
    return [_magnitude(effects, settings)], effects.mean_difference, ("quantile", "within")


def _d_only(effects: Effects, settings: RuleSettings) -> Asked:
    return [_effect_size(effects, settings)], effects.mean_difference, ("min_d",)


def _write_norm(effects: Effects, settings: RuleSettings) -> Asked:
    written = effects.measure("write_norm")
    return [_large(written, "write norm", "|s|·||W_out||", settings)], effects.mean_difference, ("quantile", "within")


def _top_k(effects: Effects, settings: RuleSettings) -> Asked:
    if settings.k is None:
        raise ValueError("The top-k rule needs k, the number of neurons, but none arrived. Give e.g. k=50.")
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


def _npti(effects: Effects, settings: RuleSettings) -> Asked:
    apart = effects.measure("positive_difference")
    taken = torch.zeros_like(apart, dtype=torch.bool)
    for sign in (1, -1):
        mine = sign * apart
        pole = (mine >= settings.min_probability) & (mine > 0)
        if int(pole.sum()) < settings.least:
            ranked = mine.flatten().topk(min(settings.least, mine.numel()))
            pole = torch.zeros(mine.numel(), dtype=torch.bool).scatter_(0, ranked.indices, ranked.values > 0)
            pole = pole.view_as(mine)
        taken |= pole
    text = f"shares above zero differ by {settings.min_probability:g} or are among the {settings.least} most different"
    threshold = torch.full((len(apart),), float(settings.min_probability), dtype=torch.float64)
    return [Criterion("activation probability", text, taken, threshold)], apart, ("min_probability", "least")


def _fdr(effects: Effects, settings: RuleSettings) -> Asked:
    given = effects.measures.get("pvalue", None)
    adjusted = false_discovery(effects.pvalue if given is None else given, method=settings.method)
    threshold = torch.full((len(adjusted),), settings.alpha, dtype=torch.float64)
    text = f"p adjusted by {settings.method} <= {settings.alpha:g}"
    asked = Criterion("false discovery", text, adjusted <= settings.alpha, threshold)
    return [asked], effects.mean_difference, ("alpha", "method")


def _broad(effects: Effects, settings: RuleSettings) -> Asked:
    nonzero = Criterion("difference", "s ≠ 0", effects.mean_difference != 0, torch.zeros(len(effects.layers)).double())
    return [nonzero], effects.mean_difference, ()


_ASKED: dict[str, Callable[[Effects, RuleSettings], Asked]] = {
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
    """Both published criteria beside what was chosen, whichever rule chose it."""
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
    for place, criterion in enumerate(criteria):
        others = [other.passes for i, other in enumerate(criteria) if i != place]
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
    told = " and ".join(f"{n} pass {criterion.text}" for n, criterion in zip(counts, criteria, strict=True))
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
    return f"The {rule} rule selects nothing. Of {total} neurons {told}: {binding}"
