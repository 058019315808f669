"""Figures of effects on neurons: the map, and both criteria at once."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import GREY, TEMPLATE, Look, figure, translucent

_MOST_COLUMNS = 800
_MOST_POINTS = 6000
_QUANTITIES = {
    "cohens_d": "Cohen's d (high − low, pooled SD)",
    "mean_difference": "mean difference (high − low, activation units)",
}
_ORDERS = {
    "rank": ("rank within its layer (lowest effect first)", "ordered within each layer"),
    "neuron": ("neuron (index within its layer)", "by index"),
}
_NEEDED = ("layer", "neuron", "mean_difference", "cohens_d", "d_low", "d_high")
_TOLD = ("mean_difference", "cohens_d", "d_low", "d_high")
_HOVER = (
    "%{text}<br>mean difference %{customdata[0]:+.3~g}<br>"
    "d %{customdata[1]:+.2f} [%{customdata[2]:+.2f}, %{customdata[3]:+.2f}]"
)


def effect_map(
    effects: pd.DataFrame,
    *,
    trait: str | None = None,
    statistic: str = "cohens_d",
    order: str = "rank",
    neurons: pd.DataFrame | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Layer × neuron map: each layer's neurons in order of their effect or of their index, the chosen ones marked.

    Args:
        effects: a row per neuron: layer, neuron, mean_difference, cohens_d, d_low, d_high; with `trait` where
            there are several, and `selected` (`high`, `low` or empty) to mark neurons.
        statistic: `cohens_d` or `mean_difference`; positive (vermillion) is more active on the high pole.
        order: `rank`, the lowest effect of each layer first, or `neuron`, by index.
        neurons: the neurons to mark, instead of `selected`: columns layer, neuron, pole, as a selection's frame.

    Layers wider than 800 neurons are drawn in 800 columns. In order of rank these are evenly spaced ranks. In order
    of neurons each column shows the neuron of the greatest magnitude among those it stands for, and hovering tells
    which one: such columns look stronger than most of their neurons are. Marks stay at their true rank or index. An
    infinite d (a neuron constant on both poles) takes the colour of the largest finite one; hovering tells it as
    it is.

    Raises:
        ValueError: for missing columns, an unknown trait, statistic or order, or neurons that the effects lack.
    """
    if statistic not in _QUANTITIES:
        raise ValueError(f"effect_map draws {' or '.join(_QUANTITIES)}, but {statistic!r} arrived.")
    if order not in _ORDERS:
        raise ValueError(f"effect_map orders neurons by {' or '.join(_ORDERS)}, but {order!r} arrived.")
    check_columns("effect_map", effects, _NEEDED)
    rows, trait = one_trait("effect_map", effects, trait)
    if neurons is not None:
        rows = _selecting("effect_map", rows, neurons, trait)
    rows = rows.sort_values(["layer", statistic])
    rows = rows.assign(place=rows.groupby("layer").cumcount() if order == "rank" else rows["neuron"])
    look, layers, width = Look.of(template), sorted(rows["layer"].unique().tolist()), int(rows["place"].max()) + 1
    columns = min(width, _MOST_COLUMNS)
    if order == "rank":
        places = np.unique(np.linspace(0, width - 1, columns).round().astype(int))
        shown = rows[rows["place"].isin(places)]
        shown = shown.assign(column=np.searchsorted(places, shown["place"]))
    else:
        places = (np.arange(columns) + 0.5) * width / columns - 0.5  # the middle of each column's neurons
        shown = rows.assign(column=rows["place"] * columns // width, magnitude=rows[statistic].abs().fillna(-1))
        shown = shown.sort_values("magnitude").drop_duplicates(["layer", "column"], keep="last")
    values, hover = _grid(shown, layers, len(places), statistic)
    bound = _largest(rows[statistic])
    drawn = figure(
        alt=f"Heat map of the effect of {trait or 'the trait'} on {width} neurons in each of {len(layers)} layers, "
        f"{_ORDERS[order][1]}, with the chosen neurons marked.",
        template=template,
        height=110 + max(170, 30 * len(layers)),
        xaxis={
            "title": _ORDERS[order][0],
            "showgrid": False,
            "range": [-0.02 * width, 1.02 * width],  # room for marks at both ends
        },
        yaxis={
            "title": "layer",
            "type": "category",  # rows of equal height, also where layers are left out
            "autorange": "reversed",
            "showgrid": False,
            "dtick": max(1, len(layers) // 16),
        },
    )
    drawn.add_heatmap(
        x=places,
        y=layers,
        z=values.clip(-bound, bound),
        zmin=-bound,
        zmax=bound,
        zmid=0,
        colorscale=look.diverging,
        **hover,
        hovertemplate=f"{_HOVER}<extra></extra>",
        hoverongaps=False,
        colorbar={
            "title": {"text": _QUANTITIES[statistic], "side": "right", "font": {"size": 12}},
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    if "selected" in rows:
        for pole in ("high", "low"):
            _mark(drawn, rows[rows["selected"] == pole], pole, look)
    return drawn


def _selecting(name: str, rows: pd.DataFrame, neurons: pd.DataFrame, trait: str) -> pd.DataFrame:
    """The rows with `selected` from a table of chosen neurons."""
    check_columns(f"{name}'s neurons", neurons, ("layer", "neuron", "pole"), may_be_empty=True)
    if "trait" in neurons and trait:
        neurons = neurons[neurons["trait"] == trait]
    pole_of = {(row.layer, row.neuron): row.pole for row in neurons.itertuples()}
    places = list(zip(rows["layer"], rows["neuron"], strict=True))
    lacking = sorted(set(pole_of) - set(places))
    if lacking:
        raise ValueError(
            f"{name} has no effect of layer {lacking[0][0]}, neuron {lacking[0][1]}, which neurons= names. "
            "Pass the effects that the neurons were chosen from."
        )
    return rows.assign(selected=pd.Series([str(pole_of.get(place, "")) for place in places], index=rows.index))


def _largest(values: pd.Series) -> float:
    """The largest finite magnitude; 1 where there is none, so that an axis about zero has a width."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if len(finite) and finite.max() > 0 else 1.0


def _grid(
    shown: pd.DataFrame, layers: list[int], columns: int, statistic: str
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    place = ([layers.index(layer) for layer in shown["layer"]], shown["column"].to_numpy(int))
    values = np.full((len(layers), columns), np.nan)
    values[place] = shown[statistic]
    named = np.full(values.shape, "", dtype=object)
    named[place] = _named(shown)
    told = np.full((*values.shape, len(_TOLD)), np.nan, dtype=np.float32)
    told[place] = shown[list(_TOLD)].to_numpy(np.float32)
    return values, {"text": named, "customdata": told}


def _named(rows: pd.DataFrame) -> list[str]:
    """Which neurons they are; a click tells it too."""
    return [f"layer {layer}, neuron {neuron}" for layer, neuron in zip(rows["layer"], rows["neuron"], strict=True)]


def _hover(rows: pd.DataFrame, *, extra: str = "") -> dict[str, Any]:
    """Layer, neuron, mean difference and d with its interval; as numbers, since text weighs far more."""
    return {
        "text": _named(rows),
        "customdata": rows[list(_TOLD)].to_numpy(np.float32),
        "hovertemplate": f"{_HOVER}<extra>{extra}</extra>",
    }


def _mark(drawn: go.Figure, chosen: pd.DataFrame, pole: str, look: Look) -> None:
    if chosen.empty:
        return
    colour, symbol = look.pole(pole)
    drawn.add_scatter(
        x=chosen["place"],
        y=chosen["layer"],
        mode="markers",
        name=f"{pole.capitalize()} neurons ({len(chosen)})",
        marker={"symbol": symbol, "size": 7, "color": colour, "line": {"color": look.paper, "width": 1}},
        cliponaxis=False,
        **_hover(chosen, extra="chosen"),
    )


def magnitude_against_d(
    effects: pd.DataFrame,
    *,
    threshold_d: float,
    thresholds: pd.DataFrame | None = None,
    trait: str | None = None,
    neurons: pd.DataFrame | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """|mean difference| against Cohen's d, with both thresholds and the chosen neurons.

    Args:
        effects: as for `effect_map`.
        threshold_d: tau_d in pooled standard deviations, drawn on both sides.
        thresholds: columns layer and threshold (activation units), with `trait` where there are several: tau_q of
            each layer, drawn as the band that they span, or as one line if they agree.
        neurons: the neurons to mark, as for `effect_map`.

    At most 6,000 neurons that were not chosen are drawn, evenly taken; the chosen ones are all drawn. A neuron
    without any difference has no place on a log axis; an infinite d is drawn at the largest finite one.

    Raises:
        ValueError: for missing columns, an unknown trait, or neurons that the effects lack.
    """
    check_columns("magnitude_against_d", effects, _NEEDED)
    rows, trait = one_trait("magnitude_against_d", effects, trait)
    if neurons is not None:
        rows = _selecting("magnitude_against_d", rows, neurons, trait)
    rows = rows.assign(magnitude=rows["mean_difference"].abs())
    rows = rows[rows["magnitude"] > 0]
    bound = _largest(rows["cohens_d"])
    rows = rows.assign(place=rows["cohens_d"].clip(-bound, bound))
    selected = rows["selected"] if "selected" in rows else pd.Series("", index=rows.index)
    others = rows[~selected.isin(["high", "low"])]
    others = others.iloc[np.unique(np.linspace(0, len(others) - 1, min(len(others), _MOST_POINTS)).astype(int))]
    look = Look.of(template)
    drawn = figure(
        alt=f"Scatter of the size of the mean difference against Cohen's d for neurons of {trait or 'one trait'}, with "
        "the thresholds of both criteria.",
        template=template,
        height=430,
        xaxis={"title": _QUANTITIES["cohens_d"]},
        yaxis={
            "title": "|mean difference| (activation units)",
            "type": "log",
            "dtick": 1,
            "exponentformat": "power",
            "tickfont": {"size": 11},
        },
    )
    drawn.add_scattergl(
        x=others["place"],
        y=others["magnitude"],
        mode="markers",
        name="not chosen",
        marker={"size": 4, "color": translucent(look.colour(GREY), 0.35)},
        **_hover(others),
    )
    for pole in ("high", "low"):
        chosen = rows[selected == pole]
        if len(chosen):
            colour, symbol = look.pole(pole)
            drawn.add_scattergl(
                x=chosen["place"],
                y=chosen["magnitude"],
                mode="markers",
                name=f"{pole.capitalize()} neurons ({len(chosen)})",
                marker={"size": 8, "color": colour, "symbol": symbol},
                **_hover(chosen, extra="chosen"),
            )
    drawn.add_vline(x=-threshold_d, line=look.threshold)
    drawn.add_vline(x=threshold_d, line=look.threshold, name=f"tau_d = ±{threshold_d:g}", showlegend=True)
    if thresholds is not None:
        _draw_tau_q(drawn, thresholds, trait, look)
    return drawn


def _draw_tau_q(drawn: go.Figure, thresholds: pd.DataFrame, trait: str, look: Look) -> None:
    """One line if the layers agree, otherwise the band between the lowest and the highest."""
    check_columns("magnitude_against_d's thresholds", thresholds, ("layer", "threshold"))
    if "trait" in thresholds and trait:
        thresholds, _ = one_trait("magnitude_against_d's thresholds", thresholds, trait)
    least, most = float(thresholds["threshold"].min()), float(thresholds["threshold"].max())
    dotted = {"color": look.muted, "dash": "dot", "width": 1.5}
    if least == most:
        drawn.add_hline(y=least, line=dotted, name="tau_q", showlegend=True)
        return
    drawn.add_hrect(y0=least, y1=most, fillcolor=translucent(look.colour(GREY), 0.18), line_width=0, layer="below")
    drawn.add_hline(y=least, line=dotted, name="tau_q of the layers", showlegend=True)
    drawn.add_hline(y=most, line=dotted)
