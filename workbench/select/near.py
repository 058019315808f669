"""How near a rule's min_d comes to the neurons that it is put to: the distribution of |d|, and what would select."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from workbench.measure.effects import Effects
from workbench.select.criteria import upper_quantile
from workbench.select.selection import Selection
from workbench.select.settings import RuleSettings

HANDFUL = 10
"""The least number of neurons for which a min_d is lowered where a rule selects none: fewer are a list, not a set that
can be compared with random draws of as many. DPN-LE's own selections hold some hundreds."""

QUANTILES = (0.5, 0.9, 0.99)
"""Quantiles of |d| that are told."""


@dataclass(frozen=True, eq=False)
class Above:
    """The neurons that min_d is put to: those above tau_q, or for the rule d-only all of them.

    Attributes:
        trait: the effects' trait.
        settings: the rule and its thresholds.
        d: `(neuron,)` |d| of those neurons, in pooled standard deviations, greatest first. A neuron that is constant on
            both poles has no finite d and is left out.
        high: `(neuron,)` whether each is more active on the high pole.
    """

    trait: str
    settings: RuleSettings
    d: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, effects: Effects, settings: RuleSettings) -> "Above":
        """The neurons of all layers that the effects hold."""
        s, d = effects.mean_difference, effects.cohens_d
        pool = d.isfinite() & (s != 0)
        if settings.rule != "d-only":
            size = s.abs()
            whole = settings.within == "model"
            threshold = upper_quantile(size.flatten() if whole else size, settings.quantile)
            pool = pool & (size > (threshold if whole else threshold[:, None]))
        values, signs = d[pool].abs().double(), s[pool] > 0
        order = torch.argsort(values, descending=True, stable=True)
        return cls(effects.trait, settings, values[order].cpu().numpy(), signs[order].cpu().numpy())

    def selects(self, min_d: float) -> tuple[int, int]:
        """How many neurons of each pole a min_d selects: high, low."""
        chosen = self.d > min_d
        return int((chosen & self.high).sum()), int((chosen & ~self.high).sum())

    def largest_min_d(self, least: int = 1, pole: str | None = None) -> float | None:
        """The largest min_d, of two decimals, that selects so many neurons; all of them where there are fewer.

        Args:
            least: how many, from 1 up.
            pole: `high` or `low`: count that pole's alone.

        Returns:
            None where no neuron could be selected at any min_d. Below 0.1 two significant digits are kept.
        """
        values = self.d if pole is None else self.d[self.high == (pole == "high")]
        return _below(float(values[min(least, len(values)) - 1])) if len(values) else None

    @cached_property
    def quantiles(self) -> tuple[float, ...]:
        """|d| at `QUANTILES`; nan where there is no neuron."""
        if not len(self.d):
            return (math.nan,) * len(QUANTILES)
        return tuple(float(value) for value in np.quantile(self.d, QUANTILES))

    def frame(self) -> pd.DataFrame:
        """One row: trait, rule, quantile, min_d, neurons, d_50, d_90, d_99, d_max, and selected, how many pass.

        Then largest_min_d, high_at_largest and low_at_largest (what it selects), largest_min_d_high and
        largest_min_d_low (by pole), and handful_min_d with high_at_handful and low_at_handful (`HANDFUL` neurons).
        """
        row: dict[str, object] = {"trait": self.trait, "rule": self.settings.rule, "quantile": self.settings.quantile}
        row |= {"min_d": self.settings.min_d, "neurons": len(self.d)}
        row |= {f"d_{100 * q:.0f}": value for q, value in zip(QUANTILES, self.quantiles, strict=True)}
        row |= {
            "d_max": float(self.d[0]) if len(self.d) else math.nan,
            "selected": sum(self.selects(self.settings.min_d)),
        }
        for name, least in (("largest", 1), ("handful", HANDFUL)):
            min_d = self.largest_min_d(least)
            high, low = (0, 0) if min_d is None else self.selects(min_d)
            row |= {f"{name}_min_d": _or_nan(min_d), f"high_at_{name}": high, f"low_at_{name}": low}
        row |= {f"largest_min_d_{pole}": _or_nan(self.largest_min_d(pole=pole)) for pole in ("high", "low")}
        return pd.DataFrame([row])

    @property
    def distribution(self) -> str:
        """A sentence with the distribution of |d|."""
        where = f"neurons above tau_q (q = {self.settings.quantile:g})"
        where = "neurons of every size" if self.settings.rule == "d-only" else where
        if not len(self.d):
            return f"|d| among the {where}: there are none with a finite d."
        told = ", ".join(f"{100 * q:.0f} % {value:.2f}" for q, value in zip(QUANTILES, self.quantiles, strict=True))
        return f"|d| among the {len(self.d):,} {where}: {told}, largest {self.d[0]:.2f}."

    @property
    def reachable(self) -> str:
        """A sentence with the largest min_d that selects any neuron, together and by pole."""
        largest = self.largest_min_d()
        if largest is None:
            return "No min_d selects a neuron: the poles' activations do not differ; check that their prompts do."
        poles = [f"{pole} {_shown(self.largest_min_d(pole=pole))}" for pole in ("high", "low")]
        selected = f"{_counted(*self.selects(largest))}; {', '.join(poles)}"
        told = f"The largest min_d that selects any is {largest:g} ({selected})"
        handful = self.largest_min_d(HANDFUL)
        if handful is None or len(self.d) < HANDFUL:
            return f"{told}."
        return f"{told}; {handful:g} selects {_counted(*self.selects(handful))}."


class EmptySelectionError(ValueError):
    """A rule that selects no neuron, with what is known of how near it comes.

    Attributes:
        above: the neurons that min_d was put to; None where the rule has no min_d.
        selection: the empty selection, with what each criterion removed.
        why: in one line which criterion binds.
        moved: what was measured of whether the personas move the model; None where nothing was.
        lines: the message.
    """

    def __init__(self, why: str, above: Above | None, selection: Selection, moved: str | None = None) -> None:
        self.why, self.above, self.selection = why, above, selection
        self.moved = moved
        self.lines = [why] if above is None else [f"{why} {above.distribution}", above.reachable, moved or NOT_MEASURED]
        super().__init__("\n".join(self.lines))

    def with_moved(self, moved: str) -> "EmptySelectionError":
        """The same, with what was measured of whether the personas move the model as its last line."""
        return EmptySelectionError(self.why, self.above, self.selection, moved)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.why, self.above, self.selection, self.moved)


NOT_MEASURED = (
    "Whether the personas move the model at all was not measured: workbench.score.statement_scores tells what it says "
    "of itself under them, and personas that move nothing leave nothing to find."
)


def _below(value: float) -> float:
    """The largest number of two decimals, below 0.1 of two significant digits, that lies under a value above 0."""
    digits = 2 if value >= 0.1 else 1 - math.floor(math.log10(value))
    rounded = math.floor(value * 10**digits) / 10**digits
    if rounded >= value:
        rounded = (math.floor(value * 10**digits) - 1) / 10**digits
    return max(0.0, round(rounded, digits))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _counted(high: int, low: int) -> str:
    return f"{high} high and {low} low"
