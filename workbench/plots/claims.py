"""Figures of what an edit does that its rivals and controls do not: against controls, and trait by trait."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from workbench.plots.theme import DIVERGING, MUTED, TEMPLATE, VERMILLION, check_columns, figure, one_trait

_WAYS = {"increase": "increased", "decrease": "decreased"}


def shift_beyond_controls(against: pd.DataFrame, *, trait: str = "all") -> go.Figure:
    """How much further the edit moves a trait than each control, with intervals.

    Args:
        against: columns control, trait, difference (points), low, high, p_holm.

    Raises:
        ValueError: for missing columns, or a trait that the table lacks.
    """
    check_columns("shift_beyond_controls", against, ("control", "trait", "difference", "low", "high", "p_holm"))
    rows, trait = one_trait("shift_beyond_controls", against, trait)
    drawn = figure(
        alt=f"Points with intervals: how much further the edit moves the trait than each of {len(rows)} controls.",
        height=130 + 32 * len(rows),
        xaxis={"title": "shift beyond the control's (points in the intended direction)"},
        yaxis={"autorange": "reversed", "title": "control"},
        showlegend=False,
    )
    drawn.add_scatter(
        x=rows["difference"],
        y=rows["control"],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": rows["high"] - rows["difference"],
            "arrayminus": rows["difference"] - rows["low"],
            "color": VERMILLION,
            "thickness": 1.4,
            "width": 3,
        },
        mode="markers",
        marker={"color": VERMILLION, "size": 9},
        customdata=rows[["low", "high", "p_holm"]],
        hovertemplate="%{y}: %{x:+.2f} [%{customdata[0]:+.2f}, %{customdata[1]:+.2f}]<br>p %{customdata[2]:.2g}"
        "<extra></extra>",
    )
    drawn.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return drawn


def specificity_heatmap(specificity: pd.DataFrame, *, arm: str = "DPN-LE") -> go.Figure:
    """The trait that is edited against the trait that is measured, a panel for each direction.

    Args:
        specificity: columns arm, edited, measured, direction, shift (points; positive where the measured
            trait moves the way the edited one is meant to), low, high, p_holm.

    A star marks a shift that differs from 0 at 5 % (Holm over all cells).

    Raises:
        ValueError: for missing columns, or an arm that the table lacks.
    """
    needed = ("arm", "edited", "measured", "direction", "shift", "low", "high", "p_holm")
    check_columns("specificity_heatmap", specificity, needed)
    rows = specificity[specificity["arm"] == arm]
    if rows.empty:
        there = ", ".join(dict.fromkeys(specificity["arm"]))
        raise ValueError(f"specificity_heatmap has no rows of arm {arm!r}; the table holds {there}.")
    directions = [way for way in _WAYS if way in set(rows["direction"])]
    traits = list(dict.fromkeys(rows["edited"]))
    bound = float(np.nanmax(rows["shift"].abs())) or 1.0
    drawn = make_subplots(
        cols=len(directions),
        rows=1,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[f"trait {_WAYS[way]}" for way in directions],
    )
    for column, way in enumerate(directions, start=1):
        own = rows[rows["direction"] == way]

        def grid(name: str, own: pd.DataFrame = own) -> pd.DataFrame:
            return own.pivot_table(index="edited", columns="measured", values=name).reindex(
                index=traits, columns=traits
            )

        shift = grid("shift").to_numpy(float)
        surely = grid("p_holm").to_numpy(float) < 0.05
        told = [
            [f"{v:+.2f}{'*' if sure else ''}" if np.isfinite(v) else "" for v, sure in zip(*row, strict=True)]
            for row in zip(shift, surely, strict=True)
        ]
        drawn.add_heatmap(
            x=traits,
            y=traits,
            z=shift,
            text=told,
            texttemplate="%{text}",
            textfont={"size": 10},
            customdata=np.stack([grid("low").to_numpy(), grid("high").to_numpy(), grid("p_holm").to_numpy()], axis=-1),
            hovertemplate="%{y} edited, %{x} measured<br>%{z:+.2f} [%{customdata[0]:+.2f}, %{customdata[1]:+.2f}], "
            "p %{customdata[2]:.2g} (Holm)<extra></extra>",
            colorscale=DIVERGING,
            zmin=-bound,
            zmax=bound,
            xgap=1,
            ygap=1,
            showscale=column == len(directions),
            colorbar={"title": {"text": "shift<br>(points)"}, "thickness": 12},
            row=1,
            col=column,
        )
        drawn.update_xaxes(title_text="trait measured", tickangle=40, showgrid=False, row=1, col=column)
    drawn.update_yaxes(autorange="reversed", showgrid=False)
    drawn.update_yaxes(title_text="trait edited", row=1, col=1)
    drawn.update_layout(
        template=TEMPLATE,
        height=230 + 40 * len(traits),
        margin={"t": 48},
        meta={"alt": f"Heat maps of how far each of {len(traits)} traits moves when another is edited by {arm}."},
    )
    return drawn
