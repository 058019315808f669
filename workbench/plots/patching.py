"""Figures of what neurons cause: interchange and ablation, layer by layer."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.panels import axes, axis, panels
from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    TEMPLATE,
    VERMILLION,
    Look,
    translucent,
)

_COLOURS = (VERMILLION, GREY, BLUE, GREEN, ORANGE, PURPLE, SKY)
_SYMBOLS = ("circle", "cross", "square", "diamond", "triangle-up", "x", "triangle-down")
_MODES = {"by_layer": "each layer alone", "cumulative": "all layers up to this one"}
_DASHES = {"increase": "solid", "decrease": "dash"}
_AXES = {
    "effect": "share of the donor's effect on the logits<br>(0: base run, 1: donor run)",
    "lost": "share of the donor's effect on the logits that is lost<br>(0: nothing, 1: all of it)",
}


@literal_words
def patching_by_layer(
    patching: pd.DataFrame, *, trait: str | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """What each set of neurons brings about, or what its ablation costs, by layer with 95 % bands.

    Args:
        patching: columns set, mode, layer, low, high, and `effect` or `lost`, as `Patching.frame` and `Ablation.frame`
            give them; `direction` and `trait` where there are several. A panel for each of the modes `by_layer` and
            `cumulative` that it holds, a line for each set, dashed where the trait is decreased.

    Raises:
        ValueError: for missing columns, an unknown trait, or if neither mode is there.
    """
    quantity = "lost" if "lost" in patching else "effect"
    check_columns("patching_by_layer", patching, ("set", "mode", "layer", quantity, "low", "high"))
    rows, trait = one_trait("patching_by_layer", patching, trait)
    rows = rows.assign(direction=rows.get("direction", ""))
    modes = [mode for mode in _MODES if mode in set(rows["mode"])]
    if not modes:
        held = ", ".join(dict.fromkeys(rows["mode"]))
        raise ValueError(f"patching_by_layer draws the modes {' and '.join(_MODES)}, but the table holds {held}.")
    sets = list(dict.fromkeys(rows["set"]))
    look = Look.of(template)
    styles = dict(zip(sets, zip(_COLOURS * len(sets), _SYMBOLS * len(sets), strict=True), strict=False))
    several = len(set(rows["direction"])) > 1
    drawn = panels(
        [_MODES[mode] for mode in modes],
        alt=f"Lines with bands by layer: what {', '.join(sets)} carry of the effect of {trait or 'the trait'}.",
        template=template,
        x_titles=["layer"] * len(modes),
        y_titles=[_AXES[quantity]] * len(modes),
        across=len(modes),
        height=270,
    )
    for panel, mode in enumerate(modes):
        of_mode = rows[rows["mode"] == mode]
        for (name, direction), points in of_mode.groupby(["set", "direction"], sort=False):
            points = points.sort_values("layer")
            colour, symbol = look.colour(styles[str(name)][0]), styles[str(name)][1]
            way = f", {direction}" if direction else ""
            band = [*points["low"], *points["high"].iloc[::-1]]
            drawn.add_scatter(
                x=[*points["layer"], *points["layer"].iloc[::-1]],
                y=band,
                mode="lines",
                fill="toself",
                fillcolor=translucent(colour, 0.14),
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=f"{name}",
                **axes(panel),
            )
            drawn.add_scatter(
                x=points["layer"],
                y=points[quantity],
                mode="lines+markers",
                name=str(name),
                legendgroup=f"{name}",
                showlegend=panel == 0 and direction == next(iter(dict.fromkeys(of_mode["direction"]))),
                line={"color": colour, "width": 2, "dash": _DASHES.get(str(direction), "solid")},
                marker={"color": colour, "symbol": symbol, "size": 6},
                customdata=points[["low", "high"]],
                hovertemplate=f"{name}{way}, layer %{{x}}: %{{y:.1%}} "
                "[%{customdata[0]:.1%}, %{customdata[1]:.1%}]<extra></extra>",
                **axes(panel),
            )
        axis(drawn, "x", panel).dtick = max(1, int(of_mode["layer"].max()) // 8)
        axis(drawn, "y", panel).tickformat = "~%"
        axis(drawn, "y", panel).zeroline = True
    if several:
        drawn.update_layout(
            legend={"title": {"text": "solid: increase, dashed: decrease", "side": "top", "font": {"size": 11}}}
        )
    return drawn
