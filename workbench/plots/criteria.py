"""Both criteria of the dual rule at once: the size of each neuron's mean difference against its Cohen's d."""

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.neurons import EFFECTS, NEEDED, counted, evenly, hovering, largest, marked_by
from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import GREY, TEMPLATE, Look, figure, translucent

_MOST_POINTS = 4000


@literal_words
def magnitude_against_d(
    effects: pd.DataFrame,
    *,
    threshold_d: float,
    thresholds: pd.DataFrame | None = None,
    trait: str | None = None,
    neurons: pd.DataFrame | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """|mean difference| against Cohen's d, with both thresholds and the chosen neurons.

    Args:
        effects: as for `effect_map`.
        threshold_d: tau_d in pooled standard deviations, drawn on both sides.
        thresholds: columns layer and threshold (activation units), with `trait` where there are several: tau_q of
            each layer, drawn as the band that they span, or as one line if they agree.
        neurons: the neurons to mark, as for `effect_map`.

    At most 4,000 neurons that were not chosen are drawn, evenly taken; the chosen ones are all drawn. A neuron
    without any difference has no place on a log axis; an infinite d is drawn at the largest finite one.

    Raises:
        ValueError: for missing columns, an unknown trait, or neurons that the effects lack.
    """
    check_columns("magnitude_against_d", effects, NEEDED)
    rows, trait = one_trait("magnitude_against_d", effects, trait)
    if neurons is not None:
        rows = marked_by("magnitude_against_d", rows, neurons, trait)
    rows = rows.assign(magnitude=rows["mean_difference"].abs())
    rows = rows[rows["magnitude"] > 0]
    bound = largest(rows["cohens_d"])
    rows = rows.assign(position=rows["cohens_d"].clip(-bound, bound))
    selected = rows["selected"] if "selected" in rows else pd.Series("", index=rows.index)
    others = rows[~selected.isin(["high", "low"])]
    points = evenly(others, _MOST_POINTS)
    look = Look.of(template)
    drawn = figure(
        alt=f"Scatter of the size of the mean difference against Cohen's d for neurons of {trait or 'one trait'}, with "
        "the thresholds of both criteria.",
        template=template,
        height=430,
        xaxis={"title": EFFECTS["cohens_d"]},
        yaxis={
            "title": "|mean difference| (activation units)",
            "type": "log",
            "dtick": 1,
            "exponentformat": "power",
            "tickfont": {"size": 11},
        },
    )
    drawn.add_scattergl(
        x=points["position"],
        y=points["magnitude"],
        mode="markers",
        name=f"not chosen ({counted(points, others)})",
        marker={"size": 4, "color": translucent(look.colour(GREY), 0.35)},
        **hovering(points),
    )
    for pole in ("high", "low"):
        chosen = rows[selected == pole]
        if len(chosen):
            colour, symbol = look.pole(pole)
            drawn.add_scattergl(
                x=chosen["position"],
                y=chosen["magnitude"],
                mode="markers",
                name=f"{pole.capitalize()} neurons ({len(chosen)})",
                marker={"size": 8, "color": colour, "symbol": symbol},
                **hovering(chosen, extra="chosen"),
            )
    drawn.add_vline(x=-threshold_d, line=look.threshold)
    drawn.add_vline(x=threshold_d, line=look.threshold, name=f"tau_d = ±{threshold_d:g}", showlegend=True)
    if thresholds is not None:
        _draw_tau_q(drawn, thresholds, trait, look)
    return drawn


def _draw_tau_q(drawn: go.Figure, thresholds: pd.DataFrame, trait: str, look: Look) -> None:
    """One line if the layers agree, otherwise the band between the lowest and the highest."""
    check_columns("magnitude_against_d's thresholds", thresholds, ("layer", "threshold"))
    if "trait" in thresholds and trait:
        thresholds, _ = one_trait("magnitude_against_d's thresholds", thresholds, trait)
    least, most = float(thresholds["threshold"].min()), float(thresholds["threshold"].max())
    dotted = {"color": look.muted, "dash": "dot", "width": 1.5}
    if least == most:
        drawn.add_hline(y=least, line=dotted, name="tau_q", showlegend=True)
        return
    drawn.add_hrect(y0=least, y1=most, fillcolor=translucent(look.colour(GREY), 0.18), line_width=0, layer="below")
    drawn.add_hline(y=least, line=dotted, name="tau_q of the layers", showlegend=True)
    drawn.add_hline(y=most, line=dotted)
