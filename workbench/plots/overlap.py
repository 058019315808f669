"""Figures of what sets of neurons share: the poles of one trait, and every two traits."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.neurons import counted, evenly
from workbench.plots.tables import check_columns, one_trait, with_ends
from workbench.plots.theme import GREY, POLE_COLOURS, PURPLE, TEMPLATE, Look, figure

_MOST_POINTS = 1500


@literal_words
def exclusivity_scatter(
    contrasts: pd.DataFrame,
    *,
    min_d: float,
    trait: str | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Each neuron's effect of the low persona against that of the high one, both over the neutral persona.

    Args:
        contrasts: columns layer, neuron, d_high_neutral, d_low_neutral; `trait` where there are several. With the
            intervals of both d (`d_high_neutral_low`, `d_high_neutral_high`, `d_low_neutral_low`,
            `d_low_neutral_high`) hovering tells them.
        min_d: tau_d. Right of it lies High, above it Low, above and right of it what both raise.

    Of each kind at most 1,500 neurons are drawn, evenly taken; the legend counts them all and says how many are drawn.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    needed = ["layer", "neuron", "d_high_neutral", "d_low_neutral"]
    check_columns("exclusivity_scatter", contrasts, needed)
    rows, trait = one_trait("exclusivity_scatter", contrasts, trait)
    look = Look.of(template)
    high, low = rows["d_high_neutral"] > min_d, rows["d_low_neutral"] > min_d
    groups = {
        "neither": (~high & ~low, GREY, "circle"),
        "high alone": (high & ~low, POLE_COLOURS["high"], "circle"),
        "low alone": (low & ~high, POLE_COLOURS["low"], "diamond"),
        "both": (high & low, PURPLE, "x"),
    }
    finite = rows[["d_high_neutral", "d_low_neutral"]].replace([np.inf, -np.inf], np.nan).abs().max().max()
    bound = max(float(finite) if np.isfinite(finite) else 0.0, min_d) * 1.05 or 1.0
    axis = {"range": [-bound, bound], "zeroline": True, "constrain": "domain"}
    drawn = figure(
        alt=f"Scatter: each neuron's effect under the high and under the low persona of {trait or 'the trait'}, both "
        "against the neutral persona, with the thresholds.",
        template=template,
        height=480,
        xaxis={"title": "d (high − neutral, pooled SD)", **axis},
        yaxis={"title": "d (low − neutral, pooled SD)", "scaleanchor": "x", **axis},
        legend={"itemsizing": "constant"},
    )
    ends = [name for name in with_ends("d_high_neutral", "d_low_neutral") if name not in needed]
    hovered = [*needed[:2], *ends] if set(ends) <= set(rows.columns) else needed[:2]
    first, second = (
        (" [%{customdata[2]:+.2f}, %{customdata[3]:+.2f}]", " [%{customdata[4]:+.2f}, %{customdata[5]:+.2f}]")
        if len(hovered) > 2
        else ("", "")
    )
    for name, (mask, colour, symbol) in groups.items():
        points = evenly(rows[mask], _MOST_POINTS)
        drawn.add_scattergl(
            x=points["d_high_neutral"],
            y=points["d_low_neutral"],
            mode="markers",
            name=f"{name} ({counted(points, rows[mask])})",
            marker={
                "color": look.colour(colour),
                "symbol": symbol,
                "size": 4 if name == "neither" else 5.5,
                "opacity": 0.55,
            },
            customdata=points[hovered],
            hovertemplate="layer %{customdata[0]}, neuron %{customdata[1]}<br>"
            f"d high − neutral %{{x:+.2f}}{first}<br>d low − neutral %{{y:+.2f}}{second}<extra>{name}</extra>",
        )
    note = {"text": f"tau_d = {min_d:g}", "font": {"size": 11}, "xanchor": "right", "yanchor": "bottom"}
    drawn.add_vline(x=min_d, line=look.threshold)
    drawn.add_hline(y=min_d, line=look.threshold, annotation=note, annotation_position="right")
    return drawn


@literal_words
def overlap_heatmap(
    overlap: pd.DataFrame, *, quantity: str = "lift", template: go.layout.Template = TEMPLATE
) -> go.Figure:
    """Overlap of every two traits' poles, as log2 of the lift over chance, or as Jaccard.

    Args:
        overlap: columns trait_a, pole_a, trait_b, pole_b, size_a, size_b, population, jaccard, lift, intersection,
            p_depletion, p_enrichment_holm, as `overlap_matrix` gives them; where sets were matched on scale,
            matched_expected, matched_lift and p_matched_holm are drawn instead.

    Cells tell how many neurons are shared; a star marks more than chance at 5 % (Holm). Where none are shared and
    chance would not give one either, the cell takes the ground's colour. Hovering tells the number that chance gives.

    Raises:
        ValueError: for missing columns, or an unknown quantity.
    """
    needed = ("trait_a", "pole_a", "trait_b", "pole_b", "size_a", "size_b", "population")
    needed += ("jaccard", "lift", "intersection", "p_depletion", "p_enrichment_holm")
    check_columns("overlap_heatmap", overlap, needed)
    if quantity not in ("lift", "jaccard"):
        raise ValueError(f"overlap_heatmap draws lift or jaccard, but {quantity!r} arrived.")
    look = Look.of(template)
    first = overlap["trait_a"] + " " + overlap["pole_a"]
    second = overlap["trait_b"] + " " + overlap["pole_b"]
    names = list(dict.fromkeys([*first, *second]))
    grid = pd.DataFrame(np.nan, index=names, columns=names)
    hover = pd.DataFrame("", index=names, columns=names)
    marks = pd.DataFrame("", index=names, columns=names)
    matched = {"matched_expected", "matched_lift", "p_matched_holm"} <= set(overlap.columns)
    chance = overlap["size_a"] * overlap["size_b"] / overlap["population"]
    uniform = {"expected": chance, "above": overlap["lift"], "p": overlap["p_enrichment_holm"]}
    drawn_from = {"expected": "matched_expected", "above": "matched_lift", "p": "p_matched_holm"}
    overlap = overlap.assign(**({new: overlap[name] for new, name in drawn_from.items()} if matched else uniform))
    values = overlap["jaccard"]
    if quantity == "lift":
        telling = (overlap["intersection"] > 0) | (overlap["p_depletion"] < 0.05)
        values = pd.Series(np.log2(overlap["above"].clip(lower=2**-6))).where(telling, 0.0)
    for a, b, value, row in zip(first, second, values, overlap.to_dict("records"), strict=True):
        text = (
            f"{a} ({row['size_a']}) and {b} ({row['size_b']})<br>{row['intersection']} shared, {row['expected']:.2g} "
            f"expected by chance{' among neurons of like scale' if matched else ''} (lift {row['above']:.1f})<br>"
            f"Jaccard {row['jaccard']:.3f}, p {row['p']:.2g} (Holm)"
        )
        star = f"{row['intersection']}{'*' if row['p'] < 0.05 else ''}"
        for x, y in ((a, b), (b, a)):
            grid.loc[x, y], hover.loc[x, y], marks.loc[x, y] = value, text, star
    most = grid.abs().max().max()
    bound = float(most) if most > 0 else 1.0
    scale = (
        {"colorscale": look.diverging, "zmin": -bound, "zmax": bound}
        if quantity == "lift"
        else {"colorscale": look.sequential, "zmin": 0, "zmax": bound}
    )
    title = "log2 lift<br>over chance" if quantity == "lift" else "Jaccard"
    drawn = figure(
        alt=f"Heat map of the {quantity} of every two of {len(names)} trait poles; stars mark more than chance.",
        template=template,
        height=200 + 30 * len(names),
        xaxis={"side": "bottom", "tickangle": 40, "showgrid": False},
        yaxis={"autorange": "reversed", "showgrid": False, "tickfont": {"size": 12}},
    )
    drawn.add_heatmap(
        x=names,
        y=names,
        z=grid.to_numpy(),
        text=marks.to_numpy(),
        texttemplate="%{text}",
        textfont={"size": 10},
        customdata=hover.to_numpy(),
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": title}, "thickness": 12, "outlinewidth": 0},
        **scale,
    )
    return drawn
