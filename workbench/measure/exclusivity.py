"""Tests whether a trait's poles use different neurons, by comparing each pole with a neutral arm.

High and Low neurons of one contrast follow the sign of one mean difference. They are disjoint by construction, so that
they do not overlap shows nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from workbench.measure.contrast_correlation import (
    LEAST_DESCRIPTIONS,
    Products,
    correlation_of,
    products_of,
)
from workbench.measure.effect_size import cohens_d
from workbench.measure.effects import HasMoments
from workbench.measure.matched import BINS, shared_by_chance, size_classes
from workbench.measure.moments import Moments
from workbench.measure.overlap import overlap
from workbench.measure.units import Stack, moments_of, part_of, stacks
from workbench.vocabulary import NeuronSet, neutral_kind

_TOLD = {
    "none": "no system prompt",
    "persona": "neutral personas",
    "neutral": "the neutral arm",
    "all": "all neutral prompts",
}


@dataclass(frozen=True, eq=False)
class Exclusivity:
    """The neurons that each pole raises above a neutral arm, and how far the two sets overlap.

    Attributes:
        high, low: neurons whose d against neutral exceeds tau_d, of the high and of the low pole.
        layers: a row for each layer and one for all together (`layer` -1): `neurons`, `high`, `low`, `intersection`,
            `jaccard`, `overlap_coefficient`, `lift` over chance, hypergeometric `p_enrichment` and `p_depletion`;
            `matched_expected`, `matched_lift`, `p_matched_enrichment` and `p_matched_depletion` against sets drawn
            from neurons of similar activation size within the layer; `correlation` of d(high - neutral) with
            d(low - neutral) over neurons, which the noise of the neutral arm raises; `correlation_halves` with its
            95 % interval `correlation_low` to `correlation_high`, the same without that noise, over all ways to halve
            the descriptions and over other descriptions (see `contrast_correlation`). These are nan where descriptions
            are not known, or the contrasts do not vary more than their noise. `p_correlation` tests it, two-sided.
        kinds: the row for all layers, once for each kind of neutral prompt: `kind` (`none`: no system prompt;
            `persona`; `neutral` where ids do not tell), `descriptions` (of a prompt without any, its questions),
            `enough` of them, the columns of `layers`, `p_exclusive`, `p_shared` and the `verdict` against this kind
            alone.
        contrasts: `(layer, d_mlp)` d(high - neutral) and d(low - neutral).
        min_d: tau_d.
        p_exclusive, p_shared: what each verdict is sure by: the largest p of its tests (overlap and correlation), over
            the kinds of neutral prompts; 1 where there is nothing to decide it by. Correct them over traits.
        verdict: `exclusive`, `shared` or `undecided`.
        text: the numbers behind the verdict, in words, and the reason where it is undecided.
    """

    high: NeuronSet
    low: NeuronSet
    layers: pd.DataFrame
    kinds: pd.DataFrame
    contrasts: tuple[Tensor, Tensor]
    min_d: float
    p_exclusive: float
    p_shared: float
    verdict: str
    text: str

    @property
    def total(self) -> dict[str, Any]:
        """The row for all layers together."""
        return {str(k): v for k, v in self.layers[self.layers["layer"] == -1].iloc[0].items()}

    def __repr__(self) -> str:
        both = len(self.high & self.low)
        return f"Exclusivity({self.verdict}: {len(self.high)} high, {len(self.low)} low, {both} in both)"


def exclusivity(tally: HasMoments, *, min_d: float = 0.8, bins: int = BINS, alpha: float = 0.05) -> Exclusivity:
    """Compare both poles with a neutral arm, and test whether their neurons overlap less than by chance.

    High = {d(high - neutral) > min_d} and Low = {d(low - neutral) > min_d} may or may not overlap. They are judged
    `exclusive` if they overlap less than sets matched on activation size would and the two contrasts are opposed, and
    `shared` if they overlap more and the contrasts agree, as when any persona raises the same neurons. Otherwise they
    are `undecided`.

    Both contrasts subtract the neutral arm, so its noise alone correlates them and lets the sets overlap. What decides
    is therefore the correlation without that noise, whose interval lets the descriptions of every pole vary. It needs
    `LEAST_DESCRIPTIONS` of each pole, below which nothing is decided: one neutral persona, or none, is one condition,
    and what it does to the neurons cannot be told from what neutral prompts do.

    Where the neutral arm holds prompts of several kinds, the verdict must come out alike against each kind that has
    enough of them; against no system prompt alone it is never decided, as that is one condition however often it is
    asked.

    Args:
        tally: kept rows with description ids, or a tally that kept descriptions apart. Ids made by
            `workbench.vocabulary.neutral_id` tell the kinds of neutral prompts apart.
        bins: number of classes of activation size (root mean square under the neutral arm) within each layer.
        alpha: level of both one-sided overlap tests; they share the neutral arm's noise and never decide alone.

    Raises:
        ValueError: if the tally has no neutral arm.
    """
    moments = {str(pole): each for pole, each in tally.moments.items()}
    if "neutral" not in moments:
        raise ValueError(
            "Exclusivity compares each pole with a neutral arm, but this tally has none. "
            "Give the contrast a neutral arm: High and Low of one contrast are disjoint by construction."
        )
    units = _descriptions(tally)
    whole = _against("all", tally.layers, (moments["high"], moments["low"], moments["neutral"]), units, min_d, bins)
    compared = [whole]
    if units is not None:
        by_kind = _by_kind(units[2])
        compared = [
            _against(
                kind, tally.layers, (moments["high"], moments["low"], moments_of(part)), (*units[:2], part), min_d, bins
            )
            for kind, part in by_kind.items()
            if part.count.sum() > 1
        ] or [whole]
    kinds = pd.DataFrame([{**each.rows[-1], **each.size, **_pvalues(each)} for each in compared])
    kinds = kinds.drop(columns="layer").assign(
        verdict=[_verdict({str(name): p for name, p in row.items()}, alpha) for row in kinds.to_dict("records")]
    )
    judged = kinds[kinds["enough"]]
    decides = bool((judged["kind"] != "none").any())
    surely = {name: float(judged[name].max()) if decides else 1.0 for name in ("p_exclusive", "p_shared")}
    verdict, text = _verdict(surely, alpha), _text(kinds, whole, min_d)
    sets = [NeuronSet.from_mask(mask, tally.layers) for mask in whole.masks]
    return Exclusivity(
        *sets,
        layers=pd.DataFrame(whole.rows),
        kinds=kinds,
        contrasts=whole.contrasts,
        min_d=min_d,
        **surely,
        verdict=verdict,
        text=text,
    )


class _Compared(NamedTuple):
    """Both poles against one kind of neutral prompt: rows by layer and in total, and the number of descriptions."""

    rows: list[dict[str, Any]]
    size: dict[str, Any]
    masks: tuple[Tensor, Tensor]
    contrasts: tuple[Tensor, Tensor]


def _against(
    kind: str,
    layers: tuple[int, ...],
    poles: tuple[Moments, Moments, Moments],
    units: tuple[Stack, Stack, Stack] | None,
    min_d: float,
    bins: int,
) -> _Compared:
    high, low, neutral = poles
    contrasts = cohens_d(high, neutral).cpu(), cohens_d(low, neutral).cpu()
    # A neuron that is constant on both sides has no effect size.
    first, second = ((each > min_d) & each.isfinite() for each in contrasts)
    masks = first, second
    size = (neutral.mean.square() + neutral.m2 / neutral.count).sqrt().cpu()
    classes = size_classes(size, bins=bins)
    products: list[Products] = []
    if units is not None:
        degrees = high.count + low.count + neutral.count - 3
        scale = ((high.m2 + low.m2 + neutral.m2) / degrees).sqrt().cpu()
        products = [products_of(units, scale[i], i) for i in range(len(layers))]
    rows = []
    for i, layer in enumerate((*layers, -1)):
        at = slice(None) if layer == -1 else slice(i, i + 1)
        row = _row(layer, (masks[0][at], masks[1][at]), (contrasts[0][at], contrasts[1][at]), classes[at])
        found = (*(float("nan"),) * 3, 1.0)
        if units is not None:
            part = reduce(Products.plus, products) if layer == -1 else products[i]
            correlation = correlation_of(part, units)
            found = (correlation.estimate, correlation.low, correlation.high, correlation.pvalue)
        names = ("correlation_halves", "correlation_low", "correlation_high", "p_correlation")
        rows.append(row | dict(zip(names, found, strict=True)))
    counts = [0, 0, 0] if units is None else [len(each) for each in units]
    enough = min(counts) >= LEAST_DESCRIPTIONS
    poles_have = {"descriptions_high": counts[0], "descriptions_low": counts[1], "descriptions": counts[2]}
    return _Compared(rows, {"kind": kind, **poles_have, "enough": enough}, masks, contrasts)


def _row(layer: int, masks: tuple[Tensor, Tensor], contrasts: tuple[Tensor, Tensor], classes: Tensor) -> dict[str, Any]:
    shared = overlap(NeuronSet.from_mask(masks[0]), NeuronSet.from_mask(masks[1]), population=masks[0].numel())
    chance = shared_by_chance(*masks, classes)
    expected = float(chance @ np.arange(len(chance)))
    return {
        "layer": layer,
        "neurons": shared.population,
        "high": shared.size_a,
        "low": shared.size_b,
        "intersection": shared.intersection,
        "jaccard": shared.jaccard,
        "overlap_coefficient": shared.overlap_coefficient,
        "lift": shared.lift,
        "p_enrichment": shared.p_enrichment,
        "p_depletion": shared.p_depletion,
        "matched_expected": expected,
        "matched_lift": shared.intersection / expected if expected else float("nan"),
        "p_matched_enrichment": float(min(1.0, chance[shared.intersection :].sum())),
        "p_matched_depletion": float(min(1.0, chance[: shared.intersection + 1].sum())),
        "correlation": _correlation(*contrasts),
    }


def _descriptions(tally: object) -> tuple[Stack, Stack, Stack] | None:
    try:
        high, neutral = stacks(tally, kind="description", poles=("high", "neutral"))
        low, _ = stacks(tally, kind="description", poles=("low", "neutral"))
    except ValueError:  # the source has no description ids
        return None
    return high, low, neutral


def _by_kind(neutral: Stack) -> dict[str, Stack]:
    kinds: dict[str, list[int]] = {}
    for i, name in enumerate(neutral.labels["description"]):
        kinds.setdefault(neutral_kind(name), []).append(i)
    return {kind: part_of(neutral, chosen) for kind, chosen in sorted(kinds.items())}


def _correlation(a: Tensor, b: Tensor) -> float:
    finite = a.isfinite() & b.isfinite()
    a, b = a[finite].double(), b[finite].double()
    if len(a) < 3 or float(a.std()) == 0 or float(b.std()) == 0:
        return float("nan")
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])


def _pvalues(compared: _Compared) -> dict[str, float]:
    """What `exclusive` and `shared` are sure by, against one kind of neutral prompt."""
    total = compared.rows[-1]
    opposed, agreeing = total["correlation_halves"] < 0, total["correlation_halves"] > 0
    return {
        "p_exclusive": max(total["p_matched_depletion"], total["p_correlation"]) if opposed else 1.0,
        "p_shared": max(total["p_matched_enrichment"], total["p_correlation"]) if agreeing else 1.0,
    }


def _verdict(row: Mapping[str, Any], alpha: float) -> str:
    if not row.get("enough", True):
        return "undecided"
    return "exclusive" if row["p_exclusive"] < alpha else "shared" if row["p_shared"] < alpha else "undecided"


def _text(kinds: pd.DataFrame, whole: _Compared, min_d: float) -> str:
    """The numbers, how each kind of neutral prompt comes out, and why nothing is decided where nothing is."""
    total = whole.rows[-1]
    text = (
        f"{total['high']} neurons rise under high and {total['low']} under low (d > {min_d:g} against neutral); "
        f"{total['intersection']} rise under both, where {total['matched_expected']:.1f} would among neurons of like "
        f"size (p = {total['p_matched_depletion']:.2g} for fewer, {total['p_matched_enrichment']:.2g} for more). "
    )
    rows = [{str(name): value for name, value in row.items()} for row in kinds.to_dict("records")]
    text += " ".join(_told(row) for row in rows)
    judged = [row for row in rows if row["enough"]]
    if not any(row["kind"] != "none" for row in judged):
        return f"{text} {_too_few(rows)}"
    said = {row["verdict"] for row in judged}
    if len(said) > 1:
        return f"{text} The kinds of neutral prompts do not agree, so nothing is decided."
    few = total["matched_expected"] < 3 and total["intersection"] <= total["matched_expected"]
    return text + " The sets are too small to overlap less than chance." * (said == {"undecided"} and few)


def _told(row: Mapping[str, Any]) -> str:
    units = "questions" if row["kind"] == "none" else "descriptions"
    against = f"Against {_TOLD[row['kind']]} ({row['descriptions']} {units})"
    if not np.isfinite(row["correlation_halves"]):
        return f"{against} the effects do not vary enough over neurons to be correlated."
    found = row["verdict"] if row["enough"] else "too few to decide"
    return (
        f"{against} the effects correlate at {row['correlation_halves']:+.2f} [{row['correlation_low']:+.2f}, "
        f"{row['correlation_high']:+.2f}] without the noise that they share: {found}."
    )


def _too_few(rows: list[dict[str, Any]]) -> str:
    poles = {name: int(rows[0][f"descriptions_{name}"]) for name in ("high", "low")}
    poles["neutral"] = max((int(row["descriptions"]) for row in rows if row["kind"] != "none"), default=0)
    if not any(poles.values()):
        return "Descriptions are not known, so their noise cannot be told from an effect: give description ids."
    held = ", ".join(f"{name} {count}" for name, count in poles.items())
    return f"A verdict needs at least {LEAST_DESCRIPTIONS} descriptions of each pole, but there are: {held}."
