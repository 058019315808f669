"""The effect of a trait on every neuron, with its standard error, computed from a tally's moments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
import scipy
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from workbench.measure.clustered import Errors, clustered_errors
from workbench.measure.effect_size import (
    cohens_d,
    cohens_d_interval,
    hedges_correction,
    mean_difference,
    require_poles,
)
from workbench.measure.moments import Moments
from workbench.measure.rows import auroc, paired_d
from workbench.measure.units import HasRows
from workbench.vocabulary import NeuronSet, Pole

SOURCES = {
    "paired_d": "kept rows: effect_sizes(capture(..., keep=True), rows=True)",
    "auroc": "kept rows: effect_sizes(capture(..., keep=True), rows=True)",
    "neutral_d": "a neutral arm in the contrast",
    "positive_difference": "capture(..., positive=True)",
    "write_norm": "effect_sizes(tally, write_norms=model.write_norms(tally.layers))",
    "partial_d": "effects.with_measures(partial_d=wb.measure.partial_d(...))",
}
"""What has to be done to get the measures that moments alone do not give."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Effect of a trait on every neuron of some layers.

    Attributes:
        trait: what the poles differ in.
        site: the name of the site that was read, e.g. `hook_post`.
        layers: the layer of each row, from 0.
        mean_difference: `(layer, d_mlp)` the first pole's mean minus the second's, in activation units.
        cohens_d: `(layer, d_mlp)` the same in pooled standard deviations.
        n_high: number of prompts of the first pole.
        n_low: number of prompts of the second pole.
        provenance: what the numbers were computed from; `poles` says which poles were compared.
        measures: further measures by name, each `(layer, d_mlp)`; see `measure`.
        errors: standard errors that allow for shared descriptions and questions; None if neither is known.
    """

    trait: str
    site: str
    layers: tuple[int, ...]
    mean_difference: Float[Tensor, "layer d_mlp"]
    cohens_d: Float[Tensor, "layer d_mlp"]
    n_high: int
    n_low: int
    provenance: dict[str, str] = field(default_factory=dict)
    measures: dict[str, Float[Tensor, "layer d_mlp"]] = field(default_factory=dict)
    errors: Errors | None = None

    def __post_init__(self) -> None:
        rows = self.mean_difference.shape[0]
        if len(self.layers) != rows or len(set(self.layers)) != rows:
            raise ValueError(
                f"Each row of effects needs a layer of its own, but {rows} rows arrived with layers {self.layers}. "
                "Name each row's layer once."
            )
        for name, values in self.measures.items():
            if values.shape != self.mean_difference.shape:
                raise ValueError(
                    f"Every measure needs one value for each neuron, {tuple(self.mean_difference.shape)}, but {name} "
                    f"is {tuple(values.shape)}. Compute it for the same layers."
                )

    @property
    def width(self) -> int:
        """Number of neurons in a layer."""
        return self.mean_difference.shape[1]

    @property
    def hedges_g(self) -> Float[Tensor, "layer d_mlp"]:
        """Cohen's d, corrected for its upward bias in small samples."""
        return self.cohens_d * hedges_correction(self.n_high + self.n_low - 2)

    def measure(self, name: str) -> Float[Tensor, "layer d_mlp"]:
        """A measure by name.

        `mean_difference`, `cohens_d` and `hedges_g` always exist. Where the capture allows it there are also
        `neutral_d` (the mean difference in standard deviations of the neutral arm), `positive_difference` (the share of
        rows above zero, first pole minus second), `write_norm` (|s_i| times the norm of what neuron i writes per unit:
        the size of what reaches the residual stream), `paired_d` (d_z) and `auroc`. `partial_d` and your own measures
        exist once `with_measures` has added them.

        Raises:
            ValueError: if it does not exist; the message says how to get it.
        """
        if name in ("mean_difference", "cohens_d", "hedges_g"):
            return getattr(self, name)
        if name in self.measures:
            return self.measures[name]
        existing = ["mean_difference", "cohens_d", "hedges_g", *self.measures]
        hint = f"It needs {SOURCES[name]}." if name in SOURCES else "Add your own with with_measures."
        raise ValueError(f"These effects hold no measure {name!r}, but {', '.join(existing)}. {hint}")

    def with_measures(self, **measures: Float[Tensor, "layer d_mlp"]) -> "Effects":
        """The effects with further measures, which rules can select by and `frame` lists."""
        return replace(self, measures={**self.measures, **measures})

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
        wanted = set(layers)
        self._require_layers(wanted)
        rows = [row for row, layer in enumerate(self.layers) if layer in wanted]
        errors = self.errors
        if errors is not None:
            errors = replace(errors, mean_difference=errors.mean_difference[rows], cohens_d=errors.cohens_d[rows])
        return replace(
            self,
            layers=tuple(self.layers[row] for row in rows),
            mean_difference=self.mean_difference[rows],
            cohens_d=self.cohens_d[rows],
            measures={name: values[rows] for name, values in self.measures.items()},
            errors=errors,
        )

    @property
    def method(self) -> str:
        """How intervals and p-values are computed."""
        return "large-sample normal over rows" if self.errors is None else self.errors.method

    @property
    def standard_error(self) -> Float64[Tensor, "layer d_mlp"]:
        """Of each neuron's mean difference, in activation units: what makes a large one come by chance.

        Over clusters if they are known, otherwise over rows; nan where it cannot be told, as a neuron's mean difference
        is 0.
        """
        if self.errors is not None:
            return self.errors.mean_difference
        spread = (self.mean_difference / self.cohens_d).abs()
        return (spread * (1 / self.n_high + 1 / self.n_low) ** 0.5).double()

    def interval(
        self, level: float = 0.95, *, errors: Errors | None = None
    ) -> tuple[Float[Tensor, "layer d_mlp"], Float[Tensor, "layer d_mlp"]]:
        """Lower and upper bounds of Cohen's d.

        If descriptions or questions are known, Student's t over clusters; otherwise `cohens_d_interval`, which assumes
        that rows are independent. `errors`, from a bootstrap say, replace the effects' own.
        """
        errors = errors or self.errors
        if errors is None:
            return cohens_d_interval(self.cohens_d, self.n_high, self.n_low, level=level)
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, but it is {level}. Choose e.g. 0.95.")
        reach = float(scipy.stats.t.ppf((1 + level) / 2, errors.df)) * errors.cohens_d
        return self.cohens_d - reach, self.cohens_d + reach

    @property
    def pvalue(self) -> Float64[Tensor, "layer d_mlp"]:
        """Two-sided p-value of each neuron for a mean difference of 0; 1 if the neuron is constant on each pole.

        Without spread there is nothing to test a difference against, however large it is.

        Student's t test: over clusters if they are known, otherwise the pooled test over rows.
        """
        if self.errors is None:
            t = self.cohens_d * (self.n_high * self.n_low / (self.n_high + self.n_low)) ** 0.5
            df = self.n_high + self.n_low - 2
        else:
            t, df = self.mean_difference / self.errors.mean_difference, self.errors.df
        t = torch.where(t.isinf(), float("nan"), t)
        values = 2 * scipy.stats.t.sf(t.abs().double().numpy(), df)
        return torch.from_numpy(np.where(np.isnan(values), 1.0, values))

    def frame(self, neurons: NeuronSet | None = None) -> pd.DataFrame:
        """A row for each neuron, or for each of `neurons`.

        Returns:
            columns `layer`, `neuron`, `mean_difference`, `cohens_d`, `d_low` and `d_high` (95 % interval of d), each
            further measure, `n_high`, `n_low`, and for each kind of cluster how many there are, e.g. `descriptions`.

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
            **{name: values[chosen] for name, values in self.measures.items()},
        }
        table = pd.DataFrame({name: column.numpy() for name, column in columns.items()})
        clusters = {} if self.errors is None else {f"{kind}s": n for kind, n in self.errors.clusters.items()}
        return table.assign(n_high=self.n_high, n_low=self.n_low, **clusters)

    def _require_layers(self, layers: Iterable[int]) -> None:
        missing = sorted(set(layers) - set(self.layers))
        if missing:
            raise ValueError(
                f"These effects cover layers {list(self.layers)}, but lack {missing}. "
                "Choose among them, or capture those layers too."
            )

    def __repr__(self) -> str:
        known = {} if self.errors is None else self.errors.clusters
        clusters = "".join(f", {count} {kind}{'s' * (count != 1)}" for kind, count in known.items())
        return (
            f"Effects({self.trait} at {self.site}, layers {list(self.layers)}, width {self.width}, "
            f"n {self.n_high} + {self.n_low}{clusters})"
        )


@runtime_checkable
class HasMoments(Protocol):
    """What `effect_sizes` needs: moments by pole, each `(layer, d_mlp)`. Poles may be `Pole` or strings."""

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


@runtime_checkable
class CountsPositive(Protocol):
    """A tally that may have counted the rows above zero; empty if it did not."""

    @property
    def positive(self) -> Mapping[Pole, Int64[Tensor, "layer d_mlp"]]: ...


def effect_sizes(
    tally: HasMoments,
    *,
    poles: tuple[str, str] = ("high", "low"),
    epsilon: float = 0.0,
    write_norms: Float[Tensor, "layer d_mlp"] | None = None,
    rows: bool = False,
) -> Effects:
    """Mean difference and Cohen's d of every neuron between two poles of a tally, with cluster-robust errors.

    Args:
        poles: the first minus the second; `("high", "neutral")` gives the effect of one pole alone.
        epsilon: added to the pooled variance; DPN-LE's authors use 1e-8.
        write_norms: the norm of each neuron's row of W_out, from `model.write_norms(layers)`; adds the measure
            `write_norm`.
        rows: add the measures that need every row: `paired_d`, and `auroc` with `auroc_error`.

    Returns:
        effects `(layer, d_mlp)` in float64 on the CPU, positive where the first pole is more active. Their errors are
        cluster-robust if the tally kept clusters apart, or kept rows whose description or question is known.

    Raises:
        ValueError: if the tally lacks a pole, a pole holds fewer than two prompts, or one prompt over and over, a
            moment is not finite, or `rows` is asked of a tally without them.
    """
    by_pole = {str(pole): moments for pole, moments in tally.moments.items()}
    missing = [str(pole) for pole in poles if pole not in by_pole]
    if missing:
        raise ValueError(
            f"effect_sizes compares {poles[0]} with {poles[1]}, but this tally lacks {missing}; it has "
            f"{list(by_pole)}. Capture that pole, or choose other poles."
        )
    compared = {str(pole): by_pole[pole] for pole in poles}
    first, second = (by_pole[pole] for pole in poles)
    require_poles("Cohen's d", compared, least=2)
    for pole, moments in compared.items():
        _require_finite(pole, moments, tally.layers)
    _require_spread(first, second)
    difference = mean_difference(first, second).cpu()
    measures: dict[str, Tensor] = {}
    if "neutral" in by_pole and "neutral" not in compared and by_pole["neutral"].count > 1:
        spread = by_pole["neutral"].std.cpu()
        measures["neutral_d"] = torch.where((difference == 0) & (spread == 0), 0.0, difference / spread)
    if isinstance(tally, CountsPositive) and tally.positive:
        shares = [tally.positive[Pole(pole)].double() / by_pole[pole].count for pole in poles]
        measures["positive_difference"] = shares[0] - shares[1]
    if write_norms is not None:
        if write_norms.shape != difference.shape:
            raise ValueError(
                f"Each neuron needs its write norm, {tuple(difference.shape)}, but {tuple(write_norms.shape)} arrived. "
                "Use model.write_norms(tally.layers)."
            )
        measures["write_norm"] = difference.abs() * write_norms.double().cpu()
    if rows:
        measures |= _row_measures(tally, poles)
    return Effects(
        trait=tally.trait,
        site=tally.site,
        layers=tally.layers,
        mean_difference=difference,
        cohens_d=cohens_d(first, second, epsilon=epsilon).cpu(),
        n_high=first.count,
        n_low=second.count,
        provenance={**tally.provenance, "poles": " - ".join(compared)},
        measures=measures,
        errors=clustered_errors(tally, poles=poles),
    )


def _row_measures(tally: object, poles: tuple[str, str]) -> dict[str, Tensor]:
    if not isinstance(tally, HasRows):
        raise ValueError("Paired d and AUROC need every row, but this tally kept none. Capture with keep=True.")
    first, second = (tally.activations[Pole(pole)] for pole in poles)
    labels = tuple(tally.labels("description", Pole(pole)) for pole in poles)
    area = auroc(first, second, clusters=labels if all(labels) else None)  # type: ignore[arg-type]
    return {"paired_d": paired_d(first, second), "auroc": area.area, "auroc_error": area.error}


def _require_spread(first: Moments, second: Moments) -> None:
    """Check that activations vary within poles by more than rounding does."""
    size = max(float(moments.mean.abs().max()) for moments in (first, second))
    spread = max(float((moments.m2 / moments.count).max()) ** 0.5 for moments in (first, second))
    if size and spread <= 1e-6 * size:
        raise ValueError(
            f"Cohen's d needs prompts that differ, but all {first.count} and {second.count} prompts of the two poles "
            "give the same activations within their pole: each pole is one prompt, repeated. Add other prompts."
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
