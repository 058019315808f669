"""Figures of what a shift of the trait costs: over doses, and with few or many neurons edited."""

import math
import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.panels import axes, axis, give_room, panels
from workbench.plots.tables import WELLFORMED, bars, check_columns, counted, one_trait, with_ends
from workbench.plots.theme import TEMPLATE, Look, figure

SHIFT = "trait shift (points in the intended direction)"
_PERCENT = "~%"
_APART = 0.11  # decades between arms that edit about as many units
_COSTS = {
    "capability": "exact match on held-out items (share)",
    "capability_change": "change of exact match (percentage points)",
    "wellformed": "{} (share)",
    "wellformed_change": "{} change (percentage points)",
}


def trait_against_capability(
    tradeoff: pd.DataFrame,
    *,
    trait: str = "all",
    cost: str = "capability_change",
    gamma: float | None = None,
    shift: float | None = None,
    wellformed: str = WELLFORMED,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """How far each arm moves the trait against what it costs, over its doses.

    Args:
        tradeoff: columns arm, gamma, trait, shift and the cost, each of both with `_low` and `_high`.
        cost: `capability`, `capability_change`, `wellformed` or `wellformed_change` (shares).
        gamma: the dose whose points stand out.
        shift: the shift (points) at which arms are compared, marked: costs are read off where lines cross it.
        wellformed: what the well-formedness columns hold, for titles; a judge's ratings say.

    Raises:
        ValueError: for missing columns, an unknown cost, or a trait that the table lacks.
    """
    if cost not in _COSTS:
        raise ValueError(f"trait_against_capability draws {', '.join(_COSTS)}, but {cost!r} arrived.")
    check_columns("trait_against_capability", tradeoff, ("arm", "gamma", "trait", *with_ends("shift", cost)))
    rows, trait = one_trait("trait_against_capability", tradeoff, trait)
    look, arms, title = Look.of(template), list(dict.fromkeys(rows["arm"])), _COSTS[cost].format(wellformed)
    form = "+.1%" if cost.endswith("change") else ".1%"
    drawn = figure(
        alt=f"Trait shift of {counted(arms)} over their doses against {title}, with intervals.",
        template=template,
        height=430,
        xaxis={"title": SHIFT, "zeroline": True},
        yaxis={"title": title, "tickformat": _PERCENT, "zeroline": cost.endswith("change")},
    )
    if shift is not None:
        drawn.add_vline(
            x=shift,
            line=look.threshold,
            annotation={"text": f"equal shift {shift:+.2f}", "font": {"size": 11}, "yanchor": "bottom", "yshift": 4},
            annotation_position="bottom right",
        )
    for place, arm in reversed(list(enumerate(arms))):  # the first arm on top
        colour, symbol = look.arm(arm, arms)
        own = rows[rows["arm"] == arm].sort_values("gamma")
        drawn.add_scatter(
            x=own["shift"],
            y=own[cost],
            error_x=bars(own, "shift", colour=colour),
            error_y=bars(own, cost, colour=colour),
            mode="lines+markers",
            name=arm,
            legendrank=place,
            line={"color": colour, "width": 1.6},
            marker={
                "color": colour,
                "symbol": symbol,
                "size": [13 if gamma is not None and math.isclose(each, gamma) else 7 for each in own["gamma"]],
                "opacity": 1,
                "line": {"color": colour, "width": 1.5},
            },
            customdata=own[["gamma", *with_ends("shift")[1:], *with_ends(cost)[1:]]],
            hovertemplate=f"{arm}, gamma %{{customdata[0]:~g}}<br>shift %{{x:+.2f}} "
            "[%{customdata[1]:+.2f}, %{customdata[2]:+.2f}]<br>"
            f"{title.partition(' (')[0]} %{{y:{form}}} "
            f"[%{{customdata[3]:{form}}}, %{{customdata[4]:{form}}}]<extra></extra>",
        )
    return drawn


def cost_by_breadth(
    cost: pd.DataFrame, *, wellformed: str = WELLFORMED, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """What arms that edit few or many neurons cost where they move the trait alike.

    Args:
        cost: columns arm, units (edited, mean over traits and directions), site, gamma, shift (points), reached (the
            share of resamples that reach the shift) and, each with `_low` and `_high`, wellformed_change and
            capability_change (shares, shown as percentage points; missing where an arm never reaches the shift).
        wellformed: what the well-formedness columns hold, for titles; a judge's ratings say.

    Arms that edit about as many units stand beside each other; the legend and hovering tell how many each edits.
    Arms that never reach the shift are named above the panels.

    Raises:
        ValueError: for missing columns, or if no arm reaches the shift.
    """
    titles = {name: title.format(wellformed).partition(" (")[0] for name, title in _COSTS.items() if "_" in name}
    changes = {name: f"{title}<br>(percentage points)" for name, title in titles.items()}
    needed = ("arm", "units", "site", "gamma", "shift", "reached", *with_ends(*reversed(changes)))
    check_columns("cost_by_breadth", cost, needed)
    there = cost["wellformed_change"].notna() & cost["capability_change"].notna()
    rows, never = cost[there], list(cost.loc[~there, "arm"])
    if rows.empty:
        raise ValueError(f"cost_by_breadth has no arm that reaches the shift; none of {', '.join(never)} does.")
    look, arms, shift = Look.of(template), list(dict.fromkeys(cost["arm"])), float(rows["shift"].iloc[0])
    names = list(reversed(changes))
    drawn = panels(
        [changes[name] for name in names],
        alt=f"Points with intervals: what {counted(rows)} cost at a trait shift of {shift:+.2f}, against how many "
        "neurons they edit.",
        template=template,
        x_titles=["units edited (mean over traits and directions)"] * 2,
        y_titles=[""] * 2,
        across=2,
        height=280,
        gap=0.09,
        shared_y=False,
    )
    ticks, ends = _decades(rows["units"]), np.log10([rows["units"].min(), rows["units"].max()])
    pad = 0.15 + 0.1 * (ends[1] - ends[0])
    rows = rows.assign(beside=_apart(rows["units"].to_numpy(float)))
    for place, name in enumerate(names):
        axis(drawn, "x", place).update(
            type="log",
            tickvals=ticks,
            ticktext=[f"{tick:,}" for tick in ticks],
            range=[ends[0] - pad, ends[1] + pad],
        )
        axis(drawn, "y", place).tickformat = _PERCENT
        axis(drawn, "y", place).zeroline = True
        for turn, row in enumerate(rows.to_dict("records")):
            colour, symbol = look.arm(row["arm"], arms)
            one = pd.DataFrame([row])
            drawn.add_scatter(
                x=one["beside"],
                y=one[name],
                error_y=bars(one, name, colour=colour),
                mode="markers",
                name=f"{row['arm']} ({row['units']:,.0f})",
                legendgroup=row["arm"],
                legendrank=turn,
                showlegend=place == 0,
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=one[["units", "site", "gamma", "reached", *with_ends(name)[1:]]],
                hovertemplate=f"{row['arm']}: %{{customdata[0]:,.0f}} units of %{{customdata[1]}}, "
                "gamma %{customdata[2]:.2f}<br>%{y:+.1%} [%{customdata[4]:+.1%}, %{customdata[5]:+.1%}]<br>"
                "reaches the shift in %{customdata[3]:.0%} of resamples<extra></extra>",
                **axes(place),
            )
    said = f"costs at a trait shift of {shift:+.2f}; in brackets: units edited"
    if never:
        said = "<br>".join([said, *textwrap.wrap(f"never reached by {', '.join(never)}", 60)])
    drawn.update_layout(legend={"title": {"text": said, "side": "top", "font": {"size": 11}}})
    give_room(drawn)
    return drawn


def _decades(units: pd.Series) -> list[int]:
    """Ticks at 1, 3, 10, ... about the units."""
    low, high = math.floor(math.log10(units.min())), math.ceil(math.log10(units.max()))
    return [part * 10**power for power in range(low, high + 1) for part in (1, 3)]


def _apart(units: np.ndarray) -> np.ndarray:
    """Places on a log axis at which arms that edit about as many units do not hide each other."""
    order, places = np.argsort(units, kind="stable"), np.log10(units)
    groups: list[list[int]] = []
    for place in order:
        if groups and places[place] - places[groups[-1][0]] < _APART / 2:
            groups[-1].append(int(place))
        else:
            groups.append([int(place)])
    for group in groups:
        places[group] = places[group].mean() + _APART * (np.arange(len(group)) - (len(group) - 1) / 2)
    return 10**places
