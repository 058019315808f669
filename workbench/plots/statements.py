"""How far each statement moves under each arm: the spread behind an average, and the share that goes astray."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.arms import ROW, label_rows
from workbench.plots.drawing import literal_words
from workbench.plots.legend import Legend
from workbench.plots.panels import axes, axis, panels
from workbench.plots.tables import check_columns, counted, one_trait
from workbench.plots.theme import TEMPLATE, Look, translucent

_TALL = 26
"""Pixels of an arm's row, in which points are strewn."""


@literal_words
def statement_shifts(
    items: pd.DataFrame,
    *,
    trait: str | None = None,
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Each statement's own shift in the intended direction, a row for each arm and a panel for each direction.

    A box holds the middle half of an arm's statements, its line the median. Beside each arm's name stands the share of
    its statements, both directions together, that move the wrong way.

    Args:
        items: columns arm, direction, item and shift (nats per token); `trait` where there are several.
        legend: arms' roles.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("statement_shifts", items, ("arm", "direction", "item", "shift"))
    rows, trait = one_trait("statement_shifts", items, trait)
    look, styles = Look.of(template), (legend or Legend()).styles(rows["arm"])
    ways = list(dict.fromkeys(rows["direction"].astype(str)))
    drawn = panels(
        [f"{way} {trait}".strip() for way in ways],
        alt=f"Boxes with points: each statement's shift under {counted(styles)}, for {trait or 'the trait'}, with the "
        "share of statements that move the wrong way.",
        template=template,
        x_titles=["shift of a statement<br>(nats per token)"] * len(ways),
        y_titles=[""] * len(ways),
        across=len(ways),
        narrow=len(ways),
        height=30 + max(ROW, _TALL) * len(styles),
        foot=66,
    )
    for panel, way in enumerate(ways):
        for height, (arm, style) in enumerate(styles.items()):
            shown = rows[(rows["arm"] == arm) & (rows["direction"] == way)]
            colour = look.colour(style.colour)
            drawn.add_box(
                x=shown["shift"],
                y=np.full(len(shown), height),
                orientation="h",
                name=arm,
                showlegend=False,
                boxpoints="all",
                jitter=0.6,
                pointpos=0,
                width=0.7,
                marker={"size": 3, "color": translucent(colour, 0.5)},
                line={"color": colour, "width": 1.2},
                fillcolor=translucent(colour, 0.12),
                text=shown["item"],
                hoveron="points",
                hovertemplate="%{text}<br>%{x:+.2f}<extra>" + arm + "</extra>",
                **axes(panel),
            )
        axis(drawn, "x", panel).zeroline = True
    wrong = rows.assign(wrong=rows["shift"] < 0).groupby("arm")["wrong"].mean()
    label_rows(drawn, [f"{arm} ({wrong[arm]:.0%} wrong way)" for arm in styles])
    return drawn
