"""Figures of how much hangs on a threshold: neurons selected, and what editing more or fewer of them does."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.legend import SHIFT, Legend
from workbench.plots.panels import axes, axis, panels, rule
from workbench.plots.tables import bars, check_columns, one_trait, with_ends
from workbench.plots.theme import BLUE, TEMPLATE, Look, figure, translucent


@literal_words
def threshold_sweep(
    sensitivity: pd.DataFrame, *, trait: str | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Neurons that the dual rule selects against the quantile, a line for each tau_d.

    Args:
        sensitivity: columns quantile, min_d, selected, removed_by_d; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("threshold_sweep", sensitivity, ("quantile", "min_d", "selected", "removed_by_d"))
    rows, trait = one_trait("threshold_sweep", sensitivity, trait)
    rows = rows.assign(kept=1 - rows["quantile"])
    colour = Look.of(template).colour(BLUE)
    drawn = figure(
        alt=f"Lines: neurons selected for {trait or 'the trait'} against the share kept by magnitude, for each tau_d.",
        template=template,
        height=360,
        xaxis={"title": "share kept by magnitude (1 − q)", **_shares(rows["kept"])},
        yaxis={"title": "neurons selected", "type": "log", "dtick": 1},
        legend={"title": {"text": "tau_d"}},
    )
    # Lines that lie on each other stay visible: the lower tau_d is paler and wider.
    shades = np.linspace(0.2, 1.0, max(2, rows["min_d"].nunique()))
    for (min_d, points), shade in zip(rows.groupby("min_d"), shades, strict=False):
        points = points[points["selected"] > 0].sort_values("kept")
        drawn.add_scatter(
            x=points["kept"],
            y=points["selected"],
            mode="lines+markers",
            name=f"{min_d:g}",
            line={"color": translucent(colour, float(shade)), "width": 11 - 9 * float(shade)},
            marker={"size": 5},
            customdata=points[["quantile", "removed_by_d"]],
            hovertemplate="q = %{customdata[0]}, tau_d = "
            f"{min_d:g}<br>%{{y}} neurons; %{{customdata[1]}} removed by d<extra></extra>",
        )
    return drawn


@literal_words
def quantile_sweep(
    sweep: pd.DataFrame,
    *,
    trait: str = "all",
    quantile: float | None = None,
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """What editing more or fewer neurons does: the shift and every cost against the share of neurons edited.

    Args:
        sweep: columns arm, quantile, units (neurons edited, mean), share (of the target layers' neurons), gamma,
            trait and, each with `_low` and `_high`, `shift` (the target's), `NAME_shift` (of other quantities of the
            trait) and `NAME_change` (of costs): a panel for each that it holds.
        quantile: the study's own, marked.
        legend: arms' roles, and quantities' labels and units.

    Raises:
        ValueError: for missing columns, or a trait or quantile that the table lacks.
    """
    needed = ("arm", "quantile", "units", "share", "gamma", "trait", *with_ends(SHIFT))
    check_columns("quantile_sweep", sweep, needed)
    rows, trait = one_trait("quantile_sweep", sweep, trait)
    legend, look = legend or Legend(), Look.of(template)
    styles, changes = legend.styles(rows["arm"]), legend.changes(sweep)
    marked = rows[np.isclose(rows["quantile"], quantile)] if quantile is not None else rows.head(0)
    if quantile is not None and marked.empty:
        held = ", ".join(f"{each:g}" for each in sorted(rows["quantile"].unique()))
        raise ValueError(f"quantile_sweep has no rows of quantile {quantile:g}; the table holds {held}.")
    labels = ", ".join(wording.label for wording in changes.values())
    drawn = panels(
        [wording.lines(30) for wording in changes.values()],
        alt=f"Lines with intervals: {labels} of {' and '.join(styles)} against the share of neurons edited.",
        template=template,
        x_titles=["share of neurons edited"] * len(changes),
        y_titles=[""] * len(changes),
        across=3,
        height=240,
        gap=0.065,
        shared_y=False,
    )
    for panel, (change, wording) in enumerate(changes.items()):
        axis(drawn, "x", panel).update(_shares(rows["share"]), tickfont={"size": 10})
        axis(drawn, "y", panel).tickformat = wording.ticks
        axis(drawn, "y", panel).zeroline = True
        if len(marked):
            rule(drawn, panel, x=float(marked["share"].iloc[0]), line=look.threshold)
        for rank, (arm, style) in reversed(list(enumerate(styles.items()))):  # the first arm on top
            colour = look.colour(style.colour)
            points = rows[rows["arm"] == arm].sort_values("share")
            drawn.add_scatter(
                x=points["share"],
                y=points[change],
                error_y=bars(points, change, colour=colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                legendrank=rank,
                showlegend=panel == 0,
                line={"color": colour, "width": 2, "dash": "solid" if legend.role(arm) == "method" else "dot"},
                marker={"color": colour, "symbol": style.symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=points[["quantile", "units", "gamma", f"{change}_low", f"{change}_high"]],
                hovertemplate=f"{arm}, q = %{{customdata[0]:~g}}: %{{customdata[1]:,.0f}} neurons, "
                f"gamma %{{customdata[2]:~g}}<br>%{{y:{wording.form}}} [%{{customdata[3]:{wording.form}}}, "
                f"%{{customdata[4]:{wording.form}}}]<extra></extra>",
                **axes(panel),
            )
    if len(marked):
        drawn.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=f"the study's quantile, {quantile:g}",
            legendrank=len(styles),
            line=look.threshold,
            hoverinfo="skip",
        )
    return drawn


def _shares(values: pd.Series) -> dict[str, object]:
    """A log axis whose ticks are the shares that were run, as percentages of one or two digits."""
    shares = sorted({float(f"{value:.2g}") for value in values if value > 0})
    # Ticks closer than a third of an octave would touch.
    kept = [share for rank, share in enumerate(shares) if rank == 0 or share / shares[rank - 1] > 1.25]
    return {"type": "log", "tickvals": kept, "ticktext": [f"{100 * share:g} %" for share in kept]}
