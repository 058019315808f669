"""Tests whether a trait's poles use different neurons, by comparing each pole with a neutral arm.

High and Low neurons of one contrast follow the sign of one mean difference. They are disjoint by construction, so that
they do not overlap shows nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from workbench.measure.effect_size import cohens_d
from workbench.measure.effects import HasMoments
from workbench.measure.overlap import overlap
from workbench.measure.units import reweighted, stacks
from workbench.vocabulary import NeuronSet


class _Halves(NamedTuple):
    """Effects in the two halves of the prompts, for many random splits.

    Attributes:
        of: what was split: `descriptions` or `questions`.
        parts: d(high - neutral) of both halves and d(low - neutral) of both halves, each `(split, layer, d_mlp)`.
    """

    of: str
    parts: tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Exclusivity:
    """The neurons that each pole raises above a neutral arm, and how far the two sets overlap.

    Attributes:
        high, low: neurons whose d against neutral exceeds tau_d, of the high and of the low pole.
        layers: a row for each layer and one for all together (`layer` -1): `neurons`, `high`, `low`, `intersection`,
            `jaccard`, `overlap_coefficient`, `lift` over chance, hypergeometric `p_enrichment` and `p_depletion`;
            `matched_expected`, `matched_lift`, `p_matched_enrichment` and `p_matched_depletion` against sets drawn
            from neurons of similar activation size within the layer; `correlation` of d(high - neutral) with
            d(low - neutral) over neurons; `correlation_halves` with its range `correlation_low` to
            `correlation_high`: the same correlation between two halves of the prompts, which share no noise of the
            neutral arm, corrected for the unreliability of halves; `halves`: whether descriptions or questions were
            split, empty if neither are known or enough. The correlation is nan then, and if halves do not correlate
            with each other.
        contrasts: `(layer, d_mlp)` d(high - neutral) and d(low - neutral).
        min_d: tau_d.
        verdict: `exclusive`, `shared` or `undecided`.
        text: the numbers behind the verdict, in words.
    """

    high: NeuronSet
    low: NeuronSet
    layers: pd.DataFrame
    contrasts: tuple[Tensor, Tensor]
    min_d: float
    verdict: str
    text: str

    @property
    def total(self) -> dict[str, Any]:
        """The row for all layers together."""
        return {str(k): v for k, v in self.layers[self.layers["layer"] == -1].iloc[0].items()}

    def __repr__(self) -> str:
        both = len(self.high & self.low)
        return f"Exclusivity({self.verdict}: {len(self.high)} high, {len(self.low)} low, {both} in both)"


def exclusivity(
    tally: HasMoments,
    *,
    min_d: float = 0.8,
    bins: int = 10,
    draws: int = 10_000,
    splits: int = 20,
    alpha: float = 0.05,
    seed: int = 0,
) -> Exclusivity:
    """Compare both poles with a neutral arm, and test whether their neurons overlap less than by chance.

    High = {d(high - neutral) > min_d} and Low = {d(low - neutral) > min_d} may or may not overlap. They are judged
    `exclusive` if they overlap less than sets matched on activation size would and the two contrasts are opposed, and
    `shared` if they overlap more and the contrasts agree, as when any persona raises the same neurons. Otherwise they
    are `undecided`.

    Both contrasts subtract the neutral arm, so its noise alone correlates them. `correlation_halves` therefore takes
    d(high - neutral) from one half of every pole's descriptions and d(low - neutral) from the other half, and divides
    by how well the two halves of each contrast correlate. Questions are split instead if descriptions are not known,
    or a pole has fewer than 8 of them.

    Args:
        bins: number of classes of activation size (root mean square under the neutral arm) within each layer.
        draws: number of sets drawn for the matched null.
        splits: number of random splits of the descriptions, or questions.
        alpha: level of both one-sided overlap tests.

    Raises:
        ValueError: if the tally has no neutral arm.

    Reference:
        Spearman (1904), The proof and measurement of association between two things, for the correction.
    """
    moments = {str(pole): each for pole, each in tally.moments.items()}
    if "neutral" not in moments:
        raise ValueError(
            "Exclusivity compares each pole with a neutral arm, but this tally has none. "
            "Give the contrast a neutral arm: High and Low of one contrast are disjoint by construction."
        )
    neutral = moments["neutral"]
    contrasts = cohens_d(moments["high"], neutral).cpu(), cohens_d(moments["low"], neutral).cpu()
    masks = contrasts[0] > min_d, contrasts[1] > min_d
    size = (neutral.mean.square() + neutral.m2 / neutral.count).sqrt().cpu()
    halves = _halves(tally, splits, seed)
    generator = np.random.default_rng(seed)
    counts = [_matched(a, b, s, bins, draws, generator) for a, b, s in zip(*masks, size, strict=True)]
    rows = [
        _row(layer, (masks[0][i : i + 1], masks[1][i : i + 1]), contrasts, [i], counts[i], halves)
        for i, layer in enumerate(tally.layers)
    ]
    everything = list(range(len(tally.layers)))
    rows.append(_row(-1, masks, contrasts, everything, np.sum(counts, axis=0), halves))
    table = pd.DataFrame(rows)
    verdict, text = _verdict(rows[-1], min_d, alpha)
    sets = [NeuronSet.from_mask(mask, tally.layers) for mask in masks]
    return Exclusivity(sets[0], sets[1], table, contrasts, min_d, verdict, text)


def _row(
    layer: int,
    masks: tuple[Tensor, Tensor],
    contrasts: tuple[Tensor, Tensor],
    indices: list[int],
    drawn: np.ndarray,
    halves: _Halves | None,
) -> dict[str, Any]:
    shared = overlap(NeuronSet.from_mask(masks[0]), NeuronSet.from_mask(masks[1]), population=masks[0].numel())
    expected = float(drawn.mean())
    row: dict[str, Any] = {
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
        "p_matched_enrichment": float((1 + (drawn >= shared.intersection).sum()) / (1 + len(drawn))),
        "p_matched_depletion": float((1 + (drawn <= shared.intersection).sum()) / (1 + len(drawn))),
        "correlation": _correlation(contrasts[0][indices], contrasts[1][indices]),
    }
    by_split = np.array([])
    if halves is not None:
        parts = halves.parts
        by_split = np.array([_across([part[split][indices] for part in parts]) for split in range(len(parts[0]))])
        by_split = by_split[np.isfinite(by_split)]
    nothing = (float("nan"),) * 3
    interval = (by_split.mean(), *np.quantile(by_split, [0.025, 0.975])) if len(by_split) else nothing
    names = ("correlation_halves", "correlation_low", "correlation_high")
    return row | dict(zip(names, map(float, interval), strict=True)) | {"halves": "" if halves is None else halves.of}


def _matched(a: Tensor, b: Tensor, size: Tensor, bins: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Sizes of the intersection of one layer's sets when membership is shuffled among neurons of similar size."""
    classes = torch.zeros(len(size), dtype=torch.int64)
    classes[size.argsort()] = torch.arange(len(size)) * bins // len(size)
    totals = torch.bincount(classes, minlength=bins).numpy()
    first, second = (torch.bincount(classes[mask], minlength=bins).numpy() for mask in (a, b))
    return generator.hypergeometric(first, totals - first, second, size=(draws, bins)).sum(1)


def _halves(tally: object, splits: int, seed: int) -> _Halves | None:
    for kind in ("description", "question"):
        try:
            high, neutral = stacks(tally, kind=kind, poles=("high", "neutral"))
            low, _ = stacks(tally, kind=kind, poles=("low", "neutral"))
        except ValueError:  # the source has no such clusters
            continue
        if min(len(high), len(low), len(neutral)) >= 8:
            break
    else:
        return None
    generator = np.random.default_rng(seed)
    if kind == "question":  # the same questions for all poles, so that each contrast keeps its pairs
        code_of = {name: i for i, name in enumerate(dict.fromkeys(high.labels[kind]))}
        drawn = _random_halves(len(code_of), splits, generator)
        chosen = [drawn[:, [code_of[name] for name in stack.labels[kind]]] for stack in (high, low, neutral)]
    else:
        chosen = [_random_halves(len(stack), splits, generator) for stack in (high, low, neutral)]
    by_layer: list[list[Tensor]] = [[], [], [], []]
    for layer in range(high.mean.shape[1]):
        for i, (stack, pole) in enumerate(((high, 0), (high, 0), (low, 1), (low, 1))):
            of_pole, of_neutral = (half if i % 2 == 0 else 1 - half for half in (chosen[pole], chosen[2]))
            by_layer[i].append(reweighted(stack, neutral, of_pole, of_neutral, layer)[1])
    high_a, high_b, low_a, low_b = (torch.stack(part, 1) for part in by_layer)
    return _Halves(f"{kind}s", (high_a, high_b, low_a, low_b))


def _random_halves(units: int, splits: int, generator: np.random.Generator) -> Tensor:
    chosen = torch.zeros(splits, units, dtype=torch.float64)
    for row in chosen:
        row[torch.from_numpy(generator.permutation(units)[: units // 2])] = 1
    return chosen


def _across(parts: list[Tensor]) -> float:
    """The correlation between halves, corrected for their unreliability; nan if halves do not correlate positively."""
    high_a, high_b, low_a, low_b = parts
    between = (_correlation(high_a, low_b) + _correlation(high_b, low_a)) / 2
    reliability = _correlation(high_a, high_b) * _correlation(low_a, low_b)
    return float(np.clip(between / reliability**0.5, -1, 1)) if reliability > 0 else float("nan")


def _correlation(a: Tensor, b: Tensor) -> float:
    finite = a.isfinite() & b.isfinite()
    a, b = a[finite].double(), b[finite].double()
    if len(a) < 3 or float(a.std()) == 0 or float(b.std()) == 0:
        return float("nan")
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def _verdict(total: Mapping[str, Any], min_d: float, alpha: float) -> tuple[str, str]:
    text = (
        f"{total['high']} neurons rise under high and {total['low']} under low (d > {min_d:g} against neutral); "
        f"{total['intersection']} rise under both, where {total['matched_expected']:.1f} would among neurons of like "
        f"size (p = {total['p_matched_depletion']:.2g} for fewer, {total['p_matched_enrichment']:.2g} for more). "
    )
    if np.isfinite(total["correlation_halves"]):
        low, high = total["correlation_low"], total["correlation_high"]
        text += (
            f"Their effects correlate at {total['correlation_halves']:+.2f} between independent halves of the "
            f"{total['halves']} [{low:+.2f}, {high:+.2f} over halves]."
        )
    else:
        low = high = total["correlation"]
        text += f"Their effects correlate at {low:+.2f}, which the neutral arm's own noise raises."
    if total["p_matched_depletion"] < alpha and high < 0:
        return "exclusive", text
    if total["p_matched_enrichment"] < alpha and low > 0:
        return "shared", text
    if total["matched_expected"] < 3 and total["intersection"] <= total["matched_expected"]:
        text += " The sets are too small to overlap less than chance."
    return "undecided", text
