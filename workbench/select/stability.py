"""Whether a rule would have chosen the same neurons from another sample of descriptions or questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.measure.effects import Effects
from workbench.measure.overlap import overlap
from workbench.measure.resampled import drawn_weights
from workbench.measure.units import Stack, blocks, reweighted, stacks
from workbench.select.criteria import is_strong, passes
from workbench.select.selection import Selection
from workbench.select.settings import RuleSettings

UNITS = ("description", "question")
QUANTILES = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
MIN_DS = (0.0, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5)


@dataclass(frozen=True, eq=False)
class Stability:
    """How much a selection depends on the clusters that it was made from.

    Attributes:
        split_half: a row for each random split of the clusters: the `jaccard` of the two halves' selections, the
            Jaccard that sets of these sizes would have by `chance`, and `corrected`, (jaccard - chance) / (1 - chance):
            1 means the same neurons, 0 means chance.
        frequency: `(layer, d_mlp)` share of bootstraps over clusters that select each neuron.
        leave_one_out: a row for each cluster (`pole`, `cluster`): `jaccard` of the selection made without it with the
            whole one.
        selected: `(layer, d_mlp)` the selection made from all clusters.
        unit: which clusters: `description` or `question`.
        rule: the rule that was repeated.
    """

    split_half: pd.DataFrame
    frequency: Float[Tensor, "layer d_mlp"]
    leave_one_out: pd.DataFrame
    selected: Bool[Tensor, "layer d_mlp"]
    unit: str
    rule: str

    def summary(self) -> pd.DataFrame:
        """A row for each measure: `measure`, `estimate`, `low`, `high` (95 % of splits, neurons or clusters), `n`.

        Where two selections are both empty they have no Jaccard; where that is always so the numbers are missing.
        """
        chosen = self.frequency[self.selected].numpy()
        measures = {
            "split-half Jaccard": self.split_half["jaccard"],
            "split-half Jaccard by chance": self.split_half["chance"],
            "split-half Jaccard, corrected": self.split_half["corrected"],
            "selection frequency of the chosen": chosen,
            "Jaccard without one cluster": self.leave_one_out["jaccard"],
        }
        rows = [(name, np.asarray(values, dtype=float)) for name, values in measures.items() if len(values)]
        return pd.DataFrame([{"measure": name, **_spread(values)} for name, values in rows])

    def __repr__(self) -> str:
        mean = self.split_half["corrected"].mean()
        return f"Stability({self.rule} over {self.unit}s, split-half Jaccard {mean:.2f} corrected for chance)"


def _spread(values: np.ndarray) -> dict[str, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": len(values)}
    low, high = np.quantile(known, [0.025, 0.975])
    return {"estimate": float(known.mean()), "low": float(low), "high": float(high), "n": len(values)}


def stability(
    source: object,
    *,
    rule: str = RuleSettings.rule,
    quantile: float = RuleSettings.quantile,
    min_d: float = RuleSettings.min_d,
    unit: str = "description",
    splits: int = 100,
    bootstraps: int = 100,
    poles: tuple[str, str] = ("high", "low"),
    seed: int = 0,
) -> Stability:
    """Repeat a selection on random halves of the clusters, on bootstraps of them, and without each of them.

    Args:
        source: kept activations whose clusters are known, or a tally that kept clusters apart.
        rule: `dual`, `magnitude-only` or `d-only`.
        unit: `description` (drawn within each pole) or `question` (drawn for both poles together).

    Raises:
        ValueError: for another unit or rule, fewer than 4 clusters, or a source without clusters.

    Reference:
        Meinshausen and Bühlmann (2010) for selection frequencies.
    """
    if unit not in UNITS:
        raise ValueError(f"The unit is one of {', '.join(UNITS)}, but {unit!r} arrived.")
    settings = RuleSettings(rule=rule, quantile=quantile, min_d=min_d)
    high, low = stacks(source, kind=unit, poles=poles)
    if min(len(high), len(low)) < 4:
        raise ValueError(f"Halves need at least 4 {unit}s a pole, but there are {len(high)} and {len(low)}.")
    generator = np.random.default_rng(seed)
    halves = _halves(high, low, unit, splits, generator)
    drawn = drawn_weights(high, low, unit, bootstraps, generator)
    without, left_out = _without(high, low, unit)
    all_once = (torch.ones(1, len(high)).double(), torch.ones(1, len(low)).double())
    weights = [torch.cat(parts) for parts in zip(all_once, *halves, drawn, without, strict=True)]
    by_layer = []
    for layer in range(high.mean.shape[1]):
        masks = []
        for part in blocks(len(weights[0]), high.mean.shape[-1]):
            s, d = reweighted(high, low, weights[0][part], weights[1][part], layer)
            masks.append(passes(settings, s, d))
        by_layer.append(torch.cat(masks))
    chosen = torch.stack(by_layer, 1)  # (replicate, layer, d_mlp)
    whole, first, second, resampled, reduced = chosen.split([1, splits, splits, bootstraps, len(left_out)])
    jaccards = [jaccard(a, b) for a, b in zip(first, second, strict=True)]
    table = pd.DataFrame(jaccards, columns=["jaccard", "chance", "corrected"])
    left = [jaccard(each, whole[0])[0] for each in reduced]
    return Stability(
        table.assign(split=range(splits)),
        resampled.float().mean(0),
        pd.DataFrame(left_out, columns=["pole", "cluster"]).assign(jaccard=left),
        whole[0],
        unit,
        rule,
    )


def jaccard(a: Bool[Tensor, "layer d_mlp"], b: Bool[Tensor, "layer d_mlp"]) -> tuple[float, float, float]:
    """The Jaccard of two selections, that of random sets of these sizes in each layer, and the corrected Jaccard.

    Returns:
        all three are nan if both selections are empty.

    Example:
        >>> same = torch.tensor([[True, False, False, False]])
        >>> jaccard(same, same)
        (1.0, 0.14285714285714285, 1.0)
    """
    shared, sizes = float((a & b).sum()), (a.sum(1).double(), b.sum(1).double())
    total = float(sizes[0].sum() + sizes[1].sum())
    if not total:
        return float("nan"), float("nan"), float("nan")
    expected = float((sizes[0] * sizes[1] / a.shape[1]).sum())
    observed, chance = shared / (total - shared), expected / (total - expected)
    return observed, chance, (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def agreement(selections: Mapping[str, Selection]) -> pd.DataFrame:
    """How far the neurons that different rules chose agree.

    Returns:
        a row for each pair of rules: `rule_a`, `rule_b`, the fields of `Overlap`, and `jaccard_corrected` for chance
        within layers.

    Raises:
        ValueError: if the selections were made from different layers.
    """
    rows = []
    for a, b in combinations(selections, 2):
        first, second = selections[a], selections[b]
        layers = first.layers["layer"].tolist()
        if layers != second.layers["layer"].tolist():
            raise ValueError(f"Rules are compared on the same layers, but {a} has {layers} and {b} has others.")
        width = int(first.layers["neurons"].iloc[0])
        corrected = jaccard(first.both.mask(layers, width), second.both.mask(layers, width))[2]
        shared = overlap(first.both, second.both, population=width * len(layers))
        rows.append({"rule_a": a, "rule_b": b, **shared.__dict__, "jaccard_corrected": corrected})
    return pd.DataFrame(rows)


def sensitivity(
    effects: Effects,
    *,
    quantiles: Sequence[float] = QUANTILES,
    min_ds: Sequence[float] = MIN_DS,
    reference: tuple[float, float] = (RuleSettings.quantile, RuleSettings.min_d),
) -> pd.DataFrame:
    """How many neurons the dual rule selects at other thresholds.

    Args:
        reference: the quantile and tau_d that each selection is compared with.

    Returns:
        a row for each quantile and tau_d: `quantile`, `min_d`, `selected`, `share` of all neurons, `high`, `low`,
        `removed_by_d` (of those above tau_q), `removed_by_magnitude` (of those above tau_d), and the `jaccard`
        with the reference selection (nan if both are empty).
    """
    s, d = effects.mean_difference, effects.cohens_d
    base = passes(RuleSettings(quantile=reference[0], min_d=reference[1]), s, d)
    rows = []
    for quantile in quantiles:
        large = passes(RuleSettings(rule="magnitude-only", quantile=quantile), s, d)
        for min_d in min_ds:
            strong = is_strong(d, min_d)
            chosen = large & strong
            rows.append(
                {
                    "quantile": quantile,
                    "min_d": min_d,
                    "selected": int(chosen.sum()),
                    "share": float(chosen.double().mean()),
                    "high": int((chosen & (s > 0)).sum()),
                    "low": int((chosen & (s < 0)).sum()),
                    "removed_by_d": int((large & ~strong).sum()),
                    "removed_by_magnitude": int((strong & ~large).sum()),
                    "jaccard": jaccard(chosen, base)[0],
                }
            )
    return pd.DataFrame(rows)


def _halves(
    high: Stack, low: Stack, unit: str, splits: int, generator: np.random.Generator
) -> list[tuple[Tensor, Tensor]]:
    """For each split, the weights that take one half of the units of both poles, and those that take the other."""

    def half(size: int) -> np.ndarray:
        chosen = np.zeros((splits, size))
        for row in chosen:
            row[generator.permutation(size)[: size // 2]] = 1
        return chosen

    if unit == "question":
        names = {name: i for i, name in enumerate(dict.fromkeys([*high.labels[unit], *low.labels[unit]]))}
        drawn = half(len(names))
        both = [torch.from_numpy(drawn[:, [names[name] for name in stack.labels[unit]]]) for stack in (high, low)]
    else:
        both = [torch.from_numpy(half(len(stack))) for stack in (high, low)]
    return [(both[0], both[1]), (1 - both[0], 1 - both[1])]


def _without(high: Stack, low: Stack, unit: str) -> tuple[tuple[Tensor, Tensor], list[tuple[str, str]]]:
    """Weights that leave out one cluster each, and the pole and name of that cluster."""
    if unit == "question":
        names = list(dict.fromkeys([*high.labels[unit], *low.labels[unit]]))
        weights = [
            torch.tensor([[float(label != name) for label in stack.labels[unit]] for name in names]).double()
            for stack in (high, low)
        ]
        return (weights[0], weights[1]), [("both", name) for name in names]
    n, m = len(high), len(low)
    first = torch.cat([1 - torch.eye(n), torch.ones(m, n)]).double()
    second = torch.cat([torch.ones(n, m), 1 - torch.eye(m)]).double()
    left_out = [("high", name) for name in high.labels[unit]] + [("low", name) for name in low.labels[unit]]
    return (first, second), left_out
