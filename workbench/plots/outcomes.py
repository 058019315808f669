"""Figures of what edits do: doses, trait against cost, and arms side by side."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.plots.theme import MUTED, TEMPLATE, arm_style, check_columns, figure, one_trait, translucent

DOSE = "gamma (dose, multiples of the mean difference)"
SHIFT = "trait shift (points in the intended direction)"
_PERCENT = "~%"  # as many decimals as the ticks need
_QUANTITIES = {
    "trait_score": ("trait score of held-out answers (1–5)", ".1f", ".2f"),
    "wellformed": ("well-formed sentences (share)", _PERCENT, ".1%"),
    "coverage": ("answers with a score (share)", _PERCENT, ".1%"),
    "capability": ("exact match on held-out items (share)", _PERCENT, ".1%"),
}
_COSTS = {
    "capability": "exact match on held-out items (share)",
    "capability_change": "change of exact match (percentage points)",
    "wellformed": "well-formed sentences (share)",
    "wellformed_change": "well-formedness change (percentage points)",
}
_DASHES = {"increase": "solid", "decrease": "dash"}


def dose_curves(dose: pd.DataFrame, *, quantity: str = "trait_score", trait: str = "all") -> go.Figure:
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
    rows, trait = one_trait("dose_curves", dose[dose["quantity"] == quantity], trait)
    title, ticks, form = _QUANTITIES[quantity]
    arms = list(dict.fromkeys(rows["arm"]))
    drawn = figure(
        alt=f"Lines of {title} against the dose for {len(arms)} arms, increasing and decreasing, with intervals.",
        height=430,
        xaxis={"title": DOSE, "rangemode": "tozero"},
        yaxis={"title": title, "tickformat": ticks},
        legend={"title": {"text": "solid: increase, dashed: decrease", "side": "top", "font": {"size": 11}}},
    )
    for place, arm in reversed(list(enumerate(arms))):  # the first arm on top
        colour, symbol = arm_style(arm, arms)
        by_direction = rows[rows["arm"] == arm].groupby("direction", sort=False)
        for turn, (direction, own) in enumerate(by_direction):
            own = own.sort_values("gamma")
            told = own[["low", "high", "n"]] if "n" in own else own[["low", "high"]]
            drawn.add_scatter(
                x=own["gamma"],
                y=own["estimate"],
                error_y=_bars(own, "estimate", "low", "high", colour),
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


def trait_against_capability(
    tradeoff: pd.DataFrame, *, trait: str = "all", cost: str = "capability_change", gamma: float | None = None
) -> go.Figure:
    """How far each arm moves the trait against what it costs, over its doses.

    Args:
        tradeoff: columns arm, gamma, trait, shift and the cost, each of both with `_low` and `_high`.
        cost: `capability`, `capability_change`, `wellformed` or `wellformed_change` (shares).
        gamma: the dose whose points stand out.

    Raises:
        ValueError: for missing columns, an unknown cost, or a trait that the table lacks.
    """
    if cost not in _COSTS:
        raise ValueError(f"trait_against_capability draws {', '.join(_COSTS)}, but {cost!r} arrived.")
    values = [f"{name}{end}" for name in ("shift", cost) for end in ("", "_low", "_high")]
    check_columns("trait_against_capability", tradeoff, ("arm", "gamma", "trait", *values))
    rows, trait = one_trait("trait_against_capability", tradeoff, trait)
    arms = list(dict.fromkeys(rows["arm"]))
    form = "+.1%" if cost.endswith("change") else ".1%"
    drawn = figure(
        alt=f"Trait shift of {len(arms)} arms over their doses against {_COSTS[cost]}, with intervals.",
        height=430,
        xaxis={"title": SHIFT},
        yaxis={"title": _COSTS[cost], "tickformat": _PERCENT},
    )
    for place, arm in reversed(list(enumerate(arms))):  # the first arm on top
        colour, symbol = arm_style(arm, arms)
        own = rows[rows["arm"] == arm].sort_values("gamma")
        drawn.add_scatter(
            x=own["shift"],
            y=own[cost],
            error_x=_bars(own, "shift", "shift_low", "shift_high", colour),
            error_y=_bars(own, cost, f"{cost}_low", f"{cost}_high", colour),
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
            customdata=own[["gamma", "shift_low", "shift_high", f"{cost}_low", f"{cost}_high"]],
            hovertemplate=f"{arm}, gamma %{{customdata[0]:~g}}<br>shift %{{x:+.2f}} "
            "[%{customdata[1]:+.2f}, %{customdata[2]:+.2f}]<br>"
            f"{_COSTS[cost].partition(' (')[0]} %{{y:{form}}} "
            f"[%{{customdata[3]:{form}}}, %{{customdata[4]:{form}}}]<extra></extra>",
        )
    if cost.endswith("change"):
        drawn.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn


def arms_compared(equal_dose: pd.DataFrame) -> go.Figure:
    """Arms at one dose: shift and both costs with their intervals, a row for each arm.

    Args:
        equal_dose: columns arm and, each with `_low` and `_high`, shift (points), wellformed_change and
            capability_change (shares, shown as percentage points).

    Raises:
        ValueError: for missing columns.
    """
    panels = {
        "shift": ("trait shift<br>(points)", "", "+.2f"),
        "wellformed_change": ("well-formed<br>change (%)", _PERCENT, "+.1%"),
        "capability_change": ("capability<br>change (%)", _PERCENT, "+.1%"),
    }
    needed = ["arm", *(f"{name}{end}" for name in panels for end in ("", "_low", "_high"))]
    check_columns("arms_compared", equal_dose, needed)
    arms = list(equal_dose["arm"])[::-1]
    rows = equal_dose.iloc[::-1]
    drawn = make_subplots(cols=3, rows=1, shared_yaxes=True, horizontal_spacing=0.06)
    for column, (name, (title, ticks, form)) in enumerate(panels.items(), start=1):
        for row in rows.to_dict("records"):
            colour, symbol = arm_style(row["arm"], arms)
            one = pd.DataFrame([row])
            drawn.add_scatter(
                x=one[name],
                y=one["arm"],
                error_x=_bars(one, name, f"{name}_low", f"{name}_high", colour),
                mode="markers",
                name=row["arm"],
                showlegend=False,
                marker={"color": colour, "symbol": symbol, "size": 8, "line": {"color": colour, "width": 1.5}},
                customdata=one[[f"{name}_low", f"{name}_high"]],
                hovertemplate=f"{row['arm']}: %{{x:{form}}} "
                f"[%{{customdata[0]:{form}}}, %{{customdata[1]:{form}}}]<extra></extra>",
                row=1,
                col=column,
            )
        drawn.update_xaxes(title_text=title, tickformat=ticks, nticks=3, tickangle=0, row=1, col=column)
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    drawn.update_layout(
        template=TEMPLATE,
        height=136 + 34 * len(arms),
        meta={"alt": f"Trait shift and changes of well-formedness and capability of {len(arms)} arms at one dose."},
    )
    drawn.update_yaxes(showgrid=True)
    return drawn


def _bars(rows: pd.DataFrame, estimate: str, low: str, high: str, colour: str) -> dict[str, Any]:
    """Error bars from an estimate's bounds."""
    return {
        "type": "data",
        "symmetric": False,
        "array": rows[high] - rows[estimate],
        "arrayminus": rows[estimate] - rows[low],
        "color": translucent(colour, 0.55),
        "thickness": 1.2,
        "width": 2,
    }
