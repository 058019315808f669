"""Figures of what edits do: doses, trait against cost, and arms side by side."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.plots.theme import MUTED, TEMPLATE, arm_style, check_columns, figure, one_trait, translucent

DOSE = "gamma (dose, multiples of the mean difference)"
SHIFT = "trait shift (points of 1–5, in the intended direction)"
_QUANTITIES = {
    "trait_score": ("trait score of held-out answers (1–5)", ".1f"),
    "wellformed": ("well-formed sentences (share)", ".0%"),
    "coverage": ("answers with a score (share)", ".0%"),
    "capability": ("exact match on held-out items (share)", ".0%"),
}
_COSTS = {
    "capability": "exact match on held-out items",
    "capability_change": "change of exact match (percentage points)",
    "wellformed": "well-formed sentences",
    "wellformed_change": "change of well-formed sentences (percentage points)",
}
_DASHES = {"increase": "solid", "decrease": "dash"}


def dose_curves(dose: pd.DataFrame, *, quantity: str = "trait_score", trait: str = "all") -> go.Figure:
    """An outcome against gamma, a line for each arm and direction, with 95 % intervals.

    Args:
        dose: columns arm, gamma, direction, trait, quantity, estimate, low, high; gamma 0 is unedited.
        quantity: `trait_score`, `wellformed`, `coverage` or `capability`.

    Raises:
        ValueError: for missing columns, or a quantity or trait that the table lacks.
    """
    needed = ("arm", "gamma", "direction", "trait", "quantity", "estimate", "low", "high")
    check_columns("dose_curves", dose, needed)
    if quantity not in _QUANTITIES:
        raise ValueError(f"dose_curves draws {', '.join(_QUANTITIES)}, but {quantity!r} arrived.")
    rows, trait = one_trait("dose_curves", dose[dose["quantity"] == quantity], trait)
    title, form = _QUANTITIES[quantity]
    arms = list(dict.fromkeys(rows["arm"]))
    drawn = figure(
        alt=f"Lines of {title} against the dose for {len(arms)} arms, increasing and decreasing, with intervals.",
        height=430,
        xaxis={"title": DOSE, "rangemode": "tozero"},
        yaxis={"title": title, "tickformat": form},
        legend={"traceorder": "normal"},
    )
    for arm in arms:
        colour, symbol = arm_style(arm, arms)
        for direction, own in rows[rows["arm"] == arm].groupby("direction", sort=False):
            own = own.sort_values("gamma")
            drawn.add_scatter(
                x=own["gamma"],
                y=own["estimate"],
                error_y=_bars(own, "estimate", "low", "high", colour),
                mode="lines+markers",
                name=arm,
                legendgroup=arm,
                showlegend=direction == "increase",
                line={"color": colour, "dash": _DASHES.get(str(direction), "dot"), "width": 2},
                marker={"color": colour, "symbol": symbol, "size": 7, "line": {"color": colour, "width": 1.5}},
                customdata=own[["low", "high"]],
                hovertemplate=f"{arm}, {direction}<br>gamma %{{x:g}}: %{{y:{form[:-1]}{form[-1]}}} "
                "[%{customdata[0]:.2f}, %{customdata[1]:.2f}]<extra></extra>",
            )
    drawn.add_annotation(
        text="solid: increase · dashed: decrease",
        xref="paper",
        yref="paper",
        x=1,
        y=0,
        yanchor="bottom",
        showarrow=False,
        font={"size": 11, "color": MUTED},
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
    drawn = figure(
        alt=f"Trait shift of {len(arms)} arms over their doses against {_COSTS[cost]}, with intervals.",
        height=430,
        xaxis={"title": SHIFT},
        yaxis={"title": _COSTS[cost], "tickformat": "+.0%" if cost.endswith("change") else ".0%"},
    )
    for arm in arms:
        colour, symbol = arm_style(arm, arms)
        own = rows[rows["arm"] == arm].sort_values("gamma")
        drawn.add_scatter(
            x=own["shift"],
            y=own[cost],
            error_x=_bars(own, "shift", "shift_low", "shift_high", colour),
            error_y=_bars(own, cost, f"{cost}_low", f"{cost}_high", colour),
            mode="lines+markers",
            name=arm,
            line={"color": colour, "width": 1.6},
            marker={
                "color": colour,
                "symbol": symbol,
                "size": [13 if each == gamma else 7 for each in own["gamma"]],
                "line": {"color": colour, "width": 1.5},
            },
            customdata=own[["gamma"]],
            hovertemplate=f"{arm}, gamma %{{customdata[0]:g}}<br>shift %{{x:+.2f}}, %{{y:+.1%}}<extra></extra>",
        )
    if cost.endswith("change"):
        drawn.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn


def arms_compared(equal_dose: pd.DataFrame) -> go.Figure:
    """Arms at one dose: shift and both costs with their intervals, a row for each arm.

    Args:
        equal_dose: columns arm and, each with `_low` and `_high`, shift (points), wellformed_change and
            capability_change (shares).
    """
    panels = {
        "shift": ("trait shift (points)", "+.1f"),
        "wellformed_change": ("well-formed (change)", "+.0%"),
        "capability_change": ("capability (change)", "+.0%"),
    }
    needed = ["arm", *(f"{name}{end}" for name in panels for end in ("", "_low", "_high"))]
    check_columns("arms_compared", equal_dose, needed)
    arms = list(equal_dose["arm"])[::-1]
    rows = equal_dose.iloc[::-1]
    drawn = make_subplots(cols=3, rows=1, shared_yaxes=True, horizontal_spacing=0.06)
    for column, (name, (title, form)) in enumerate(panels.items(), start=1):
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
                marker={"color": colour, "symbol": symbol, "size": 9, "line": {"color": colour, "width": 1.5}},
                hovertemplate=f"{row['arm']}: %{{x:{form[:-1].replace('.0', '.1')}{form[-1]}}}<extra></extra>",
                row=1,
                col=column,
            )
        drawn.update_xaxes(title_text=title, tickformat=form, nticks=4, row=1, col=column)
        drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"}, row=1, col=column)  # pyright: ignore[reportArgumentType]
    drawn.update_layout(
        template=TEMPLATE,
        height=120 + 34 * len(arms),
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
