"""Figures over doses: each quantity, and its change against the unedited model, a line for each arm."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.legend import Legend
from workbench.plots.panels import axes, axis, panels
from workbench.plots.tables import bars, check_columns, counted, one_trait
from workbench.plots.theme import TEMPLATE, Look, figure

DOSE = "gamma (dose, multiples of the mean difference)"
_DASHES = {"increase": "solid", "decrease": "dash"}


@literal_words
def dose_curves(
    dose: pd.DataFrame,
    *,
    quantity: str | None = None,
    trait: str = "all",
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """A quantity against gamma, a line for each arm and direction, with 95 % intervals.

    Args:
        dose: columns arm, gamma, direction (`increase` or `decrease`), trait, quantity, estimate, low, high, and `n`
            if hovering shall tell it; gamma 0 is unedited.
        quantity: which one; by default the legend's target, or the first of a table without it.
        legend: arms' roles, and quantities' labels and units.

    Raises:
        ValueError: for missing columns, or a quantity or trait that the table lacks.
    """
    needed = ("arm", "gamma", "direction", "trait", "quantity", "estimate", "low", "high")
    check_columns("dose_curves", dose, needed)
    legend, held = legend or Legend(), list(dict.fromkeys(dose["quantity"]))
    name = quantity or (legend.target if legend.target in held else held[0])
    if name not in held:
        raise ValueError(f"dose_curves has no rows of quantity {name!r}; the table holds {', '.join(held)}.")
    rows, trait = one_trait("dose_curves", dose[dose["quantity"] == name], trait)
    wording, look, styles = legend.level(name), Look.of(template), legend.styles(rows["arm"])
    drawn = figure(
        alt=f"Lines of {wording.title} against the dose for {counted(styles)}, increasing and decreasing, with "
        "intervals.",
        template=template,
        height=430,
        xaxis={"title": DOSE, "rangemode": "tozero"},
        yaxis={"title": wording.title, "tickformat": wording.ticks},
        legend={"title": {"text": "solid: increase, dashed: decrease", "side": "top", "font": {"size": 11}}},
    )
    for rank, (arm, style) in reversed(list(enumerate(styles.items()))):  # the first arm on top
        colour = look.colour(style.colour)
        by_direction = rows[rows["arm"] == arm].groupby("direction", sort=False)
        for number, (direction, points) in enumerate(by_direction):
            points = points.sort_values("gamma")
            drawn.add_scatter(
                x=points["gamma"],
                y=points["estimate"],
                error_y=bars(points, "estimate", "low", "high", colour=colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                legendrank=rank,
                showlegend=number == 0,
                line={"color": colour, "dash": _DASHES.get(str(direction), "dot"), "width": 2},
                marker={"color": colour, "symbol": style.symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=points[["low", "high", "n"]] if "n" in points else points[["low", "high"]],
                hovertemplate=f"{arm}, {direction}<br>gamma %{{x:~g}}: %{{y:{wording.form}}} "
                f"[%{{customdata[0]:{wording.form}}}, %{{customdata[1]:{wording.form}}}]"
                f"{'<br>n = %{customdata[2]:d}' if 'n' in points else ''}<extra></extra>",
            )
    return drawn


@literal_words
def changes_by_dose(
    changes: pd.DataFrame, *, legend: Legend | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Changes of quantities against gamma, a panel for each quantity and a line for each arm, with 95 % intervals.

    Args:
        changes: columns arm, gamma, quantity (`NAME_change`: edited minus unedited), estimate, low, high, n.
        legend: arms' roles, and quantities' labels and units.

    An arm of a single dose, as a prompt is, stands alone as a point.

    Raises:
        ValueError: for missing columns.
    """
    check_columns("changes_by_dose", changes, ("arm", "gamma", "quantity", "estimate", "low", "high", "n"))
    legend, names = legend or Legend(), list(dict.fromkeys(changes["quantity"]))
    wordings = {name: legend.change(name.removesuffix("_change")) for name in names}
    look, styles = Look.of(template), legend.styles(changes["arm"])
    labels = ", ".join(wording.label.removeprefix("change of ") for wording in wordings.values())
    drawn = panels(
        [wording.lines(26) for wording in wordings.values()],
        alt=f"Lines with intervals: changes of {labels} of {counted(styles)} against the dose.",
        template=template,
        x_titles=["gamma (dose)"] * len(names),
        y_titles=[""] * len(names),
        across=3,
        height=250,
        gap=0.075,
        shared_y=False,
    )
    for panel, (name, wording) in enumerate(wordings.items()):
        axis(drawn, "x", panel).rangemode = "tozero"
        axis(drawn, "y", panel).tickformat = wording.ticks
        axis(drawn, "y", panel).zeroline = True
        for rank, (arm, style) in reversed(list(enumerate(styles.items()))):  # the first arm on top
            colour = look.colour(style.colour)
            points = changes[(changes["arm"] == arm) & (changes["quantity"] == name)].sort_values("gamma")
            drawn.add_scatter(
                x=points["gamma"],
                y=points["estimate"],
                error_y=bars(points, "estimate", "low", "high", colour=colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                legendrank=rank,
                showlegend=panel == 0,
                line={"color": colour, "width": 2},
                marker={"color": colour, "symbol": style.symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=points[["low", "high", "n"]],
                hovertemplate=f"{arm}, gamma %{{x:~g}}<br>%{{y:{wording.form}}} [%{{customdata[0]:{wording.form}}}, "
                f"%{{customdata[1]:{wording.form}}}]<br>n = %{{customdata[2]:d}}<extra></extra>",
                **axes(panel),
            )
    return drawn
