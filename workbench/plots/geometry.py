"""Figures of trait representations: prompts of the poles on principal components, layer by layer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.plots.theme import MUTED, POLE_COLOURS, POLE_SYMBOLS, TEMPLATE, check_columns, one_trait

_MOST_PANELS, _ACROSS = 8, 4
_NEEDED = ("layer", "pole", "pc1", "pc2", "ev1", "ev2")


def trait_pca(projection: pd.DataFrame, *, trait: str | None = None, layers: Sequence[int] | None = None) -> go.Figure:
    """Small multiples over layers: each prompt on its layer's first two components (activation units), by pole.

    Args:
        projection: columns layer, pole, pc1, pc2 and ev1, ev2 (explained shares of variance); `trait` where
            there are several.
        layers: which layers to draw; by default at most eight, evenly apart.

    Raises:
        ValueError: for missing columns, or a trait or layers that the table lacks.
    """
    check_columns("trait_pca", projection, _NEEDED)
    rows, trait = one_trait("trait_pca", projection, trait)
    there = sorted(int(layer) for layer in rows["layer"].unique())
    lacking = sorted(set(layers or ()) - set(there))
    if lacking:
        raise ValueError(f"trait_pca has no rows of layers {lacking}; the table holds {there}.")
    if layers is None:
        places = np.unique(np.linspace(0, len(there) - 1, min(len(there), _MOST_PANELS)).round().astype(int))
        layers = [there[place] for place in places]
    across = min(_ACROSS, len(layers))
    down = -(-len(layers) // across)
    titles = []
    for layer in layers:
        first = rows[rows["layer"] == layer].iloc[0]
        titles.append(f"layer {layer}<br>{first['ev1']:.0%}, {first['ev2']:.0%}")
    drawn = make_subplots(
        rows=down,
        cols=across,
        subplot_titles=titles,
        horizontal_spacing=0.03,
        vertical_spacing=0.2 / down + 0.04 if down > 1 else 0,
        x_title="first principal component (activation units)<br>above: variance explained by the first, second",
        y_title="second principal component (activation units)",
    )
    for place, layer in enumerate(layers):
        for pole, own in rows[rows["layer"] == layer].groupby("pole", sort=False):
            drawn.add_scatter(
                x=own["pc1"],
                y=own["pc2"],
                mode="markers",
                name=str(pole),
                legendgroup=str(pole),
                showlegend=place == 0,
                marker={
                    "color": POLE_COLOURS.get(str(pole), MUTED),
                    "symbol": POLE_SYMBOLS.get(str(pole), "circle"),
                    "size": 4.5,
                    "opacity": 0.65,
                    "line": {"width": 1 if pole == "neutral" else 0, "color": POLE_COLOURS.get(str(pole), MUTED)},
                },
                hovertemplate=f"layer {layer}, {pole}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
                row=place // across + 1,
                col=place % across + 1,
            )
    drawn.update_layout(
        template=TEMPLATE,
        height=90 + 210 * down,
        margin={"t": 72, "l": 48, "b": 78},
        legend={"y": 1.0, "yref": "container", "yanchor": "top", "itemsizing": "constant"},
        meta={
            "alt": f"Scatter plots of prompts of {trait or 'one trait'} on two principal components, one for each of "
            f"{len(layers)} layers, coloured by pole."
        },
    )
    drawn.update_xaxes(showticklabels=False, ticks="", title_text="")
    drawn.update_yaxes(showticklabels=False, ticks="", title_text="")
    drawn.update_annotations(font_size=12)
    # Without tick labels, the shared titles can stand close to the panels.
    drawn.update_annotations(selector={"yanchor": "top"}, yshift=-10)
    drawn.update_annotations(selector={"textangle": -90}, xshift=-16)
    return drawn
