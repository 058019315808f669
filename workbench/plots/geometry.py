"""Figures of trait representations: prompts of the poles on principal components, layer by layer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.panels import axes, panels
from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import BLUE, GREEN, GREY, TEMPLATE, VERMILLION, Look, figure, translucent

_MOST_PANELS, _ACROSS = 8, 4
_NEEDED = ("layer", "pole", "pc1", "pc2", "ev1", "ev2")


@literal_words
def trait_pca(
    projection: pd.DataFrame,
    *,
    trait: str | None = None,
    layers: Sequence[int] | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Small multiples over layers: each prompt on its layer's first two components (activation units), by pole.

    Args:
        projection: columns layer, pole, pc1, pc2 and ev1, ev2 (explained shares of variance); `trait` where
            there are several. Where `held_out` is there, prompts on which the components were not fitted take open
            symbols.
        layers: which layers to draw; by default at most eight, evenly apart.

    Raises:
        ValueError: for missing columns, or a trait or layers that the table lacks.
    """
    check_columns("trait_pca", projection, _NEEDED)
    rows, trait = one_trait("trait_pca", projection, trait)
    held = sorted(int(layer) for layer in rows["layer"].unique())
    lacking = sorted(set(layers or ()) - set(held))
    if lacking:
        raise ValueError(f"trait_pca has no rows of layers {lacking}; the table holds {held}.")
    if layers is None:
        evenly = np.unique(np.linspace(0, len(held) - 1, min(len(held), _MOST_PANELS)).round().astype(int))
        layers = [held[index] for index in evenly]
    rows = rows.assign(held_out=rows["held_out"].fillna(False).astype(bool) if "held_out" in rows else False)
    look = Look.of(template)
    titles = []
    for layer in layers:
        first = rows[rows["layer"] == layer].iloc[0]
        titles.append(f"layer {layer}<br>{first['ev1']:.0%}, {first['ev2']:.0%}")
    drawn = panels(
        titles,
        alt=f"Scatter plots of prompts of {trait or 'one trait'} on two principal components, one for each of "
        f"{len(layers)} layers, coloured by pole.",
        template=template,
        x_titles=[""] * len(layers),
        y_titles=[""] * len(layers),
        across=_ACROSS,
        narrow=2,
        height=165,
        gap=0.03,
        shared_y=False,
        labelled=False,
        foot=56,
    )
    # Held-out prompts lie on those that the components were fitted on.
    groups = list(dict.fromkeys(zip(rows["held_out"], rows["pole"].astype(str), strict=True)))
    for panel, layer in enumerate(layers):
        for held_out, pole in sorted(groups, key=lambda group: group[0]):
            points = rows[(rows["layer"] == layer) & (rows["pole"] == pole) & (rows["held_out"] == held_out)]
            colour, symbol = look.pole(pole)
            name = f"{pole}, held out" if held_out else pole
            thin = symbol.endswith("thin")
            drawn.add_scatter(
                x=points["pc1"],
                y=points["pc2"],
                mode="markers",
                name=name,
                legendgroup=name,
                showlegend=panel == 0,
                marker={
                    "color": colour,
                    "symbol": f"{symbol.removesuffix('-thin')}-open" if held_out else symbol,
                    "size": 5.5 if held_out else 4.5,
                    "opacity": 0.95 if held_out else 0.6,
                    "line": {"width": 1 if thin or held_out else 0, "color": colour},
                },
                hovertemplate=f"layer {layer}, {name}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
                **axes(panel),
            )
    drawn.update_layout(legend={"itemsizing": "constant"})
    ends = {"xref": "paper", "yref": "paper", "showarrow": False, "font": {"size": 13}}
    drawn.add_annotation(
        text="first principal component (activation units)<br>above: variance explained by the first, second",
        **{**ends, "x": 0.5, "y": 0, "yanchor": "top", "yshift": -8},
    )
    drawn.add_annotation(
        text="second principal component (activation units)",
        **{**ends, "x": 0, "y": 0.5, "xanchor": "right", "textangle": -90, "xshift": -8},
    )
    return drawn


@literal_words
def separability_by_layer(
    separability: pd.DataFrame,
    *,
    start: int | None = None,
    probe: str = "logistic",
    trait: str | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Held-out area under the curve of a probe at every layer, with its controls.

    Args:
        separability: columns layer, probe, control, auc, auc_error; `trait` where there are several.
        start: the start layer, marked.

    Raises:
        ValueError: for missing columns, or an unknown trait or probe.
    """
    check_columns("separability_by_layer", separability, ("layer", "probe", "control", "auc", "auc_error"))
    rows, trait = one_trait("separability_by_layer", separability, trait)
    rows = rows[rows["probe"] == probe]
    if rows.empty:
        raise ValueError(f"separability_by_layer has no probe {probe!r} to draw.")
    look, lowest = Look.of(template), float((rows["auc"] - 1.96 * rows["auc_error"]).min())
    drawn = figure(
        alt=f"Lines: how well a {probe} probe tells the poles of {trait or 'the trait'} apart at each layer on unseen "
        "descriptions and questions, beside its controls.",
        template=template,
        height=340,
        xaxis={"title": "layer", "dtick": max(1, rows["layer"].nunique() // 16)},
        yaxis={"title": "held-out AUC (0.5: chance)", "range": [min(0.4, lowest - 0.03), 1.03]},
    )
    styles = {
        "none": ("true labels", VERMILLION, "circle", "solid"),
        "shuffled labels": ("shuffled labels", GREY, "cross", "dot"),
        "random neurons": ("random neurons", BLUE, "square", "dash"),
    }
    for control, points in rows.groupby("control", sort=False):
        name, colour, symbol, dash = styles.get(str(control), (str(control), GREEN, "diamond", "dash"))
        colour, points = look.colour(colour), points.sort_values("layer")
        drawn.add_scatter(
            x=points["layer"],
            y=points["auc"],
            error_y={
                "type": "data",
                "array": 1.96 * points["auc_error"],
                "color": translucent(colour, 0.55),
                "width": 2,
            },
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": symbol, "size": 7},
            customdata=points["auc_error"],
            hovertemplate="layer %{x}: AUC %{y:.3f} ± %{customdata:.3f}<extra>" + name + "</extra>",
        )
    if start is not None:
        drawn.add_vline(
            x=start,
            line={"color": look.ink, "width": 1.5, "dash": "dash"},
            annotation={"text": f"start layer {start}", "font": {"size": 11}, "xshift": 3},
            annotation_position="bottom right",
        )
    return drawn
