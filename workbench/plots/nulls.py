"""Figures of what a selection rests on: shuffled labels, other descriptions and questions, and other confounds."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.tables import bars, check_columns, one_trait
from workbench.plots.theme import BLUE, GREEN, ORANGE, TEMPLATE, VERMILLION, Look, figure, translucent

_SHUFFLED = {"description": (BLUE, "descriptions dealt out anew"), "pair": (ORANGE, "poles of pairs swapped")}


@literal_words
def null_distribution(
    counts: pd.DataFrame, *, trait: str | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """How many neurons shuffled labels select, beside the real count.

    Args:
        counts: columns shuffled (what was shuffled), selected (a row a permutation), real; `trait` where there are
            several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("null_distribution", counts, ("shuffled", "selected", "real"))
    rows, trait = one_trait("null_distribution", counts, trait)
    look = Look.of(template)
    real = int(rows["real"].iloc[0])
    most = max(real, int(rows["selected"].max()), 1)
    drawn = figure(
        alt=f"Histogram: neurons that shuffled labels select for {trait or 'the trait'}, and the real count, {real}.",
        template=template,
        height=320,
        barmode="overlay",
        xaxis={"title": "neurons selected", "range": [-0.03 * most, 1.06 * most]},
        yaxis={"title": "share of permutations", "tickformat": "~%"},
    )
    size = max(1, round(most / 60))
    for shuffled, counted in rows.groupby("shuffled", sort=False):
        colour, name = _SHUFFLED.get(str(shuffled), (GREEN, f"{shuffled}s shuffled"))
        colour = look.colour(colour)
        drawn.add_histogram(
            x=counted["selected"],
            name=name,
            histnorm="probability",
            xbins={"start": -0.5, "end": most + size, "size": size},
            marker={
                "color": translucent(colour, 0.6),
                "line": {"color": colour, "width": 1},
                "pattern": {"shape": "/" if shuffled == "pair" else "", "size": 5, "fgcolor": colour},
            },
            hovertemplate="%{x} neurons: %{y:.1%} of permutations<extra>" + name + "</extra>",
        )
    drawn.add_vline(
        x=real,
        line={"color": look.colour(VERMILLION), "width": 2},
        annotation={"text": f"true labels: {real}", "font": {"color": look.colour(VERMILLION)}, "textangle": 0},
        annotation_position="top left",
    )
    return drawn


@literal_words
def stability_bars(
    stability: pd.DataFrame, *, trait: str | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """How far other descriptions or questions would have chosen the same neurons.

    Args:
        stability: columns measure, unit, estimate, low, high; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("stability_bars", stability, ("measure", "unit", "estimate", "low", "high"))
    rows, trait = one_trait("stability_bars", stability, trait)
    look = Look.of(template)
    drawn = figure(
        alt=f"Points with ranges: stability of {trait or 'the trait'} over descriptions and questions.",
        template=template,
        height=330,
        xaxis={"title": "Jaccard, or share of bootstraps (1: same neurons)", "range": [-0.03, 1.04]},
        yaxis={"autorange": "reversed"},
        scattermode="group",
    )
    for (unit, points), (colour, symbol) in zip(
        rows.groupby("unit", sort=False), ((BLUE, "circle"), (GREEN, "diamond")), strict=False
    ):
        drawn.add_scatter(
            x=points["estimate"],
            y=points["measure"],
            error_x=bars(points, "estimate", "low", "high", colour=look.colour(colour)),
            mode="markers",
            name=f"{unit}s",
            orientation="h",
            offsetgroup=str(unit),
            marker={"color": look.colour(colour), "symbol": symbol, "size": 9},
            customdata=points[["low", "high"]],
            hovertemplate="%{y}: %{x:.2f} [%{customdata[0]:.2f}, %{customdata[1]:.2f}]<extra>%{fullData.name}</extra>",
        )
    return drawn


@literal_words
def balance_love(
    balance: pd.DataFrame, *, trait: str | None = None, template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Love plot: the standardised difference of each confound between the poles, with its interval.

    Args:
        balance: columns measure, what, difference, difference_low, difference_high; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    needed = ("measure", "what", "difference", "difference_low", "difference_high")
    check_columns("balance_love", balance, needed)
    rows, trait = one_trait("balance_love", balance, trait)
    look = Look.of(template)
    colour = look.colour(BLUE)
    drawn = figure(
        alt=f"Points with intervals: how much each confound differs between the poles of {trait or 'the trait'}.",
        template=template,
        height=150 + 28 * len(rows),
        xaxis={"title": "standardised difference (high − low, Cohen's d)", "zeroline": True},
        yaxis={"autorange": "reversed"},
        showlegend=False,
    )
    drawn.add_vrect(x0=-0.1, x1=0.1, fillcolor=translucent(look.colour(GREEN), 0.16), line_width=0, layer="below")
    drawn.add_scatter(
        x=rows["difference"],
        y=rows["measure"],
        error_x=bars(rows, "difference", colour=colour),
        mode="markers",
        marker={"color": colour, "size": 9},
        customdata=rows[["what", "difference_low", "difference_high"]],
        hovertemplate="%{customdata[0]}<br>%{x:+.2f} [%{customdata[1]:+.2f}, %{customdata[2]:+.2f}]<extra></extra>",
    )
    return drawn
