"""Figures of what a shift of the trait costs: over doses, and with few or many neurons edited."""

import math
import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.legend import SHIFT, Legend
from workbench.plots.panels import axes, axis, give_room, panels
from workbench.plots.tables import bars, check_columns, counted, one_trait, with_ends
from workbench.plots.theme import TEMPLATE, Look, figure

_APART = 0.11  # decades between arms that edit about as many units


@literal_words
def trait_against_cost(
    tradeoff: pd.DataFrame,
    *,
    cost: str,
    trait: str = "all",
    gamma: float | None = None,
    shift: float | None = None,
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """How far each arm moves the trait against what it costs, over its doses.

    Args:
        tradeoff: columns arm, gamma, trait, and `shift` and `COST_change`, each of both with `_low` and `_high`.
        cost: the cost's name.
        gamma: the dose whose points stand out.
        shift: the shift at which arms are compared, marked: costs are read off where lines cross it.
        legend: arms' roles, and quantities' labels and units.

    Raises:
        ValueError: for missing columns, or a trait that the table lacks.
    """
    change = f"{cost}_change"
    check_columns("trait_against_cost", tradeoff, ("arm", "gamma", "trait", *with_ends(SHIFT, change)))
    rows, trait = one_trait("trait_against_cost", tradeoff, trait)
    legend, look = legend or Legend(), Look.of(template)
    moved, lost, styles = legend.shift(), legend.change(cost), legend.styles(rows["arm"])
    drawn = figure(
        alt=f"Trait shift of {counted(styles)} over their doses against {lost.title}, with intervals.",
        template=template,
        height=430,
        xaxis={"title": moved.title, "tickformat": moved.ticks, "zeroline": True},
        yaxis={"title": lost.title, "tickformat": lost.ticks, "zeroline": True},
    )
    if shift is not None:
        drawn.add_vline(
            x=shift,
            line=look.threshold,
            annotation={
                "text": f"equal shift {moved.text(shift)}",
                "font": {"size": 11},
                "yanchor": "bottom",
                "yshift": 4,
            },
            annotation_position="bottom right",
        )
    for rank, (arm, style) in reversed(list(enumerate(styles.items()))):  # the first arm on top
        colour = look.colour(style.colour)
        points = rows[rows["arm"] == arm].sort_values("gamma")
        drawn.add_scatter(
            x=points[SHIFT],
            y=points[change],
            error_x=bars(points, SHIFT, colour=colour),
            error_y=bars(points, change, colour=colour),
            mode="lines+markers",
            name=arm,
            legendrank=rank,
            line={"color": colour, "width": 1.6},
            marker={
                "color": colour,
                "symbol": style.symbol,
                "size": [13 if gamma is not None and math.isclose(each, gamma) else 7 for each in points["gamma"]],
                "opacity": 1,
                "line": {"color": colour, "width": 1.5},
            },
            customdata=points[["gamma", *with_ends(SHIFT)[1:], *with_ends(change)[1:]]],
            hovertemplate=f"{arm}, gamma %{{customdata[0]:~g}}<br>shift %{{x:{moved.form}}} "
            f"[%{{customdata[1]:{moved.form}}}, %{{customdata[2]:{moved.form}}}]<br>"
            f"{lost.label} %{{y:{lost.form}}} "
            f"[%{{customdata[3]:{lost.form}}}, %{{customdata[4]:{lost.form}}}]<extra></extra>",
        )
    return drawn


@literal_words
def cost_by_breadth(
    cost: pd.DataFrame, *, legend: Legend | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """What arms that edit few or many units cost where they move the trait alike, a panel for each cost.

    Args:
        cost: columns arm, units (edited, mean over traits and directions), site, gamma, shift, reached (the share of
            resamples that reach the shift), and a column `COST_change` for each cost, with `_low` and `_high`; missing
            where an arm never reaches the shift.
        legend: arms' roles, and quantities' labels and units.

    Arms that edit about as many units stand beside each other; the legend and hovering tell how many each edits.
    Arms that never reach the shift are named above the panels; arms that edit nothing, as prompts do, are left out.

    Raises:
        ValueError: for missing columns, a table without a cost, or if no edit reaches the shift.
    """
    check_columns("cost_by_breadth", cost, ("arm", "units", "site", "gamma", SHIFT, "reached"))
    legend = legend or Legend()
    changes = {name: wording for name, wording in legend.changes(cost).items() if name != SHIFT}
    if not changes:
        raise ValueError(
            f"cost_by_breadth needs a column NAME_change with its bounds, but the table holds {list(cost.columns)}."
        )
    reaches = cost["gamma"].notna()
    rows, never = cost[reaches & (cost["units"] > 0)], list(cost.loc[~reaches, "arm"])
    if rows.empty:
        raise ValueError(f"cost_by_breadth has no edit that reaches the shift; none of {', '.join(never)} does.")
    look, styles = Look.of(template), legend.styles(cost["arm"])
    shift = legend.shift().text(float(rows[SHIFT].iloc[0]))
    drawn = panels(
        [wording.lines(36) for wording in changes.values()],
        alt=f"Points with intervals: what {counted(rows)} cost at a trait shift of {shift}, against how many "
        "units they edit.",
        template=template,
        x_titles=["units edited (mean over traits and directions)"] * len(changes),
        y_titles=[""] * len(changes),
        across=2,
        height=280,
        gap=0.09,
        shared_y=False,
    )
    ticks, ends = _decades(rows["units"]), np.log10([rows["units"].min(), rows["units"].max()])
    pad = 0.15 + 0.1 * (ends[1] - ends[0])
    rows = rows.assign(beside=_apart(rows["units"].to_numpy(float)))
    for panel, (change, wording) in enumerate(changes.items()):
        axis(drawn, "x", panel).update(
            type="log",
            tickvals=ticks,
            ticktext=[f"{tick:,}" for tick in ticks],
            range=[ends[0] - pad, ends[1] + pad],
        )
        axis(drawn, "y", panel).tickformat = wording.ticks
        axis(drawn, "y", panel).zeroline = True
        for rank, row in enumerate(rows.to_dict("records")):
            style, point = styles[row["arm"]], pd.DataFrame([row])
            colour = look.colour(style.colour)
            drawn.add_scatter(
                x=point["beside"],
                y=point[change],
                error_y=bars(point, change, colour=colour),
                mode="markers",
                name=f"{row['arm']} ({row['units']:,.0f})",
                legendgroup=row["arm"],
                legendrank=rank,
                showlegend=panel == 0,
                marker={"color": colour, "symbol": style.symbol, "size": 9, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=point[["units", "site", "gamma", "reached", *with_ends(change)[1:]]],
                hovertemplate=f"{row['arm']}: %{{customdata[0]:,.0f}} units of %{{customdata[1]}}, gamma "
                f"%{{customdata[2]:.2f}}<br>%{{y:{wording.form}}} [%{{customdata[4]:{wording.form}}}, "
                f"%{{customdata[5]:{wording.form}}}]<br>reaches the shift in %{{customdata[3]:.0%}} of resamples"
                "<extra></extra>",
                **axes(panel),
            )
    heading = f"costs at a trait shift of {shift}; in brackets: units edited"
    if never:
        heading = "<br>".join([heading, *textwrap.wrap(f"never reached by {', '.join(never)}", 60)])
    drawn.update_layout(legend={"title": {"text": heading, "side": "top", "font": {"size": 11}}})
    give_room(drawn)
    return drawn


def _decades(units: pd.Series) -> list[int]:
    """Ticks at 1, 3, 10, ... about the units."""
    low, high = math.floor(math.log10(units.min())), math.ceil(math.log10(units.max()))
    return [digit * 10**power for power in range(low, high + 1) for digit in (1, 3)]


def _apart(units: np.ndarray) -> np.ndarray:
    """Positions on a log axis at which arms that edit about as many units do not hide each other."""
    order, positions = np.argsort(units, kind="stable"), np.log10(units)
    groups: list[list[int]] = []
    for index in order:
        if groups and positions[index] - positions[groups[-1][0]] < _APART / 2:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    for group in groups:
        positions[group] = positions[group].mean() + _APART * (np.arange(len(group)) - (len(group) - 1) / 2)
    return 10**positions
