"""Figures with a row an arm: what each does to every quantity at one dose, and the shift beyond each control's."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.legend import Legend
from workbench.plots.palette import METHOD, ArmStyle
from workbench.plots.panels import axes, axis, panels
from workbench.plots.tables import bars, check_columns, counted, one_trait
from workbench.plots.theme import TEMPLATE, Look, figure

ROW = 17
"""Pixels of an arm's row."""
_ACROSS = 4  # panels beside each other


@literal_words
def arms_compared(
    equal_dose: pd.DataFrame, *, legend: Legend | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Arms at one dose: what each does to every quantity, with intervals; a panel a quantity, a row an arm.

    Args:
        equal_dose: columns arm and, each with `_low` and `_high`, `shift` (the target's), `NAME_shift` (of other
            quantities of the trait) and `NAME_change` (of costs): a panel for each that it holds.
        legend: arms' roles, and quantities' labels and units.

    Raises:
        ValueError: for missing columns.
    """
    legend = legend or Legend()
    check_columns("arms_compared", equal_dose, ("arm",))
    changes = legend.changes(equal_dose)
    if not changes:
        raise ValueError(
            "arms_compared needs a column shift, NAME_shift or NAME_change with its bounds, but the table holds "
            f"{list(equal_dose.columns)}."
        )
    look, styles = Look.of(template), legend.styles(equal_dose["arm"])
    across = min(len(changes), _ACROSS)
    labels = ", ".join(wording.label for wording in changes.values())
    drawn = panels(
        [""] * len(changes),
        alt=f"Points with intervals of {counted(styles)} at one dose: {labels}.",
        template=template,
        x_titles=[wording.lines(21) for wording in changes.values()],
        y_titles=[""] * len(changes),
        across=across,
        narrow=across if across < _ACROSS else 2,
        height=30 + ROW * len(styles),
        foot=66,
    )
    for panel, (change, wording) in enumerate(changes.items()):
        columns = (change, f"{change}_low", f"{change}_high")
        axis(drawn, "x", panel).update(
            tickformat=wording.ticks, dtick=round_step(equal_dose[list(columns)]), tickangle=0
        )
        draw_rows(drawn, panel, equal_dose, styles, look, columns, wording.form)
        axis(drawn, "x", panel).zeroline = True
    label_rows(drawn, list(styles))
    return drawn


@literal_words
def shift_beyond_controls(
    against: pd.DataFrame,
    *,
    draws: pd.DataFrame | None = None,
    trait: str = "all",
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """How much further the arm under test moves a trait than each control, with intervals.

    Args:
        against: columns control, trait, difference (of shifts, from the mean of a random control's draws), low, high,
            p_holm.
        draws: columns arm, trait and shift, a row for each draw of a random control, which are shown one by one.
        legend: the target's unit.

    Raises:
        ValueError: for missing columns, or a trait that the table lacks.
    """
    check_columns("shift_beyond_controls", against, ("control", "trait", "difference", "low", "high", "p_holm"))
    rows, trait = one_trait("shift_beyond_controls", against, trait)
    look, moved = Look.of(template), (legend or Legend()).shift()
    colour = look.colour(METHOD.colour)
    drawn = figure(
        alt=f"Points with intervals: how much further the edit moves the trait than each of {len(rows)} controls.",
        template=template,
        height=130 + 26 * len(rows),
        xaxis={"title": f"shift beyond the control's ({moved.unit})", "tickformat": moved.ticks, "zeroline": True},
        yaxis={"autorange": "reversed", "title": "control"},
        showlegend=False,
    )
    if draws is not None:
        each = draws[draws["trait"] == rows["trait"].iloc[0]].merge(rows, left_on="arm", right_on="control")
        beyond = each["difference"] + each.groupby("arm")["shift"].transform("mean") - each["shift"]
        drawn.add_scatter(
            x=beyond,
            y=each["control"],
            mode="markers",
            marker={"color": look.muted, "size": 5, "symbol": "line-ns-open"},
            hovertemplate=f"one draw of %{{y}}: %{{x:{moved.form}}}<extra></extra>",
        )
    drawn.add_scatter(
        x=rows["difference"],
        y=rows["control"],
        error_x=bars(rows, "difference", "low", "high", colour=colour),
        mode="markers",
        marker={"color": colour, "size": 9},
        customdata=rows[["low", "high", "p_holm"]],
        hovertemplate=f"%{{y}}: %{{x:{moved.form}}} [%{{customdata[0]:{moved.form}}}, "
        f"%{{customdata[1]:{moved.form}}}]<br>p %{{customdata[2]:.2g}} (Holm)<extra></extra>",
    )
    return drawn


def draw_rows(
    drawn: go.Figure,
    panel: int,
    rows: pd.DataFrame,
    styles: Mapping[str, ArmStyle],
    look: Look,
    columns: tuple[str, str, str],
    form: str,
    *,
    hovered: Sequence[str] = (),
    hover: str = "",
    edge: float = -math.inf,
) -> None:
    """A point with its interval for each arm, at the arm's row; an arrow with the number where it lies below `edge`.

    Args:
        columns: the estimate's, and those of its bounds.
        form: the format of these when hovering.
        hovered: further columns, from the third on in `customdata`; `hover` tells them.
    """
    estimate, low, high = columns
    heights = {arm: height for height, arm in enumerate(styles)}
    for row in rows.to_dict("records"):
        style = styles[row["arm"]]
        colour, beyond = look.colour(style.colour), row[estimate] < edge
        within = {name: np.array([max(row[name], edge)]) for name in columns}
        drawn.add_scatter(
            x=within[estimate],
            y=[heights[row["arm"]]],
            error_x=None if beyond else bars(within, estimate, low, high, colour=colour),
            mode="markers+text" if beyond else "markers",
            text=f"{row[estimate]:+.0%}".replace("-", "−") if beyond else None,
            textposition="middle right",
            textfont={"size": 10, "color": look.ink},
            name=row["arm"],
            showlegend=False,
            marker={
                "color": colour,
                "symbol": "triangle-left" if beyond else style.symbol,
                "size": 8,
                "line": {"color": colour, "width": 1.5},
            },
            cliponaxis=False,
            customdata=[[row[name] for name in (low, high, *hovered, estimate)]],
            hovertemplate=f"{row['arm']}: %{{customdata[{2 + len(hovered)}]:{form}}} "
            f"[%{{customdata[0]:{form}}}, %{{customdata[1]:{form}}}]{hover}<extra></extra>",
            **axes(panel),
        )


def label_rows(drawn: go.Figure, arms: list[str]) -> None:
    """The arms' names, the first on top; a category axis would order them by the panel that is drawn first."""
    drawn.update_yaxes(
        tickvals=list(range(len(arms))), ticktext=arms, range=[len(arms) - 0.4, -0.6], tickfont={"size": 12}
    )


def round_step(values: pd.DataFrame | list[float]) -> float:
    """A round step of about half the way from the least value to the greatest, so that labels have room."""
    numbers = np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    half = float(np.ptp(finite)) / 2 if len(finite) and np.ptp(finite) else 0.01
    power = 10.0 ** math.floor(math.log10(half))
    return next(digit * power for digit in (1, 2, 3, 4, 5, 10) if digit * power >= half * 0.999)
