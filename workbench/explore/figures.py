"""Figures of one neuron, and the maps that one is picked from; each point says which neuron it is."""

import re
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from workbench import plots
from workbench.explore.card import NeuronCard
from workbench.explore.choosing import Chosen
from workbench.plots.theme import Look, figure, translucent

_PLACE = re.compile(r"layer (\d+), neuron (\d+)")
TEMPLATES = {"light": plots.TEMPLATE, "dark": plots.DARK}
"""The template of each appearance of the page."""


def effects_map(frame: pd.DataFrame, chosen: Chosen, *, picked: tuple[int, int] | None, appearance: str) -> go.Figure:
    """The layer × rank map of a range of layers, chosen neurons marked, and the picked one ringed."""
    template = TEMPLATES[appearance]
    drawn = plots.effect_map(frame, trait=chosen.settings.trait, template=template)
    ring = {"symbol": "circle-open", "size": 17, "color": Look.of(template).ink, "line": {"width": 2.5}}
    drawn.add_scatter(
        **ringed(frame, picked),
        mode="markers",
        marker=ring,
        name="shown below",
        hoverinfo="skip",
        cliponaxis=False,
        legendrank=2000,
    )
    drawn.data = (drawn.data[-1], *drawn.data[:-1])  # the first trace, whatever else there is, as it is moved alone
    return _on_page(drawn)


def ringed(frame: pd.DataFrame, picked: tuple[int, int] | None) -> dict[str, Any]:
    """Where the map's ring is: around the picked neuron's cell, nowhere where the map lacks it."""
    cell = _cell(frame, picked)
    x, y = ([], []) if cell is None else ([cell[1]], [cell[0]])
    return {"x": x, "y": y, "showlegend": cell is not None}


def layer_scatter(
    frame: pd.DataFrame, chosen: Chosen, layer: int, *, picked: tuple[int, int] | None, appearance: str
) -> go.Figure:
    """|s| against d of one layer's neurons (`frame`), with both thresholds, and the picked one ringed."""
    template, rows = TEMPLATES[appearance], frame
    tau_q = chosen.thresholds[chosen.thresholds["layer"] == layer]
    drawn = plots.magnitude_against_d(
        rows, threshold_d=chosen.settings.min_d, thresholds=tau_q if len(tau_q) else None, template=template
    )
    shown = rows[(rows["neuron"] == picked[1])] if picked is not None and picked[0] == layer else rows.head(0)
    if len(shown):
        ring = {"symbol": "circle-open", "size": 17, "color": Look.of(template).ink, "line": {"width": 2.5}}
        drawn.add_scatter(
            x=shown["cohens_d"],
            y=shown["mean_difference"].abs(),
            mode="markers",
            marker=ring,
            name="shown beside",
            hoverinfo="skip",
        )
    return _on_page(without_webgl(drawn))


def tokens_map(frame: pd.DataFrame, trait: str, *, appearance: str) -> go.Figure:
    """A text's tokens, coloured by their projection on a trait."""
    return plots.token_heat_map(frame.assign(trait=trait), template=TEMPLATES[appearance])


def activation_strip(card: NeuronCard, *, appearance: str) -> go.Figure:
    """A neuron's activations by pole: every prompt, and the quartiles."""
    look = Look.of(TEMPLATES[appearance])
    drawn = figure(
        alt=f"Strips of the activation of layer {card.layer}, neuron {card.neuron} on the prompts of each pole.",
        template=TEMPLATES[appearance],
        height=90 + 62 * max(1, card.activations["pole"].nunique()),
        showlegend=False,
        xaxis={"title": "activation (hook_post)"},
        yaxis={"autorange": "reversed", "showgrid": False, "ticks": ""},
        margin={"l": 60, "r": 12, "t": 8, "b": 46},
        boxgap=0.25,
    )
    for pole, rows in card.activations.groupby("pole", sort=False):
        colour = look.pole(str(pole))[0]
        drawn.add_box(
            x=rows["activation"],
            y=[str(pole)] * len(rows),
            orientation="h",
            name=str(pole),
            boxpoints="all",
            jitter=0.7,
            pointpos=0,
            marker={"color": translucent(colour, 0.5), "size": 4},
            line={"color": colour, "width": 1.5},
            fillcolor=translucent(colour, 0.12),
            customdata=rows["row"],
            hoveron="points",
            hovertemplate=f"{pole}, pair %{{customdata}}: %{{x:.3g}}<extra></extra>",
        )
    return _on_page(drawn)


def patching_bars(frame: pd.DataFrame, *, appearance: str) -> go.Figure:
    """A neuron's effect in both directions, with intervals."""
    look = Look.of(TEMPLATES[appearance])
    drawn = figure(
        alt="Points with intervals: the share of the donor run's effect that the neuron carries, in both directions.",
        template=TEMPLATES[appearance],
        height=150,
        showlegend=False,
        xaxis={"title": "share of the donor run's effect", "tickformat": "~%", "nticks": 4, "tickangle": 0},
        yaxis={"autorange": "reversed", "showgrid": False, "ticks": "", "range": [1.5, -0.5]},
        margin={"l": 110, "r": 24, "t": 8, "b": 46},
    )
    names = {"increase": "high into low", "decrease": "low into high"}
    drawn.add_vline(x=0, line={"color": look.muted, "width": 1, "dash": "dot"})
    drawn.add_scatter(
        x=frame["effect"],
        y=frame["direction"].map(names),
        mode="markers",
        marker={
            "size": 9,
            "color": [look.pole("high" if way == "increase" else "low")[0] for way in frame["direction"]],
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": frame["high"] - frame["effect"],
            "arrayminus": frame["effect"] - frame["low"],
            "color": look.muted,
            "thickness": 1.6,
            "width": 5,
        },
        customdata=frame[["low", "high", "n"]],
        hovertemplate="%{x:.2%} [%{customdata[0]:.2%}, %{customdata[1]:.2%}], %{customdata[2]} pairs<extra></extra>",
    )
    return _on_page(drawn)


def place_clicked(click: Any) -> tuple[int, int]:
    """The layer and neuron that a click on one of these figures names.

    Raises:
        ValueError: for a click on something else.
    """
    try:
        named = _PLACE.match(click["points"][0]["text"])
        return int(named[1]), int(named[2])  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        raise ValueError("Click a cell or a mark that stands for a neuron; that place stands for none.") from None


def without_webgl(drawn: go.Figure) -> go.Figure:
    """The figure with its WebGL points as plain ones: WebGL needs a page that lets scripts make scripts."""
    whole = drawn.to_dict()
    for trace in whole["data"]:
        trace["type"] = {"scattergl": "scatter"}.get(trace["type"], trace["type"])
    return go.Figure(whole)


def layer_counts(chosen: Chosen, *, appearance: str) -> go.Figure:
    """How many neurons are chosen in each layer."""
    return _on_page(plots.neurons_per_layer(chosen.counts, template=TEMPLATES[appearance]))


def _on_page(drawn: go.Figure) -> go.Figure:
    """The figure without a ground of its own."""
    return drawn.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")


def _cell(frame: pd.DataFrame, picked: tuple[int, int] | None) -> tuple[int, int] | None:
    """Where the map has a neuron: its layer, and its rank by d there; None where the map lacks it."""
    if picked is None:
        return None
    rows = frame[frame["layer"] == picked[0]].sort_values("cohens_d").reset_index(drop=True)
    ranks = rows.index[rows["neuron"] == picked[1]]
    return (picked[0], int(ranks[0])) if len(ranks) else None
