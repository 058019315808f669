"""What different traits share because one of their poles is the desirable one, and what is left without it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from workbench.measure.effects import Effects

UNDESIRABLE = ("Neuroticism",)
"""Big Five traits whose high pole is the undesirable one."""


@dataclass(frozen=True, eq=False)
class Valence:
    """The direction that traits share once each is turned so that desirable is positive.

    Attributes:
        direction: `(layer, d_mlp)` unit length in each layer, positive where neurons are more active on desirable
            poles; the mean of the traits' own unit directions.
        cosines: a row a pair of traits: `trait_a`, `trait_b`, `cosine` of their turned effects, all layers together.
        share: a row a trait and layer (`layer` -1: all together): `cosine` with the direction of the *other* traits
            alone, and `share`, its square: how much of the trait's effect they explain.
        specific: by trait, its effects with the other traits' shared direction taken out of each layer.
        mean_cosine: mean of `cosines`.
        pvalue: share of all ways to turn the traits that give at least this mean; 1 / 2^(traits - 1) at best.
    """

    direction: Float64[Tensor, "layer d_mlp"]
    cosines: pd.DataFrame
    share: pd.DataFrame
    specific: dict[str, Effects]
    mean_cosine: float
    pvalue: float

    def __repr__(self) -> str:
        return f"Valence({len(self.specific)} traits, mean cosine {self.mean_cosine:+.2f}, p {self.pvalue:.3g})"


def shared_valence(effects: Mapping[str, Effects], *, undesirable: Collection[str] = UNDESIRABLE) -> Valence:
    """Estimate and remove what the traits' desirable poles have in common.

    The direction that is compared with a trait, and taken out of it, comes from the other traits alone, so that no
    trait explains itself. Effects are Cohen's d, and s in the same proportion.

    Args:
        undesirable: traits whose high pole is undesirable; they are turned around.

    Raises:
        ValueError: for fewer than 3 traits, or effects of different layers or widths.
    """
    if len(effects) < 3:
        raise ValueError(f"What traits share needs at least 3 of them, but {len(effects)} arrived.")
    first = next(iter(effects.values()))
    for trait, each in effects.items():
        if each.layers != first.layers or each.width != first.width:
            raise ValueError(f"Traits are compared neuron by neuron, but {trait} has {each!r} and another {first!r}.")
    signs = {trait: -1.0 if trait in undesirable else 1.0 for trait in effects}
    turned = {trait: signs[trait] * _finite(each.cohens_d) for trait, each in effects.items()}
    whole = torch.stack([values.flatten() / values.norm() for values in turned.values()])
    cosines = whole @ whole.T
    names = list(effects)
    pairs = list(combinations(range(len(names)), 2))
    table = pd.DataFrame([{"trait_a": names[a], "trait_b": names[b], "cosine": float(cosines[a, b])} for a, b in pairs])
    specific, shares = {}, []
    for trait, each in effects.items():
        others = _direction([values for name, values in turned.items() if name != trait])
        along = (turned[trait] * others).sum(1)
        lengths = turned[trait].norm(dim=1)
        cosine = torch.where(lengths > 0, along / lengths, 0.0)
        everywhere = float(along.sum() / (turned[trait].norm() * len(each.layers) ** 0.5))
        shares += [
            {"trait": trait, "layer": layer, "cosine": value, "share": value**2}
            for layer, value in zip((*each.layers, -1), (*cosine.tolist(), everywhere), strict=True)
        ]
        left = signs[trait] * (turned[trait] - along[:, None] * others)
        s = torch.where(each.cohens_d != 0, each.mean_difference / each.cohens_d, 0.0) * left
        specific[trait] = replace(
            each,
            mean_difference=torch.where(each.cohens_d.isfinite(), s, each.mean_difference),
            cohens_d=torch.where(each.cohens_d.isfinite(), left, each.cohens_d),
            provenance={**each.provenance, "removed": "valence shared with the other traits"},
            measures={},
            errors=None,
        )
    observed = np.mean([cosines[a, b] for a, b in pairs])
    flips = [np.array((1, *rest)) for rest in product((1, -1), repeat=len(names) - 1)]
    turnings = [np.mean([cosines[a, b] * turn[a] * turn[b] for a, b in pairs]) for turn in flips]
    return Valence(
        _direction(list(turned.values())),
        table,
        pd.DataFrame(shares),
        specific,
        float(observed),
        float(np.mean(np.array(turnings) >= observed - 1e-12)),
    )


@dataclass(frozen=True, eq=False)
class ValenceStructure:
    """How neuron sets of different traits overlap by the desirability of their poles.

    Attributes:
        table: a row for `both desirable`, `both undesirable` and `opposite`: `pairs`, `lift` (geometric mean over
            chance) and `jaccard` (mean).
        ratio: lift of pairs of one valence over that of opposite ones.
        pvalue: share of all ways to call poles desirable that give at least this ratio.
    """

    table: pd.DataFrame
    ratio: float
    pvalue: float


def valence_structure(matrix: pd.DataFrame, *, undesirable: Collection[str] = UNDESIRABLE) -> ValenceStructure:
    """Whether sets of different traits overlap more where their poles are equally desirable.

    Args:
        matrix: from `overlap_matrix`, with poles `high` and `low`. Pairs within a trait are left out.

    Raises:
        ValueError: for fewer than 3 traits.
    """
    pairs = matrix[matrix["trait_a"] != matrix["trait_b"]]
    traits = sorted({*pairs["trait_a"], *pairs["trait_b"]})
    if len(traits) < 3:
        raise ValueError(f"Valence needs at least 3 traits to show, but {len(traits)} arrived.")
    logs = np.log(np.maximum(pairs["lift"].fillna(0).to_numpy(float), 1e-3))

    def desirable(turned: Collection[str], side: str) -> np.ndarray:
        flips = pairs[f"trait_{side}"].isin(turned).to_numpy()
        return (pairs[f"pole_{side}"] == "high").to_numpy() ^ flips

    def ratio(turned: Collection[str]) -> float:
        same = desirable(turned, "a") == desirable(turned, "b")
        return float(np.exp(logs[same].mean() - logs[~same].mean()))

    a, b = desirable(undesirable, "a"), desirable(undesirable, "b")
    kinds = {"both desirable": a & b, "both undesirable": ~a & ~b, "opposite": a != b}
    table = pd.DataFrame(
        [
            {
                "poles": name,
                "pairs": int(kind.sum()),
                "lift": float(np.exp(logs[kind].mean())),
                "jaccard": float(pairs["jaccard"][kind].mean()),
            }
            for name, kind in kinds.items()
        ]
    )
    observed = ratio(undesirable)
    turnings = [
        ratio([trait for trait, turn in zip(traits[1:], turns, strict=True) if turn])
        for turns in product((False, True), repeat=len(traits) - 1)
    ]
    return ValenceStructure(table, observed, float(np.mean(np.array(turnings) >= observed - 1e-12)))


def _direction(turned: list[Tensor]) -> Tensor:
    lengths = [values / values.norm(dim=1, keepdim=True).clamp_min(1e-30) for values in turned]
    mean = torch.stack(lengths).mean(0)
    return mean / mean.norm(dim=1, keepdim=True).clamp_min(1e-30)


def _finite(d: Tensor) -> Tensor:
    return torch.where(d.isfinite(), d, 0.0).double()
