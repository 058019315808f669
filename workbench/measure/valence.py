"""What the effects of different traits share because each trait has a desirable pole, and what remains without it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from workbench.measure.effects import Effects
from workbench.measure.resolution import warn_of

UNDESIRABLE = ("Neuroticism",)
"""Big Five traits whose high pole is the undesirable one."""


@dataclass(frozen=True, eq=False)
class Valence:
    """The direction that traits share when each effect has the sign that makes the desirable pole positive.

    Attributes:
        direction: `(layer, d_mlp)` of unit length in each layer, positive where neurons are more active on desirable
            poles; the mean of the traits' unit directions.
        cosines: a row for each pair of traits: `trait_a`, `trait_b`, and the `cosine` of their effects over all layers.
        share: a row for each trait and layer (`layer` -1: all together): its `cosine` with the direction of the *other*
            traits, and `share`, its square: how much of the trait's effect that direction explains.
        specific: by trait, its effects without the other traits' shared direction, which is removed in each layer.
        mean_cosine: mean of `cosines`.
        pvalue: the share of all choices of signs that give at least this mean.
        least_pvalue: the least that it can be, 1 / 2^(traits - 1): with fewer than 6 traits it is above 0.05, and
            nothing can be shown at that level.
    """

    direction: Float64[Tensor, "layer d_mlp"]
    cosines: pd.DataFrame
    share: pd.DataFrame
    specific: dict[str, Effects]
    mean_cosine: float
    pvalue: float
    least_pvalue: float

    def __repr__(self) -> str:
        return (
            f"Valence({len(self.specific)} traits, mean cosine {self.mean_cosine:+.2f}, p {self.pvalue:.3g} of at "
            f"least {self.least_pvalue:.3g})"
        )


def shared_valence(effects: Mapping[str, Effects], *, undesirable: Collection[str] = UNDESIRABLE) -> Valence:
    """Estimate and remove the direction that the traits' desirable poles have in common.

    The direction that is compared with a trait, and removed from it, is estimated from the other traits alone, so that
    no trait explains itself. It is a direction of Cohen's d; s is changed in the same proportion.

    Args:
        undesirable: traits whose high pole is undesirable; the sign of their effects is reversed.

    Raises:
        ValueError: for fewer than 3 traits, or effects of different layers or widths.

    Warns:
        UserWarning: for fewer than 6 traits, from which no p-value at 0.05 can come.
    """
    if len(effects) < 3:
        raise ValueError(f"A shared direction needs at least 3 traits, but {len(effects)} arrived. Add traits.")
    least = _least_pvalue(len(effects))
    first = next(iter(effects.values()))
    for trait, each in effects.items():
        if each.layers != first.layers or each.width != first.width:
            raise ValueError(
                f"Traits are compared neuron by neuron, but {trait} has {each!r} and another has {first!r}. Restrict "
                "them to the same layers."
            )
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
        remaining = signs[trait] * (turned[trait] - along[:, None] * others)
        s = torch.where(each.cohens_d != 0, each.mean_difference / each.cohens_d, 0.0) * remaining
        specific[trait] = replace(
            each,
            mean_difference=torch.where(each.cohens_d.isfinite(), s, each.mean_difference),
            cohens_d=torch.where(each.cohens_d.isfinite(), remaining, each.cohens_d),
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
        least,
    )


@dataclass(frozen=True, eq=False)
class ValenceStructure:
    """How far neuron sets of different traits overlap, depending on whether their poles are equally desirable.

    Attributes:
        table: a row for `both desirable`, `both undesirable` and `opposite`: `pairs`, `lift` (over chance, geometric
            mean) and `jaccard` (mean).
        ratio: the lift of pairs with equally desirable poles over that of pairs with opposite ones.
        pvalue: the share of all ways to call poles desirable that give at least this ratio.
        least_pvalue: the least that it can be, 1 / 2^(traits - 1); above 0.05 with fewer than 6 traits.
    """

    table: pd.DataFrame
    ratio: float
    pvalue: float
    least_pvalue: float


def valence_structure(matrix: pd.DataFrame, *, undesirable: Collection[str] = UNDESIRABLE) -> ValenceStructure:
    """Whether neuron sets of different traits overlap more if their poles are equally desirable.

    Args:
        matrix: from `overlap_matrix`, with poles `high` and `low`. Pairs within a trait are left out.

    Raises:
        ValueError: for fewer than 3 traits.

    Warns:
        UserWarning: for fewer than 6 traits, from which no p-value at 0.05 can come.
    """
    pairs = matrix[matrix["trait_a"] != matrix["trait_b"]]
    traits = sorted({*pairs["trait_a"], *pairs["trait_b"]})
    if len(traits) < 3:
        raise ValueError(f"A test of valence needs at least 3 traits, but {len(traits)} arrived. Add traits.")
    least = _least_pvalue(len(traits))
    logs = np.log(np.maximum(pairs["lift"].fillna(0).to_numpy(float), 1e-3))

    def desirable(reversed_traits: Collection[str], side: str) -> np.ndarray:
        flips = pairs[f"trait_{side}"].isin(reversed_traits).to_numpy()
        return (pairs[f"pole_{side}"] == "high").to_numpy() ^ flips

    def ratio(reversed_traits: Collection[str]) -> float:
        same = desirable(reversed_traits, "a") == desirable(reversed_traits, "b")
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
    pvalue = float(np.mean(np.array(turnings) >= observed - 1e-12))
    return ValenceStructure(table, observed, pvalue, least)


def _least_pvalue(traits: int) -> float:
    least = 0.5 ** (traits - 1)
    warn_of(least, f"the signs of {traits} traits can be chosen in {2 ** (traits - 1)} ways (add traits)")
    return least


def _direction(turned: list[Tensor]) -> Tensor:
    lengths = [values / values.norm(dim=1, keepdim=True).clamp_min(1e-30) for values in turned]
    mean = torch.stack(lengths).mean(0)
    return mean / mean.norm(dim=1, keepdim=True).clamp_min(1e-30)


def _finite(d: Tensor) -> Tensor:
    return torch.where(d.isfinite(), d, 0.0).double()
