"""What each arm keeps of a capability, by task, a row for each arm."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.arms import ROW, draw_rows, label_rows, round_step
from workbench.plots.drawing import literal_words
from workbench.plots.legend import Legend
from workbench.plots.panels import axis, panels, rule
from workbench.plots.tables import check_columns, counted, one_trait
from workbench.plots.theme import TEMPLATE, Look

_PERCENT = "~%"
_FURTHEST = 5  # margins below zero at which a panel ends, so that a broken arm does not hide the others


@literal_words
def retention_by_task(
    tests: pd.DataFrame,
    *,
    label: str = "exact match",
    trait: str = "all",
    gamma: float | None = None,
    margin: float | None = None,
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """How the share of right items changes by task, with 95 % intervals, a row for each arm.

    Args:
        tests: columns arm, gamma, task, trait, change (a share, shown as percentage points), low, high, n; a panel
            for each task that it holds of the trait. With `lower`, `margin` and `non_inferior` hovering tells whether
            a loss beyond the margin is excluded.
        label: what changes.
        gamma: the dose to draw, where an arm was tested at several; arms of a single dose, as prompts are, stay.
        margin: the loss (a share) that would still count as none, drawn; by default the table's own.
        legend: arms' roles.

    A loss of more than five margins is drawn as an arrow at the edge, with its number.

    Raises:
        ValueError: for missing columns, a trait or gamma that the table lacks, or several doses of an arm and none
            named.
    """
    check_columns("retention_by_task", tests, ("arm", "gamma", "task", "trait", "change", "low", "high", "n"))
    rows, trait = one_trait("retention_by_task", tests, trait)
    rows = _one_dose(rows, gamma)
    if margin is None and "margin" in rows and rows["margin"].notna().any():
        margin = float(rows["margin"].dropna().iloc[0])
    tasks = sorted(dict.fromkeys(rows["task"]), key=lambda task: task == "all")  # all of them last
    look, styles = Look.of(template), (legend or Legend()).styles(rows["arm"])
    across = min(len(tasks), 3)
    drawn = panels(
        ["all tasks" if task == "all" else str(task) for task in tasks],
        alt=f"Points with intervals: change of {label} of {counted(styles)} against the unedited model in "
        f"{', '.join(map(str, tasks))}, with the margin of non-inferiority.",
        template=template,
        x_titles=[f"change of {label}<br>(percentage points)"] * len(tasks),
        y_titles=[""] * len(tasks),
        across=across,
        narrow=across,
        height=30 + ROW * len(styles),
        foot=66,
    )
    lowest, highest = min(float(rows["low"].min()), -(margin or 0.0)), max(float(rows["high"].max()), 0.0)
    edge = -_FURTHEST * margin if margin and lowest < -_FURTHEST * margin else -1.0
    lowest = max(lowest, edge)
    pad = 0.06 * (highest - lowest or 0.1)
    hovered, hover = ["n"], "<br>n = %{customdata[2]:d}"
    if {"lower", "margin", "non_inferior"} <= set(rows.columns):
        rows = rows.assign(verdict=rows["non_inferior"].map({True: "is excluded", False: "is not excluded"}))
        hovered += ["lower", "margin", "verdict"]
        hover += "<br>one-sided bound %{customdata[3]:+.1%}: a loss beyond %{customdata[4]:.1%} %{customdata[5]}"
    for panel, task in enumerate(tasks):
        axis(drawn, "x", panel).update(
            tickformat=_PERCENT, dtick=round_step([lowest, highest]), tickangle=0, range=[lowest - pad, highest + pad]
        )
        of_task, columns = rows[rows["task"] == task], ("change", "low", "high")
        draw_rows(drawn, panel, of_task, styles, look, columns, "+.1%", hovered=hovered, hover=hover, edge=edge)
        axis(drawn, "x", panel).zeroline = True
        if margin is not None:
            rule(drawn, panel, x=-margin, line=look.threshold)
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
    label_rows(drawn, list(styles))
    return drawn


def _one_dose(rows: pd.DataFrame, gamma: float | None) -> pd.DataFrame:
    doses = rows.groupby("arm")["gamma"].transform("nunique")
    if gamma is None:
        if (doses > 1).any():
            row = rows[doses > 1].iloc[0]
            several = sorted(rows.loc[rows["arm"] == row["arm"], "gamma"].unique())
            raise ValueError(
                f"retention_by_task draws one dose an arm, but {row['arm']} has gamma "
                f"{', '.join(f'{each:g}' for each in several)}. Name one with gamma=."
            )
        return rows
    at_gamma = (rows["gamma"] - gamma).abs() < 1e-9
    if not at_gamma.any():
        held = ", ".join(f"{each:g}" for each in sorted(rows["gamma"].dropna().unique()))
        raise ValueError(f"retention_by_task has no rows of gamma {gamma:g}; the table holds {held}.")
    return rows[at_gamma | (doses == 1)]
