"""Figures of how much hangs on a threshold: neurons selected, and what editing more or fewer of them does."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.panels import axes, axis, panels, rule
from workbench.plots.tables import WELLFORMED, bars, check_columns, one_trait, with_ends
from workbench.plots.theme import BLUE, TEMPLATE, Look, figure, translucent

_PANELS = {
    "shift": ("trait shift<br>(points, intended direction)", "", "+.2f"),
    "wellformed_change": ("{} change<br>(percentage points)", "~%", "+.1%"),
    "capability_change": ("change of exact match<br>(percentage points)", "~%", "+.1%"),
}


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
    for (min_d, own), shade in zip(rows.groupby("min_d"), shades, strict=False):
        own = own[own["selected"] > 0].sort_values("kept")
        drawn.add_scatter(
            x=own["kept"],
            y=own["selected"],
            mode="lines+markers",
            name=f"{min_d:g}",
            line={"color": translucent(colour, float(shade)), "width": 11 - 9 * float(shade)},
            marker={"size": 5},
            customdata=own[["quantile", "removed_by_d"]],
            hovertemplate="q = %{customdata[0]}, tau_d = "
            f"{min_d:g}<br>%{{y}} neurons; %{{customdata[1]}} removed by d<extra></extra>",
        )
    return drawn


def quantile_sweep(
    sweep: pd.DataFrame,
    *,
    trait: str = "all",
    quantile: float | None = None,
    wellformed: str = WELLFORMED,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """What editing more or fewer neurons does: shift and both costs against the share of neurons edited.

    Args:
        sweep: columns arm, quantile, units (neurons edited, mean), share (of the target layers' neurons), gamma,
            trait and, each with `_low` and `_high`, shift (points), wellformed_change and capability_change (shares,
            shown as percentage points).
        quantile: the study's own, marked.
        wellformed: what the well-formedness columns hold, for titles; a judge's ratings say.

    Raises:
        ValueError: for missing columns, or a trait or quantile that the table lacks.
    """
    needed = ("arm", "quantile", "units", "share", "gamma", "trait", *with_ends(*_PANELS))
    check_columns("quantile_sweep", sweep, needed)
    rows, trait = one_trait("quantile_sweep", sweep, trait)
    look, arms = Look.of(template), list(dict.fromkeys(rows["arm"]))
    own = rows[np.isclose(rows["quantile"], quantile)] if quantile is not None else rows.head(0)
    if quantile is not None and own.empty:
        there = ", ".join(f"{each:g}" for each in sorted(rows["quantile"].unique()))
        raise ValueError(f"quantile_sweep has no rows of quantile {quantile:g}; the table holds {there}.")
    drawn = panels(
        [title.format(wellformed) for title, *_ in _PANELS.values()],
        alt=f"Lines with intervals: trait shift, {wellformed} and capability of {' and '.join(arms)} against the "
        "share of neurons edited.",
        template=template,
        x_titles=["share of neurons edited"] * 3,
        y_titles=[""] * 3,
        across=3,
        height=240,
        gap=0.065,
        shared_y=False,
    )
    for place, (name, (_, ticks, form)) in enumerate(_PANELS.items()):
        axis(drawn, "x", place).update(_shares(rows["share"]), tickfont={"size": 10})
        axis(drawn, "y", place).tickformat = ticks
        axis(drawn, "y", place).zeroline = True
        if len(own):
            rule(drawn, place, x=float(own["share"].iloc[0]), line=look.threshold)
        for turn, arm in reversed(list(enumerate(arms))):  # the first arm on top
            colour, symbol = look.arm(arm, arms)
            line = rows[rows["arm"] == arm].sort_values("share")
            drawn.add_scatter(
                x=line["share"],
                y=line[name],
                error_y=bars(line, name, colour=colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                legendrank=turn,
                showlegend=place == 0,
                line={"color": colour, "width": 2, "dash": "solid" if arm == "DPN-LE" else "dot"},
                marker={"color": colour, "symbol": symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=line[["quantile", "units", "gamma", f"{name}_low", f"{name}_high"]],
                hovertemplate=f"{arm}, q = %{{customdata[0]:~g}}: %{{customdata[1]:,.0f}} neurons, "
                f"gamma %{{customdata[2]:~g}}<br>%{{y:{form}}} [%{{customdata[3]:{form}}}, "
                f"%{{customdata[4]:{form}}}]<extra></extra>",
                **axes(place),
            )
    if len(own):
        drawn.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=f"the study's quantile, {quantile:g}",
            legendrank=len(arms),
            line=look.threshold,
            hoverinfo="skip",
        )
    return drawn


def _shares(values: pd.Series) -> dict[str, object]:
    """A log axis whose ticks are the shares that were run, as percentages of one or two digits."""
    shares = sorted({float(f"{value:.2g}") for value in values if value > 0})
    # Ticks closer than a third of an octave would touch.
    kept = [share for place, share in enumerate(shares) if place == 0 or share / shares[place - 1] > 1.25]
    return {"type": "log", "tickvals": kept, "ticktext": [f"{100 * share:g} %" for share in kept]}
