"""Figures with a row an arm: shift and costs at one dose, and what each keeps of capability, by task."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.panels import axes, axis, panels, rule
from workbench.plots.tables import bars, check_columns, counted, one_trait, with_ends
from workbench.plots.theme import TEMPLATE, VERMILLION, Look, figure

_PERCENT = "~%"
_ROW = 17  # pixels
_FURTHEST = 5  # margins below zero at which a panel ends, so that a broken arm does not hide the others


def arms_compared(
    equal_dose: pd.DataFrame, *, wellformed: str = "well-formed", template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Arms at one dose: shift and both costs with their intervals, a row for each arm.

    Args:
        equal_dose: columns arm and, each with `_low` and `_high`, shift (points), wellformed_change and
            capability_change (shares, shown as percentage points).
        wellformed: what the well-formedness columns hold, for titles, in a word; a judge's ratings say.

    Raises:
        ValueError: for missing columns.
    """
    shown = {
        "shift": ("trait shift<br>(points)", "", "+.2f"),
        "wellformed_change": (f"{wellformed}<br>change (%)", _PERCENT, "+.1%"),
        "capability_change": ("exact match<br>change (%)", _PERCENT, "+.1%"),
    }
    check_columns("arms_compared", equal_dose, ("arm", *with_ends(*shown)))
    look, arms = Look.of(template), list(dict.fromkeys(equal_dose["arm"]))
    drawn = panels(
        [""] * 3,
        alt=f"Trait shift and costs ({wellformed}, exact match) of {counted(arms)} at one dose.",
        template=template,
        x_titles=[title for title, *_ in shown.values()],
        y_titles=[""] * 3,
        across=3,
        narrow=3,
        height=30 + _ROW * len(arms),
        foot=66,
    )
    for place, (name, (_, ticks, form)) in enumerate(shown.items()):
        axis(drawn, "x", place).update(tickformat=ticks, dtick=_step(equal_dose[with_ends(name)]), tickangle=0)
        _draw_arms(drawn, place, equal_dose, arms, look, (name, f"{name}_low", f"{name}_high"), form)
        axis(drawn, "x", place).zeroline = True
    _label_arms(drawn, arms)
    return drawn


def capability_retention(
    tests: pd.DataFrame,
    *,
    trait: str = "all",
    gamma: float | None = None,
    margin: float | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """What each arm keeps of capability by task: the change of exact match with 95 % intervals, a row for each arm.

    Args:
        tests: columns arm, gamma, task, trait, change (a share, shown as percentage points), low, high, n; a panel
            for each task that it holds of the trait. With `margin`, `lower` and `non_inferior` hovering tells whether
            a loss beyond the margin is excluded.
        gamma: the dose to draw, where an arm was tested at several; arms of a single dose, as prompts are, stay.
        margin: the loss (a share) that would still count as none, drawn; by default the table's own.

    A loss of more than five margins is drawn as an arrow at the edge, with its number.

    Raises:
        ValueError: for missing columns, a trait or gamma that the table lacks, or several doses of an arm and none
            named.
    """
    check_columns("capability_retention", tests, ("arm", "gamma", "task", "trait", "change", "low", "high", "n"))
    rows, trait = one_trait("capability_retention", tests, trait)
    rows = _one_dose(rows, gamma)
    if margin is None and "margin" in rows and rows["margin"].notna().any():
        margin = float(rows["margin"].dropna().iloc[0])
    tasks = sorted(dict.fromkeys(rows["task"]), key=lambda task: task == "all")  # all of them last
    look, arms = Look.of(template), list(dict.fromkeys(rows["arm"]))
    across = min(len(tasks), 3)
    drawn = panels(
        ["all tasks" if task == "all" else str(task) for task in tasks],
        alt=f"Points with intervals: change of exact match of {counted(arms)} against the unedited model in "
        f"{', '.join(map(str, tasks))}, with the margin of non-inferiority.",
        template=template,
        x_titles=["change of exact match<br>(percentage points)"] * len(tasks),
        y_titles=[""] * len(tasks),
        across=across,
        narrow=across,
        height=30 + _ROW * len(arms),
        foot=66,
    )
    lowest, highest = min(float(rows["low"].min()), -(margin or 0.0)), max(float(rows["high"].max()), 0.0)
    edge = -_FURTHEST * margin if margin and lowest < -_FURTHEST * margin else -1.0
    lowest = max(lowest, edge)
    pad = 0.06 * (highest - lowest or 0.1)
    tested = {"lower", "margin", "non_inferior"} <= set(rows.columns)
    if tested:
        verdict = rows["non_inferior"].map({True: "is excluded", False: "is not excluded"})
        rows = rows.assign(verdict=verdict)
    told = ["n", *(("lower", "margin", "verdict") if tested else ())]
    said = "<br>n = %{customdata[2]:d}" + (
        "<br>one-sided bound %{customdata[3]:+.1%}: a loss beyond %{customdata[4]:.1%} %{customdata[5]}"
        if tested
        else ""
    )
    for place, task in enumerate(tasks):
        axis(drawn, "x", place).update(
            tickformat=_PERCENT, dtick=_step([lowest, highest]), tickangle=0, range=[lowest - pad, highest + pad]
        )
        own, columns = rows[rows["task"] == task], ("change", "low", "high")
        _draw_arms(drawn, place, own, arms, look, columns, "+.1%", told=told, said=said, edge=edge)
        axis(drawn, "x", place).zeroline = True
        if margin is not None:
            rule(drawn, place, x=-margin, line=look.threshold)
    if margin is not None:
        drawn.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            line=look.threshold,
            name=f"margin of non-inferiority, −{100 * margin:g} points",
            showlegend=True,
            hoverinfo="skip",
        )
    _label_arms(drawn, arms)
    return drawn


def shift_beyond_controls(
    against: pd.DataFrame, *, trait: str = "all", template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """How much further the edit moves a trait than each control, with intervals.

    Args:
        against: columns control, trait, difference (points), low, high, p_holm.

    Raises:
        ValueError: for missing columns, or a trait that the table lacks.
    """
    check_columns("shift_beyond_controls", against, ("control", "trait", "difference", "low", "high", "p_holm"))
    rows, trait = one_trait("shift_beyond_controls", against, trait)
    look = Look.of(template)
    colour = look.colour(VERMILLION)
    drawn = figure(
        alt=f"Points with intervals: how much further the edit moves the trait than each of {len(rows)} controls.",
        template=template,
        height=130 + 26 * len(rows),
        xaxis={"title": "shift beyond the control's (points in the intended direction)", "zeroline": True},
        yaxis={"autorange": "reversed", "title": "control"},
        showlegend=False,
    )
    drawn.add_scatter(
        x=rows["difference"],
        y=rows["control"],
        error_x=bars(rows, "difference", "low", "high", colour=colour),
        mode="markers",
        marker={"color": colour, "size": 9},
        customdata=rows[["low", "high", "p_holm"]],
        hovertemplate="%{y}: %{x:+.2f} [%{customdata[0]:+.2f}, %{customdata[1]:+.2f}]<br>p %{customdata[2]:.2g} (Holm)"
        "<extra></extra>",
    )
    return drawn


def _draw_arms(
    drawn: go.Figure,
    place: int,
    rows: pd.DataFrame,
    arms: list[str],
    look: Look,
    columns: tuple[str, str, str],
    form: str,
    *,
    told: Sequence[str] = (),
    said: str = "",
    edge: float = -math.inf,
) -> None:
    """A point with its interval for each arm, at the arm's row; an arrow with the number where it lies below `edge`."""
    estimate, low, high = columns
    for row in rows.to_dict("records"):
        colour, symbol = look.arm(row["arm"], arms)
        beyond = row[estimate] < edge
        within = {name: np.array([max(row[name], edge)]) for name in columns}
        drawn.add_scatter(
            x=within[estimate],
            y=[arms.index(row["arm"])],
            error_x=None if beyond else bars(within, estimate, low, high, colour=colour),
            mode="markers+text" if beyond else "markers",
            text=f"{row[estimate]:+.0%}".replace("-", "−") if beyond else None,
            textposition="middle right",
            textfont={"size": 10, "color": look.ink},
            name=row["arm"],
            showlegend=False,
            marker={
                "color": colour,
                "symbol": "triangle-left" if beyond else symbol,
                "size": 8,
                "line": {"color": colour, "width": 1.5},
            },
            cliponaxis=False,
            customdata=[[row[name] for name in (low, high, *told, estimate)]],
            hovertemplate=f"{row['arm']}: %{{customdata[{2 + len(told)}]:{form}}} "
            f"[%{{customdata[0]:{form}}}, %{{customdata[1]:{form}}}]{said}<extra></extra>",
            **axes(place),
        )


def _step(values: pd.DataFrame | list[float]) -> float:
    """A round step of about half the way from the least value to the greatest, so that labels have room."""
    half = (np.nanmax(values) - np.nanmin(values)) / 2 or 0.01
    power = 10.0 ** math.floor(math.log10(half))
    return next(part * power for part in (1, 2, 3, 4, 5, 10) if part * power >= half * 0.999)


def _label_arms(drawn: go.Figure, arms: list[str]) -> None:
    """The arms' names, the first on top; a category axis would order them by the panel that is drawn first."""
    drawn.update_yaxes(
        tickvals=list(range(len(arms))), ticktext=arms, range=[len(arms) - 0.4, -0.6], tickfont={"size": 12}
    )


def _one_dose(rows: pd.DataFrame, gamma: float | None) -> pd.DataFrame:
    doses = rows.groupby("arm")["gamma"].transform("nunique")
    if gamma is None:
        if (doses > 1).any():
            row = rows[doses > 1].iloc[0]
            several = sorted(rows.loc[rows["arm"] == row["arm"], "gamma"].unique())
            raise ValueError(
                f"capability_retention draws one dose an arm, but {row['arm']} has gamma "
                f"{', '.join(f'{each:g}' for each in several)}. Name one with gamma=."
            )
        return rows
    kept = rows[((rows["gamma"] - gamma).abs() < 1e-9) | (doses == 1)]
    if not ((rows["gamma"] - gamma).abs() < 1e-9).any():
        there = ", ".join(f"{each:g}" for each in sorted(rows["gamma"].dropna().unique()))
        raise ValueError(f"capability_retention has no rows of gamma {gamma:g}; the table holds {there}.")
    return kept
