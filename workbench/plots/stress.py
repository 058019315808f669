"""What is left of an edit under stress, condition by condition, and the signs that were known beforehand."""

import math
import textwrap
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.arms import ROW, label_rows, round_step
from workbench.plots.drawing import literal_words
from workbench.plots.legend import Legend, Wording
from workbench.plots.palette import METHOD
from workbench.plots.panels import axes, axis, panels, rule
from workbench.plots.tables import bars, check_columns, counted, one_trait
from workbench.plots.theme import TEMPLATE, Look

_ALL = "all"
_LABEL = 30
"""Characters of a condition's name."""
_NEEDED = (
    *("stress", "condition", "arm", "quantity", "role", "change", "low", "high", "plain", "left"),
    *("wrong_way", "wrong_way_low", "wrong_way_high"),
)
_SIGNS = {
    "separability": "held-out AUC of a probe<br>(mean over layers)",
    "pair_cosine": "cosine between pairs' differences<br>(mean over layers)",
    "stability": "split-half Jaccard of the selection<br>(corrected for chance)",
}


@literal_words
def stress_left(
    stress: pd.DataFrame,
    *,
    trait: str = _ALL,
    legend: Legend | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """An edit under every condition of stress, with intervals, a row for each: shift, items the wrong way, costs.

    The dashed lines are the shift and the changes without stress, and the dotted one half of the shift; beside each
    name stands what is left. A stress with several conditions has a row for all of them together, with larger points.

    Args:
        stress: columns stress, condition (`all` for all of a stress), arm, quantity, role (`trait` or `cost`), change,
            low, high, plain (the change without stress), left (a share; may be missing), wrong_way with its bounds
            (missing for costs), and trait where there are several. Of several quantities of the trait the first is
            drawn.
        legend: arms' roles, and quantities' labels and units.

    Raises:
        ValueError: for missing columns, or a trait that the table lacks.
    """
    check_columns("stress_left", stress, _NEEDED)
    rows, trait = one_trait("stress_left", stress, trait)
    legend, look = legend or Legend(), Look.of(template)
    styles = legend.styles(rows["arm"])
    target = rows.loc[rows["role"] == "trait", "quantity"].iloc[0]
    costs = list(dict.fromkeys(rows.loc[rows["role"] == "cost", "quantity"]))
    moved = rows[rows["quantity"] == target]
    places = _places(moved)
    share = Wording("items that move the wrong way", "share of items", share=True)
    shown = [(moved, "change", legend.shift(str(target))), (moved, "wrong_way", share)]
    shown += [(rows[rows["quantity"] == cost], "change", legend.change(cost)) for cost in costs]
    drawn = panels(
        [""] * len(shown),
        alt=f"Points with intervals of {counted(styles)} under {len(places)} conditions of stress: the shift of "
        f"{trait}, the share of items that move the wrong way"
        + (f", and the change of {len(costs)} costs." if costs else "."),
        template=template,
        x_titles=[wording.lines(24) for *_, wording in shown],
        y_titles=[""] * len(shown),
        across=min(len(shown), 4),
        narrow=2,
        height=40 + (ROW + 3) * len(places),
        foot=66,
    )
    for panel, (part, column, wording) in enumerate(shown):
        ends = ("low", "high") if column == "change" else (f"{column}_low", f"{column}_high")
        for number, (arm, style) in enumerate(styles.items()):
            of_arm = part[part["arm"] == arm]
            _draw(drawn, panel, of_arm, places, look.colour(style.colour), style.symbol, number, column, ends, wording)
        values = part[[column, *ends]]
        axis(drawn, "x", panel).update(tickformat=wording.ticks, dtick=round_step(values), tickangle=0, zeroline=True)
    plain = _plain(moved, next(iter(styles)))
    rule(drawn, 0, line=look.threshold, x=plain)
    for panel, cost in enumerate(costs, start=2):
        axis(drawn, "x", panel).rangemode = "tozero"
        rule(drawn, panel, line=look.threshold, x=_plain(rows[rows["quantity"] == cost], next(iter(styles))))
    rule(drawn, 0, line={**look.threshold, "dash": "dot"}, x=plain / 2)
    rule(drawn, 1, line={**look.threshold, "dash": "dot"}, x=0.5)
    own = moved[moved["arm"] == next(iter(styles))].set_index(["stress", "condition"])["left"]
    label_rows(drawn, [_label(place, places, own) for place in places])
    drawn.update_layout(showlegend=len(styles) > 1)
    return drawn


@literal_words
def stress_signs(signs: pd.DataFrame, *, template: go.layout.Template = TEMPLATE) -> go.Figure:
    """What is left of each trait's shift under stress against what was known of the trait before anything was edited.

    Args:
        signs: columns trait, separability, pair_cosine, stability and left (a share), a row for each trait; a trait
            without a number has no point.

    Raises:
        ValueError: for missing columns.
    """
    check_columns("stress_signs", signs, ("trait", *_SIGNS, "left"))
    look = Look.of(template)
    drawn = panels(
        [""] * len(_SIGNS),
        alt=f"Scatter of what is left of the shift of {len(signs)} traits under stress against three signs that were "
        "known beforehand.",
        template=template,
        x_titles=list(_SIGNS.values()),
        y_titles=["share of the shift that is left"] * len(_SIGNS),
        across=len(_SIGNS),
        height=280,
        foot=70,
    )
    for panel, sign in enumerate(_SIGNS):
        drawn.add_scatter(
            x=signs[sign],
            y=signs["left"],
            text=signs["trait"],
            mode="markers+text",
            textposition="top center",
            textfont={"size": 10},
            marker={"color": look.colour(METHOD.colour), "size": 8},
            showlegend=False,
            cliponaxis=False,
            hovertemplate="%{text}: %{x:.3~g}, %{y:.0%} left<extra></extra>",
            **axes(panel),
        )
        axis(drawn, "y", panel).tickformat = "~%"
        rule(drawn, panel, line={**look.threshold, "dash": "dot"}, y=0.5)
    return drawn


def _places(rows: pd.DataFrame) -> dict[tuple[str, str], int]:
    """The height of each condition's row: that of all of a stress first, where it has several."""
    places: list[tuple[str, str]] = []
    for stress, part in rows.groupby("stress", sort=False):
        conditions = [each for each in dict.fromkeys(part["condition"]) if each != _ALL]
        places += [(str(stress), _ALL)] if len(conditions) != 1 else []
        places += [(str(stress), str(each)) for each in conditions]
    return {place: height for height, place in enumerate(places)}


def _plain(rows: pd.DataFrame, arm: str) -> float:
    return float(rows.loc[rows["arm"] == arm, "plain"].iloc[0])


def _label(place: tuple[str, str], places: dict[tuple[str, str], int], left: "pd.Series[float]") -> str:
    """A row's name, with what is left there."""
    stress, condition = place
    inside = condition != _ALL and (stress, _ALL) in places
    name = condition if inside or stress in condition else f"{stress}: {condition}"
    name = f"<b>{stress}</b>" if condition == _ALL else textwrap.shorten(name, _LABEL, placeholder=" …")
    share = float(left.get(place, math.nan))
    return name if math.isnan(share) else f"{name} ({share:.0%} left)".replace("-", "−")


def _draw(
    drawn: go.Figure,
    panel: int,
    rows: pd.DataFrame,
    places: dict[tuple[str, str], int],
    colour: str,
    symbol: str,
    number: int,
    column: str,
    ends: tuple[str, str],
    wording: Wording,
) -> None:
    """One arm's points in one panel."""
    at = [(str(a), str(b)) for a, b in zip(rows["stress"], rows["condition"], strict=True)]
    kept = rows[[place in places for place in at]]
    at = [place for place in at if place in places]
    if kept.empty:
        return
    low, high = ends
    marker: dict[str, Any] = {"color": colour, "symbol": symbol}
    marker["size"] = [9 if condition == _ALL else 6 for _, condition in at]
    drawn.add_scatter(
        x=kept[column],
        y=[places[place] + 0.25 * number for place in at],
        error_x=bars(kept, column, low, high, colour=colour),
        mode="markers",
        name=kept["arm"].iloc[0],
        legendgroup=kept["arm"].iloc[0],
        showlegend=panel == 0,
        marker=marker,
        text=[f"{stress}, {condition}" for stress, condition in at],
        customdata=kept[[low, high]],
        hovertemplate=f"%{{text}}: %{{x:{wording.form}}} [%{{customdata[0]:{wording.form}}}, "
        f"%{{customdata[1]:{wording.form}}}]<extra>{kept['arm'].iloc[0]}</extra>",
        **axes(panel),
    )
