"""Figures over doses: what each arm does to the trait, to its costs, and to the fluency of answers."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.panels import axes, axis, panels
from workbench.plots.tables import bars, check_columns, counted, one_trait
from workbench.plots.theme import TEMPLATE, Look, figure

DOSE = "gamma (dose, multiples of the mean difference)"
_PERCENT = "~%"  # as many decimals as the ticks need
_QUANTITIES = {
    "trait_score": ("trait score of held-out answers (1–5)", ".1f", ".2f"),
    "wellformed": ("well-formed sentences (share)", _PERCENT, ".1%"),
    "coverage": ("answers with a score (share)", _PERCENT, ".1%"),
    "capability": ("exact match on held-out items (share)", _PERCENT, ".1%"),
}
_FLUENCY = {
    "log_perplexity_change": ("change of log perplexity<br>(natural log)", "", "+.2f"),
    "repetition_change": ("change of repetition<br>(percentage points)", _PERCENT, "+.1%"),
    "length_change": ("change of length<br>(tokens)", "", "+.1f"),
}
_DASHES = {"increase": "solid", "decrease": "dash"}


def dose_curves(
    dose: pd.DataFrame,
    *,
    quantity: str = "trait_score",
    trait: str = "all",
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """An outcome against gamma, a line for each arm and direction, with 95 % intervals.

    Args:
        dose: columns arm, gamma, direction (`increase` or `decrease`), trait, quantity, estimate, low, high, and `n`
            if hovering shall tell it; gamma 0 is unedited.
        quantity: `trait_score`, `wellformed`, `coverage` or `capability`.

    Raises:
        ValueError: for missing columns, or a quantity or trait that the table lacks.
    """
    needed = ("arm", "gamma", "direction", "trait", "quantity", "estimate", "low", "high")
    check_columns("dose_curves", dose, needed)
    if quantity not in _QUANTITIES:
        raise ValueError(f"dose_curves draws {', '.join(_QUANTITIES)}, but {quantity!r} arrived.")
    rows = dose[dose["quantity"] == quantity]
    if rows.empty:
        there = ", ".join(dict.fromkeys(dose["quantity"]))
        raise ValueError(f"dose_curves has no rows of quantity {quantity!r}; the table holds {there}.")
    rows, trait = one_trait("dose_curves", rows, trait)
    title, ticks, form = _QUANTITIES[quantity]
    look, arms = Look.of(template), list(dict.fromkeys(rows["arm"]))
    drawn = figure(
        alt=f"Lines of {title} against the dose for {counted(arms)}, increasing and decreasing, with intervals.",
        template=template,
        height=430,
        xaxis={"title": DOSE, "rangemode": "tozero"},
        yaxis={"title": title, "tickformat": ticks},
        legend={"title": {"text": "solid: increase, dashed: decrease", "side": "top", "font": {"size": 11}}},
    )
    for place, arm in reversed(list(enumerate(arms))):  # the first arm on top
        colour, symbol = look.arm(arm, arms)
        by_direction = rows[rows["arm"] == arm].groupby("direction", sort=False)
        for turn, (direction, own) in enumerate(by_direction):
            own = own.sort_values("gamma")
            told = own[["low", "high", "n"]] if "n" in own else own[["low", "high"]]
            drawn.add_scatter(
                x=own["gamma"],
                y=own["estimate"],
                error_y=bars(own, "estimate", "low", "high", colour=colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                legendrank=place,
                showlegend=turn == 0,
                line={"color": colour, "dash": _DASHES.get(str(direction), "dot"), "width": 2},
                marker={"color": colour, "symbol": symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=told,
                hovertemplate=f"{arm}, {direction}<br>gamma %{{x:~g}}: %{{y:{form}}} "
                f"[%{{customdata[0]:{form}}}, %{{customdata[1]:{form}}}]"
                f"{'<br>n = %{customdata[2]:d}' if 'n' in own else ''}<extra></extra>",
            )
    return drawn


def fluency_by_dose(fluency: pd.DataFrame, *, template: go.layout.Template = TEMPLATE) -> go.Figure:
    """Change of perplexity, repetition and length of answers against gamma, a line for each arm, with 95 % intervals.

    Args:
        fluency: columns arm, gamma, quantity (`log_perplexity_change`, `repetition_change`, `length_change`: edited
            minus unedited), estimate, low, high, n. A panel for each quantity that it holds.

    An arm of a single dose, as a prompt is, stands alone as a point.

    Raises:
        ValueError: for missing columns, or if no known quantity is there.
    """
    check_columns("fluency_by_dose", fluency, ("arm", "gamma", "quantity", "estimate", "low", "high", "n"))
    there = [name for name in _FLUENCY if name in set(fluency["quantity"])]
    if not there:
        held = ", ".join(dict.fromkeys(fluency["quantity"]))
        raise ValueError(f"fluency_by_dose draws {', '.join(_FLUENCY)}, but the table holds {held}.")
    look, arms = Look.of(template), list(dict.fromkeys(fluency["arm"]))
    drawn = panels(
        [_FLUENCY[name][0] for name in there],
        alt=f"Lines with intervals: change of perplexity, repetition and length of answers of {counted(arms)} against "
        "the dose.",
        template=template,
        x_titles=["gamma (dose)"] * len(there),
        y_titles=[""] * len(there),
        across=3,
        height=250,
        gap=0.075,
        shared_y=False,
    )
    for place, name in enumerate(there):
        _, ticks, form = _FLUENCY[name]
        axis(drawn, "x", place).rangemode = "tozero"
        axis(drawn, "y", place).tickformat = ticks
        axis(drawn, "y", place).zeroline = True
        for turn, arm in reversed(list(enumerate(arms))):  # the first arm on top
            colour, symbol = look.arm(arm, arms)
            own = fluency[(fluency["arm"] == arm) & (fluency["quantity"] == name)].sort_values("gamma")
            drawn.add_scatter(
                x=own["gamma"],
                y=own["estimate"],
                error_y=bars(own, "estimate", "low", "high", colour=colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                legendrank=turn,
                showlegend=place == 0,
                line={"color": colour, "width": 2},
                marker={"color": colour, "symbol": symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                cliponaxis=False,
                customdata=own[["low", "high", "n"]],
                hovertemplate=f"{arm}, gamma %{{x:~g}}<br>%{{y:{form}}} [%{{customdata[0]:{form}}}, "
                f"%{{customdata[1]:{form}}}]<br>n = %{{customdata[2]:d}}<extra></extra>",
                **axes(place),
            )
    return drawn
