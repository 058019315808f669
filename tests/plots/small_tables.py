"""A small table for every figure, with the columns that it needs, and a call that draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench import plots
from workbench.outcome.quantity import SHARE, Quantity
from workbench.plots import Legend

LEGEND = Legend(
    quantities=(
        Quantity("trait_score", "trait", "trait score", "points"),
        Quantity("wellformed", "cost", "well-formed sentences", SHARE),
        Quantity("capability", "cost", "capability", SHARE),
        Quantity("perplexity", "cost", "log perplexity", "nats"),
        Quantity("repetition", "cost", "repetition", SHARE),
        Quantity("length", "cost", "length of answers", "tokens"),
    )
)
"""What the tables hold, as a study would name it."""


WORDS = ("Hi", " <b>", "\n", " ", "東京", "", "🎉", "e\u0301", "$x$", "%{x}", "&lt;")
"""Tokens that a figure could get wrong."""


@dataclass(frozen=True)
class Drawn:
    """A figure's function, a table that it draws, the columns that it cannot do without, and its other arguments."""

    draw: Callable[..., go.Figure]
    table: pd.DataFrame
    needed: tuple[str, ...]
    arguments: dict[str, Any]

    def figure(self, **more: Any) -> Any:
        return self.draw(self.table, **self.arguments, **more)


def ends(name: str, value: float, width: float = 0.1) -> dict[str, float]:
    """An estimate with its interval."""
    return {name: value, f"{name}_low": value - width, f"{name}_high": value + width}


def sweep() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "quantile": 1 - share, "units": 6144 * share, "share": share, "gamma": 0.5, "trait": "all"}
            | ends("shift", 0.3 if arm == "DPN-LE" else 0.0)
            | ends("wellformed_change", -share, 0.01)
            | ends("capability_change", -share / 2, 0.01)
            for arm in ("DPN-LE", "random")
            for share in (0.05, 0.001, 0.005)
        ]
    )


def breadth() -> pd.DataFrame:
    rows = [
        {"arm": arm, "units": units, "site": "hook_post", "gamma": 0.4, "shift": 0.35, "reached": 1.0}
        | ends("wellformed_change", cost, 0.02)
        | ends("capability_change", cost / 2, 0.01)
        for arm, units, cost in (("DPN-LE", 32.0, -0.01), ("write norm", 32.0, -0.02), ("broad", 6144.0, -0.3))
    ]
    never = {"arm": "random", "units": 32.0, "site": "hook_post", "gamma": np.nan, "shift": 0.35, "reached": 0.0}
    return pd.DataFrame([*rows, never])


def retention() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "task": task, "trait": "all", "change": change, "n": 60}
            | {"low": change - 0.02, "high": change + 0.02, "lower": change - 0.017, "margin": 0.05}
            | {"non_inferior": change > -0.03}
            for arm, gamma, change in (("DPN-LE", 0.5, -0.01), ("heads", 0.5, -0.6), ("simple prompt", 1.0, 0.0))
            for task in ("all", "logic", "facts")
        ]
    )


def fluency() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "quantity": quantity, "n": 40}
            | {"estimate": gamma, "low": gamma - 0.1, "high": gamma + 0.2}
            for arm in ("DPN-LE", "random")
            for gamma in (1.0, 0.5)
            for quantity in ("perplexity_change", "repetition_change", "length_change")
        ]
    )


def projection() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"layer": layer, "pole": pole, "pc1": rng.normal(), "pc2": rng.normal(), "ev1": 0.6, "ev2": 0.2}
            | {"held_out": row % 3 == 0}
            for layer in range(6)
            for pole in ("high", "low", "neutral")
            for row in range(9)
        ]
    )


def _effects() -> pd.DataFrame:
    d = np.random.default_rng(0).normal(0, 2, 60)
    frame = pd.DataFrame({"layer": np.repeat([3, 4], 30), "neuron": np.tile(np.arange(30), 2), "cohens_d": d})
    frame = frame.assign(mean_difference=d / 10, d_low=d - 0.3, d_high=d + 0.3, selected="")
    frame.loc[frame["cohens_d"].idxmax(), "selected"] = "high"
    return frame


def _overlap() -> pd.DataFrame:
    row = {"trait_a": "Openness", "pole_a": "high", "trait_b": "Extraversion", "pole_b": "low", "size_a": 20}
    row |= {"size_b": 30, "population": 1000, "jaccard": 0.1, "lift": 4.0, "intersection": 3}
    return pd.DataFrame([row | {"p_depletion": 0.9, "p_enrichment_holm": 0.01}])


def _tradeoff() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "trait": "all"}
            | ends("shift", gamma)
            | ends("wellformed_change", -gamma / 10)
            | ends("capability_change", -gamma / 20)
            for arm in ("DPN-LE", "broad", "somebody's own")
            for gamma in (0.5, 1.0)
        ]
    )


def _rows(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def _needs(columns: str, *with_ends: str) -> tuple[str, ...]:
    return (*columns.split(), *(f"{name}{end}" for name in with_ends for end in ("", "_low", "_high")))


def every_figure() -> dict[str, Drawn]:
    """Each public figure by its name."""
    tables: dict[str, tuple[pd.DataFrame, tuple[str, ...], dict[str, Any]]] = {
        "arms_compared": (_tradeoff().query("gamma == 1"), _needs("arm"), {"legend": LEGEND}),
        "balance_love": (
            pd.DataFrame([{"measure": "tokens", "what": "tokens of the prompt"} | ends("difference", 0.2)]),
            _needs("measure what", "difference"),
            {},
        ),
        "changes_by_dose": (fluency(), _needs("arm gamma quantity estimate low high n"), {"legend": LEGEND}),
        "cost_by_breadth": (breadth(), _needs("arm units site gamma shift reached"), {"legend": LEGEND}),
        "dose_curves": (
            _rows(
                "arm gamma direction trait quantity estimate low high",
                *(("DPN-LE", gamma, "increase", "all", "trait_score", 3.0, 2.9, 3.1) for gamma in (0.0, 1.0)),
            ),
            _needs("arm gamma direction trait quantity estimate low high"),
            {"legend": LEGEND},
        ),
        "effect_map": (_effects(), _needs("layer neuron mean_difference cohens_d d_low d_high"), {}),
        "exclusivity_scatter": (
            _rows("layer neuron d_high_neutral d_low_neutral", (0, 1, 2.0, -1.0), (0, 2, 1.0, 3.0), (1, 5, 0.1, 0.2)),
            _needs("layer neuron d_high_neutral d_low_neutral"),
            {"min_d": 0.8},
        ),
        "magnitude_against_d": (
            _effects(),
            _needs("layer neuron mean_difference cohens_d d_low d_high"),
            {"threshold_d": 0.8},
        ),
        "neurons_per_layer": (
            _rows("layer pole neurons", (0, "high", 3), (0, "low", 2)),
            _needs("layer pole neurons"),
            {},
        ),
        "null_distribution": (
            _rows("shuffled selected real", ("description", 1, 30), ("pair", 2, 30)),
            _needs("shuffled selected real"),
            {},
        ),
        "overlap_heatmap": (
            _overlap(),
            _needs(
                "trait_a pole_a trait_b pole_b size_a size_b population jaccard lift intersection p_depletion "
                "p_enrichment_holm"
            ),
            {},
        ),
        "patching_by_layer": (
            _rows(
                "set mode layer effect low high",
                *(
                    (name, mode, 0, 0.3, 0.2, 0.4)
                    for name in ("selected", "random")
                    for mode in ("by_layer", "cumulative")
                ),
            ),
            _needs("set mode layer effect low high"),
            {},
        ),
        "quantile_sweep": (
            sweep(),
            _needs("arm quantile units share gamma trait", "shift"),
            {"quantile": 0.995, "legend": LEGEND},
        ),
        "retention_by_task": (retention(), _needs("arm gamma task trait change low high n"), {}),
        "separability_by_layer": (
            _rows("layer probe control auc auc_error", (0, "logistic", "none", 0.9, 0.01)),
            _needs("layer probe control auc auc_error"),
            {"start": 0},
        ),
        "shift_beyond_controls": (
            _rows("control trait difference low high p_holm", ("random", "all", 0.4, 0.3, 0.5, 0.01)),
            _needs("control trait difference low high p_holm"),
            {},
        ),
        "specificity_heatmap": (
            _rows(
                "arm edited measured direction shift low high p_holm",
                *(("DPN-LE", a, b, "increase", 0.4, 0.1, 0.7, 0.01) for a in ("X", "Y") for b in ("X", "Y")),
            ),
            _needs("arm edited measured direction shift low high p_holm"),
            {},
        ),
        "stability_bars": (
            _rows("measure unit estimate low high", ("split-half Jaccard", "description", 0.9, 0.8, 1.0)),
            _needs("measure unit estimate low high"),
            {},
        ),
        "stress_left": (
            pd.DataFrame(
                [
                    {"stress": stress, "condition": condition, "arm": arm, "quantity": quantity, "role": role}
                    | {"change": 0.2, "low": 0.1, "high": 0.3, "plain": 0.4, "left": 0.5 if arm == "DPN-LE" else np.nan}
                    | ends("wrong_way", 0.2 if role == "trait" else np.nan)
                    for stress, conditions in {
                        "system": ("all", "a guide", "a nurse"),
                        "pairs": ("all", "10 pairs"),
                    }.items()
                    for condition in conditions
                    for arm in ("DPN-LE", "random")
                    for quantity, role in (("trait_score", "trait"), ("capability", "cost"))
                ]
            ),
            _needs(
                "stress condition arm quantity role change low high plain left wrong_way wrong_way_low wrong_way_high"
            ),
            {"legend": LEGEND},
        ),
        "stress_signs": (
            _rows("trait separability pair_cosine stability left", ("Openness", 0.9, 0.4, 0.6, 0.8)),
            _needs("trait separability pair_cosine stability left"),
            {},
        ),
        "statement_shifts": (
            _rows(
                "arm direction item shift",
                *(
                    (arm, way, f"I say {i}.", 0.1 * i - 0.2)
                    for arm in ("DPN-LE", "random")
                    for way in ("increase", "decrease")
                    for i in range(6)
                ),
            ),
            _needs("arm direction item shift"),
            {"legend": LEGEND},
        ),
        "threshold_sweep": (
            _rows("quantile min_d selected removed_by_d", (0.9, 0.8, 600, 3), (0.99, 0.8, 60, 0)),
            _needs("quantile min_d selected removed_by_d"),
            {},
        ),
        "token_heat_map": (
            _rows(
                "text position token projection part null_low null_high quantile p_random high_activity label",
                *(
                    (0, i, word, 0.2 * i - 0.3, "user", -0.1, 0.2, 0.5, 0.1, 0.2, "Unedited")
                    for i, word in enumerate(WORDS)
                ),
                *((1, i, f" w{i}", 0.1, "user", -0.1, 0.2, 0.5, 0.1, 0.2, "Steered") for i in range(60)),
            ),
            _needs("text position token projection"),
            {},
        ),
        "trait_against_cost": (
            _tradeoff(),
            _needs("arm gamma trait", "shift", "capability_change"),
            {"cost": "capability", "shift": 0.35, "legend": LEGEND},
        ),
        "trait_pca": (projection(), _needs("layer pole pc1 pc2 ev1 ev2"), {}),
    }
    return {name: Drawn(getattr(plots, name), *each) for name, each in tables.items()}
