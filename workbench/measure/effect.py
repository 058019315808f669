"""How far two poles lie apart, neuron by neuron: mean differences, Cohen's d and its interval."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from workbench.measure.moments import Moments
from workbench.vocabulary import NeuronSet, Pole


def mean_difference(high: Moments, low: Moments) -> Float64[Tensor, "*shape"]:
    """Mean on `high` minus mean on `low`, in the activations' own unit.

    Raises:
        ValueError: if a pole is empty or the shapes differ.
    """
    _require("A mean difference", {"high": high, "low": low}, least=1)
    return high.mean - low.mean


def pooled_std(high: Moments, low: Moments, *, epsilon: float = 0.0) -> Float64[Tensor, "*shape"]:
    """Standard deviation within poles: the root of the unbiased variances weighted by n - 1.

    Args:
        epsilon: added to the pooled variance; DPN-LE's authors use 1e-8.

    Returns:
        one value a neuron, in the activations' own unit; 0 where both poles are constant and `epsilon` is 0.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or the shapes differ.
    """
    _require("A pooled standard deviation", {"high": high, "low": low}, least=2)
    return ((high.m2 + low.m2) / (high.count + low.count - 2) + epsilon).sqrt()


def cohens_d(high: Moments, low: Moments, *, epsilon: float = 0.0) -> Float64[Tensor, "*shape"]:
    """Standardised mean difference of each neuron between two poles.

    Args:
        epsilon: added to the pooled variance; DPN-LE's authors use 1e-8.

    Returns:
        effects in pooled-standard-deviation units, positive where the neuron is more active on `high`. A
        neuron constant on both poles gets 0 if the means agree, otherwise ±inf.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or the shapes differ.

    Reference:
        Cohen (1988), chapter 2.

    Example:
        >>> acts = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
        >>> cohens_d(Moments.of(acts + 2), Moments.of(acts)).item()
        2.0
    """
    _require("Cohen's d", {"high": high, "low": low}, least=2)
    difference, spread = mean_difference(high, low), pooled_std(high, low, epsilon=epsilon)
    nowhere_apart = (difference == 0) & (spread == 0)
    return torch.where(nowhere_apart, 0.0, difference / spread)


def hedges_g(high: Moments, low: Moments, *, epsilon: float = 0.0) -> Float64[Tensor, "*shape"]:
    """Cohen's d with the exact correction for its upward bias in small samples.

    Returns:
        as `cohens_d`, times `gamma(m/2) / (sqrt(m/2) gamma((m-1)/2))` with m = n_high + n_low - 2.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or the shapes differ.

    Reference:
        Hedges (1981), Distribution theory for Glass's estimator of effect size.

    Example:
        >>> acts = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
        >>> round(hedges_g(Moments.of(acts + 2), Moments.of(acts)).item(), 4)
        1.5958
    """
    _require("Hedges' g", {"high": high, "low": low}, least=2)
    half = (high.count + low.count - 2) / 2
    correction = math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)
    return cohens_d(high, low, epsilon=epsilon) * correction


def cohens_d_interval(
    d: Float[Tensor, "*shape"], n_high: int, n_low: int, *, level: float = 0.95
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Large-sample normal interval of Cohen's d.

    It takes rows to be independent; where prompts share descriptions or questions it is too narrow.

    Returns:
        lower and upper bounds in the shape and unit of `d`; both nan where `d` is infinite.

    Raises:
        ValueError: if either pole holds fewer than two prompts, or `level` is not between 0 and 1.

    Reference:
        Hedges and Olkin (1985), chapter 5: variance (n1 + n2) / (n1 n2) + d² / (2 (n1 + n2)).

    Example:
        >>> low, high = cohens_d_interval(torch.tensor([0.0]), 50, 50)
        >>> round(low.item(), 3), round(high.item(), 3)
        (-0.392, 0.392)
    """
    _require_counts("An interval of Cohen's d", {"high": n_high, "low": n_low}, least=2)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, but it is {level}. Choose e.g. 0.95.")
    total = n_high + n_low
    variance = total / (n_high * n_low) + d.square() / (2 * total)
    reach = NormalDist().inv_cdf((1 + level) / 2) * variance.sqrt()
    bounded = d.isfinite()
    return torch.where(bounded, d - reach, math.nan), torch.where(bounded, d + reach, math.nan)


@dataclass(frozen=True, eq=False)
class Effects:
    """Effect of a trait on every neuron of some layers.

    Attributes:
        trait: what the poles differ in.
        site: name of the place that was read, e.g. `hook_post`.
        layers: absolute 0-based layer of each row.
        mean_difference: `(layer, d_mlp)` first pole's mean minus the second's, in activation units.
        cohens_d: `(layer, d_mlp)` the same in pooled standard deviations.
        n_high: prompts of the first pole.
        n_low: prompts of the second pole.
        provenance: where the numbers come from; `poles` says which were compared.
    """

    trait: str
    site: str
    layers: tuple[int, ...]
    mean_difference: Float[Tensor, "layer d_mlp"]
    cohens_d: Float[Tensor, "layer d_mlp"]
    n_high: int
    n_low: int
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = self.mean_difference.shape[0]
        if len(self.layers) != rows or len(set(self.layers)) != rows:
            raise ValueError(
                f"Effects need one distinct layer a row, but {rows} rows came with layers {self.layers}. "
                "Name each row's layer once."
            )

    @property
    def width(self) -> int:
        """Neurons in a layer."""
        return self.mean_difference.shape[1]

    def at(self, layer: int) -> tuple[Float[Tensor, " d_mlp"], Float[Tensor, " d_mlp"]]:
        """Mean differences and Cohen's d of one layer.

        Raises:
            ValueError: if the effects lack that layer.
        """
        self._require_layers([layer])
        row = self.layers.index(layer)
        return self.mean_difference[row], self.cohens_d[row]

    def restrict(self, layers: Iterable[int]) -> "Effects":
        """These layers alone, in the order they have here.

        Raises:
            ValueError: naming the layers that the effects lack.
        """
        asked = set(layers)
        self._require_layers(asked)
        rows = [row for row, layer in enumerate(self.layers) if layer in asked]
        return replace(
            self,
            layers=tuple(self.layers[row] for row in rows),
            mean_difference=self.mean_difference[rows],
            cohens_d=self.cohens_d[rows],
        )

    def interval(self, level: float = 0.95) -> tuple[Float[Tensor, "layer d_mlp"], Float[Tensor, "layer d_mlp"]]:
        """Lower and upper bounds of Cohen's d, by `cohens_d_interval`."""
        return cohens_d_interval(self.cohens_d, self.n_high, self.n_low, level=level)

    def frame(self, neurons: NeuronSet | None = None) -> pd.DataFrame:
        """A row a neuron: all of them, or those of `neurons`.

        Returns:
            columns `layer`, `neuron`, `mean_difference`, `cohens_d`, `d_low` and `d_high` (95 % interval of
            d), `n_high`, `n_low`.

        Raises:
            ValueError: if `neurons` has a layer or neuron that the effects lack.
        """
        if neurons is None:
            chosen = torch.ones_like(self.cohens_d, dtype=torch.bool)
        else:
            self._require_layers(neurons.layer.tolist())
            chosen = neurons.mask(self.layers, self.width)
        row, neuron = chosen.nonzero(as_tuple=True)
        d_low, d_high = self.interval()
        columns = {
            "layer": torch.tensor(self.layers, dtype=torch.int64)[row],
            "neuron": neuron,
            "mean_difference": self.mean_difference[chosen],
            "cohens_d": self.cohens_d[chosen],
            "d_low": d_low[chosen],
            "d_high": d_high[chosen],
        }
        table = pd.DataFrame({name: column.numpy() for name, column in columns.items()})
        return table.assign(n_high=self.n_high, n_low=self.n_low)

    def _require_layers(self, layers: Iterable[int]) -> None:
        missing = sorted(set(layers) - set(self.layers))
        if missing:
            raise ValueError(
                f"These effects cover layers {list(self.layers)}, but lack {missing}. "
                "Choose among them, or capture those layers too."
            )

    def __repr__(self) -> str:
        return (
            f"Effects({self.trait} at {self.site}, layers {list(self.layers)}, width {self.width}, "
            f"n {self.n_high} + {self.n_low})"
        )


@runtime_checkable
class HasMoments(Protocol):
    """What `effect_sizes` reads: moments by pole, each `(layer, d_mlp)`. Poles may be `Pole` or strings."""

    @property
    def trait(self) -> str: ...
    @property
    def site(self) -> str: ...
    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def moments(self) -> Mapping[str, Moments] | Mapping[Pole, Moments]: ...
    @property
    def provenance(self) -> Mapping[str, str]: ...


def effect_sizes(tally: HasMoments, *, poles: tuple[str, str] = ("high", "low"), epsilon: float = 0.0) -> Effects:
    """Mean difference and Cohen's d of every neuron between two poles of a tally.

    Args:
        poles: the first minus the second; `("high", "neutral")` asks what one pole does by itself.
        epsilon: added to the pooled variance; DPN-LE's authors use 1e-8.

    Returns:
        effects `(layer, d_mlp)` in float64 on the CPU, positive where the first pole is more active.

    Raises:
        ValueError: if the tally lacks a pole, a pole holds fewer than two prompts, or a moment is not finite.
    """
    held = {str(pole): moments for pole, moments in tally.moments.items()}
    missing = [str(pole) for pole in poles if pole not in held]
    if missing:
        raise ValueError(
            f"effect_sizes compares {poles[0]} with {poles[1]}, but this tally lacks {missing}; it has "
            f"{list(held)}. Capture that pole, or choose other poles."
        )
    named = {str(pole): held[pole] for pole in poles}
    first, second = (held[pole] for pole in poles)
    _require("Cohen's d", named, least=2)
    for pole, moments in named.items():
        _require_finite(pole, moments, tally.layers)
    return Effects(
        trait=tally.trait,
        site=tally.site,
        layers=tally.layers,
        mean_difference=mean_difference(first, second).cpu(),
        cohens_d=cohens_d(first, second, epsilon=epsilon).cpu(),
        n_high=first.count,
        n_low=second.count,
        provenance={**tally.provenance, "poles": " - ".join(named)},
    )


def _require(quantity: str, poles: Mapping[str, Moments], *, least: int) -> None:
    _require_counts(quantity, {pole: moments.count for pole, moments in poles.items()}, least=least)
    shapes = {pole: moments.shape for pole, moments in poles.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"{quantity} needs poles of one shape, but they have {shapes}. Capture both at the same site and layers."
        )


def _require_counts(quantity: str, counts: Mapping[str, int], *, least: int) -> None:
    for pole, count in counts.items():
        if count < least:
            raise ValueError(
                f"{quantity} needs at least {least} prompt{'s' * (least > 1)} per pole, but the {pole} pole "
                f"has {count}. Add prompts or lower holdout."
            )


def _require_finite(pole: str, moments: Moments, layers: tuple[int, ...]) -> None:
    broken = ~(moments.mean.isfinite() & moments.m2.isfinite())
    if broken.any():
        row, neuron = broken.nonzero()[0].tolist()
        raise ValueError(
            f"Activations must be finite, but layer {layers[row]}, neuron {neuron} has mean "
            f"{moments.mean[row, neuron].item()} on the {pole} pole. Find the prompt that overflows and "
            "leave it out, or run the model in a wider dtype."
        )
