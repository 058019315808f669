"""Figures of effects on neurons: the map, both criteria at once, and what was chosen where."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.theme import (
    DIVERGING,
    GREY,
    MUTED,
    POLE_COLOURS,
    POLE_SYMBOLS,
    check_columns,
    figure,
    one_trait,
    translucent,
)

_MOST_COLUMNS = 800
_MOST_POINTS = 6000
_QUANTITIES = {
    "cohens_d": "Cohen's d (high − low, pooled SD)",
    "mean_difference": "mean difference (high − low, activation units)",
}
_NEEDED = ("layer", "neuron", "mean_difference", "cohens_d", "d_low", "d_high")


def effect_map(effects: pd.DataFrame, *, trait: str | None = None, statistic: str = "cohens_d") -> go.Figure:
    """Layer × rank map: each layer's neurons in order of their effect, the chosen ones marked.

    Args:
        effects: a row per neuron: layer, neuron, mean_difference, cohens_d, d_low, d_high; with `trait` where
            there are several, and `selected` (`high`, `low` or empty) to mark neurons.
        statistic: `cohens_d` or `mean_difference`; positive (vermillion) is more active on the high pole.

    Layers wider than 800 neurons are thinned to evenly spaced ranks; marks stay at their true rank.

    Raises:
        ValueError: for missing columns, an unknown trait or statistic.
    """
    if statistic not in _QUANTITIES:
        raise ValueError(f"effect_map draws {' or '.join(_QUANTITIES)}, but {statistic!r} arrived.")
    check_columns("effect_map", effects, _NEEDED)
    rows, trait = one_trait("effect_map", effects, trait)
    rows = rows.sort_values(["layer", statistic])
    rows = rows.assign(rank=rows.groupby("layer").cumcount())
    layers, width = sorted(rows["layer"].unique()), int(rows["rank"].max()) + 1
    ranks = np.unique(np.linspace(0, width - 1, min(width, _MOST_COLUMNS)).round().astype(int))
    shown = rows[rows["rank"].isin(ranks)]
    values, hover = _grid(shown, layers, ranks, statistic)
    bound = float(np.nanmax(np.abs(rows[statistic].to_numpy()))) or 1.0
    drawn = figure(
        alt=f"Heat map of the effect of {trait or 'the trait'} on {width} neurons in each of {len(layers)} layers, "
        "ordered within each layer, with the chosen neurons marked.",
        height=110 + max(170, 30 * len(layers)),
        xaxis={"title": "rank of the neuron within its layer", "showgrid": False},
        yaxis={"title": "layer", "autorange": "reversed", "showgrid": False, "dtick": max(1, len(layers) // 16)},
    )
    drawn.add_heatmap(
        x=ranks,
        y=layers,
        z=values,
        zmin=-bound,
        zmax=bound,
        zmid=0,
        colorscale=DIVERGING,
        text=hover,
        hovertemplate="%{text}<extra></extra>",
        colorbar={"title": {"text": _QUANTITIES[statistic], "side": "right"}, "thickness": 12, "outlinewidth": 0},
    )
    if "selected" in rows:
        for pole in ("high", "low"):
            _mark(drawn, rows[rows["selected"] == pole], pole)
    return drawn


def _grid(shown: pd.DataFrame, layers: list[int], ranks: np.ndarray, statistic: str) -> tuple[np.ndarray, np.ndarray]:
    place = ([layers.index(layer) for layer in shown["layer"]], np.searchsorted(ranks, shown["rank"]))
    values = np.full((len(layers), len(ranks)), np.nan)
    values[place] = shown[statistic]
    hover = np.full(values.shape, "", dtype=object)
    hover[place] = _told(shown)
    return values, hover


def _told(rows: pd.DataFrame) -> list[str]:
    """Layer, neuron, mean difference and d with its interval, for hovering."""
    columns = (rows[name] for name in _NEEDED)
    return [
        f"layer {layer}, neuron {neuron}<br>mean difference {s:+.3g}<br>d {d:+.2f} [{low:+.2f}, {high:+.2f}]"
        for layer, neuron, s, d, low, high in zip(*columns, strict=True)
    ]


def _mark(drawn: go.Figure, chosen: pd.DataFrame, pole: str) -> None:
    if chosen.empty:
        return
    drawn.add_scatter(
        x=chosen["rank"],
        y=chosen["layer"],
        mode="markers",
        name=f"{pole.capitalize()} neurons ({len(chosen)})",
        marker={
            "symbol": POLE_SYMBOLS[pole],
            "size": 7,
            "color": POLE_COLOURS[pole],
            "line": {"color": "white", "width": 1},
        },
        text=_told(chosen),
        hovertemplate="%{text}<extra>chosen</extra>",
    )


def magnitude_against_d(
    effects: pd.DataFrame,
    *,
    threshold_d: float,
    thresholds: pd.DataFrame | None = None,
    trait: str | None = None,
) -> go.Figure:
    """|mean difference| against Cohen's d, with both thresholds and the chosen neurons.

    Args:
        effects: as for `effect_map`.
        threshold_d: tau_d, drawn on both sides.
        thresholds: columns layer and threshold: tau_q of each layer, drawn as the band that they span.

    At most 6,000 neurons that were not chosen are drawn, evenly taken; the chosen ones are all drawn.
    """
    check_columns("magnitude_against_d", effects, _NEEDED)
    rows, trait = one_trait("magnitude_against_d", effects, trait)
    rows = rows.assign(magnitude=rows["mean_difference"].abs())
    rows = rows[rows["magnitude"] > 0]
    selected = rows["selected"] if "selected" in rows else pd.Series("", index=rows.index)
    others = rows[selected == ""]
    others = others.iloc[np.unique(np.linspace(0, len(others) - 1, min(len(others), _MOST_POINTS)).astype(int))]
    drawn = figure(
        alt=f"Scatter of the size of the mean difference against Cohen's d for neurons of {trait or 'one trait'}, with "
        "the thresholds of both criteria.",
        height=400,
        xaxis={"title": _QUANTITIES["cohens_d"]},
        yaxis={
            "title": "|mean difference| (activation units, log scale)",
            "type": "log",
            "dtick": 1,
            "exponentformat": "power",
        },
    )
    drawn.add_scattergl(
        x=others["cohens_d"],
        y=others["magnitude"],
        mode="markers",
        name="not chosen",
        marker={"size": 4, "color": translucent(GREY, 0.35)},
        text=_told(others),
        hovertemplate="%{text}<extra></extra>",
    )
    for pole in ("high", "low"):
        chosen = rows[selected == pole]
        if len(chosen):
            drawn.add_scattergl(
                x=chosen["cohens_d"],
                y=chosen["magnitude"],
                mode="markers",
                name=f"{pole.capitalize()} neurons ({len(chosen)})",
                marker={"size": 8, "color": POLE_COLOURS[pole], "symbol": POLE_SYMBOLS[pole]},
                text=_told(chosen),
                hovertemplate="%{text}<extra>chosen</extra>",
            )
    for side in (-threshold_d, threshold_d):
        drawn.add_vline(x=side, line={"color": MUTED, "dash": "dash", "width": 1.2})
    if thresholds is not None:
        check_columns("magnitude_against_d", thresholds, ("layer", "threshold"))
        least, most = float(thresholds["threshold"].min()), float(thresholds["threshold"].max())
        if least < most:
            drawn.add_hrect(y0=least, y1=most, fillcolor=translucent(GREY, 0.18), line_width=0, layer="below")
        drawn.add_hline(
            y=least,
            line={"color": MUTED, "dash": "dot", "width": 1.2},
            annotation={"text": "tau_q of the layers", "font": {"color": MUTED, "size": 11}},
            annotation_position="top left",
        )
    return drawn


def neurons_per_layer(counts: pd.DataFrame, *, trait: str | None = None) -> go.Figure:
    """Chosen neurons by layer: High upward, Low downward.

    Args:
        counts: columns layer, pole (`high` or `low`), neurons; `trait` where there are several.
    """
    check_columns("neurons_per_layer", counts, ("layer", "pole", "neurons"))
    rows, trait = one_trait("neurons_per_layer", counts, trait)
    most = max(1, int(rows["neurons"].max()))
    step = max(1, most // 4)
    ticks = list(range(-step * (most // step), most + 1, step))
    drawn = figure(
        alt=f"Bars of the number of chosen neurons of {trait or 'one trait'} in each layer, High upward and Low downward.",
        height=300,
        barmode="relative",
        bargap=0.25,
        xaxis={"title": "layer", "dtick": max(1, rows["layer"].nunique() // 16)},
        yaxis={"title": "neurons chosen", "tickvals": ticks, "ticktext": [str(abs(tick)) for tick in ticks]},
    )
    for pole, sign in (("high", 1), ("low", -1)):
        own = rows[rows["pole"] == pole].sort_values("layer")
        drawn.add_bar(
            x=own["layer"],
            y=sign * own["neurons"],
            name=f"{pole.capitalize()} neurons",
            marker_color=POLE_COLOURS[pole],
            customdata=own["neurons"],
            hovertemplate="layer %{x}: %{customdata} " + pole + "<extra></extra>",
        )
    drawn.add_hline(y=0, line={"color": MUTED, "width": 1})
    return drawn
