"""Figures of counts: how many neurons were chosen where."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import TEMPLATE, Look, figure


@literal_words
def neurons_per_layer(
    counts: pd.DataFrame, *, trait: str | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Chosen neurons by layer: High upward, Low downward.

    Args:
        counts: columns layer, pole (`high` or `low`), neurons; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("neurons_per_layer", counts, ("layer", "pole", "neurons"))
    rows, trait = one_trait("neurons_per_layer", counts, trait)
    look = Look.of(template)
    most = max(1, int(rows["neurons"].max()))
    step = max(1, most // 4)
    ticks = list(range(-step * (most // step), most + 1, step))
    drawn = figure(
        alt=f"Bars: how many neurons of {trait or 'one trait'} each layer has, High upward and Low downward.",
        template=template,
        height=300,
        barmode="relative",
        bargap=0.25,
        xaxis={"title": "layer", "dtick": max(1, rows["layer"].nunique() // 16)},
        yaxis={"title": "neurons chosen", "tickvals": ticks, "ticktext": [str(abs(tick)) for tick in ticks]},
    )
    for pole, sign in (("high", 1), ("low", -1)):
        points = rows[rows["pole"] == pole].sort_values("layer")
        colour, _ = look.pole(pole)
        drawn.add_bar(
            x=points["layer"],
            y=sign * points["neurons"],
            name=f"{pole.capitalize()} neurons",
            marker={"color": colour, "pattern": {"shape": "" if pole == "high" else "/", "size": 5}},
            customdata=points["neurons"],
            hovertemplate="layer %{x}: %{customdata} " + pole + "<extra></extra>",
        )
    drawn.add_hline(y=0, line={"color": look.muted, "width": 1})
    return drawn
