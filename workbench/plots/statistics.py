"""Figures of what a selection rests on: nulls, stability, exclusivity, separability, overlap and balance."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.theme import (
    BLUE,
    DIVERGING,
    GREEN,
    GREY,
    INK,
    MUTED,
    ORANGE,
    POLE_COLOURS,
    PURPLE,
    VERMILLION,
    check_columns,
    figure,
    one_trait,
    translucent,
)

_MOST_POINTS = 4000
_SHUFFLED = {"description": (BLUE, "descriptions dealt out anew"), "pair": (ORANGE, "poles of pairs swapped")}


def null_distribution(counts: pd.DataFrame, *, trait: str | None = None) -> go.Figure:
    """How many neurons shuffled labels select, beside the real count.

    Args:
        counts: columns shuffled (what was shuffled), selected (a row a permutation), real; `trait` where there are
            several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("null_distribution", counts, ("shuffled", "selected", "real"))
    rows, trait = one_trait("null_distribution", counts, trait)
    real = int(rows["real"].iloc[0])
    most = max(real, int(rows["selected"].max()), 1)
    drawn = figure(
        alt=f"Histogram: neurons that shuffled labels select for {trait or 'the trait'}, and the real count, {real}.",
        height=320,
        barmode="overlay",
        xaxis={"title": "neurons selected", "range": [-0.03 * most, 1.06 * most]},
        yaxis={"title": "share of permutations", "tickformat": "~%"},
    )
    size = max(1, round(most / 60))
    for shuffled, own in rows.groupby("shuffled", sort=False):
        colour, name = _SHUFFLED.get(str(shuffled), (GREEN, f"{shuffled}s shuffled"))
        drawn.add_histogram(
            x=own["selected"],
            name=name,
            histnorm="probability",
            xbins={"start": -0.5, "end": most + size, "size": size},
            marker={"color": translucent(colour, 0.6), "line": {"color": colour, "width": 1}},
            hovertemplate="%{x} neurons: %{y:.1%} of permutations<extra>" + name + "</extra>",
        )
    drawn.add_vline(
        x=real,
        line={"color": VERMILLION, "width": 2},
        annotation={"text": f"true labels: {real}", "font": {"color": VERMILLION}, "textangle": 0},
        annotation_position="top left",
    )
    return drawn


def stability_bars(stability: pd.DataFrame, *, trait: str | None = None) -> go.Figure:
    """How far other descriptions or questions would have chosen the same neurons.

    Args:
        stability: columns measure, unit, estimate, low, high; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("stability_bars", stability, ("measure", "unit", "estimate", "low", "high"))
    rows, trait = one_trait("stability_bars", stability, trait)
    drawn = figure(
        alt=f"Points with ranges: stability of {trait or 'the trait'} over descriptions and questions.",
        height=330,
        xaxis={"title": "Jaccard, or share of bootstraps (1: the same neurons)", "range": [-0.03, 1.04]},
        yaxis={"autorange": "reversed"},
        scattermode="group",
    )
    for (unit, own), (colour, symbol) in zip(
        rows.groupby("unit", sort=False), ((BLUE, "circle"), (GREEN, "diamond")), strict=False
    ):
        drawn.add_scatter(
            x=own["estimate"],
            y=own["measure"],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": own["high"] - own["estimate"],
                "arrayminus": own["estimate"] - own["low"],
                "color": translucent(colour, 0.6),
            },
            mode="markers",
            name=f"{unit}s",
            offsetgroup=str(unit),
            marker={"color": colour, "symbol": symbol, "size": 9},
            customdata=own[["low", "high"]],
            hovertemplate="%{y}: %{x:.2f} [%{customdata[0]:.2f}, %{customdata[1]:.2f}]<extra>%{fullData.name}</extra>",
        )
    return drawn


def exclusivity_scatter(contrasts: pd.DataFrame, *, min_d: float, trait: str | None = None) -> go.Figure:
    """Each neuron's effect of the low persona against that of the high one, both over the neutral persona.

    Args:
        contrasts: columns layer, neuron, d_high_neutral, d_low_neutral; `trait` where there are several.
        min_d: tau_d. Right of it lies High, above it Low, above and right of it what both raise.

    More than 4,000 neurons are thinned evenly, those beyond a threshold kept.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("exclusivity_scatter", contrasts, ("layer", "neuron", "d_high_neutral", "d_low_neutral"))
    rows, trait = one_trait("exclusivity_scatter", contrasts, trait)
    high, low = rows["d_high_neutral"] > min_d, rows["d_low_neutral"] > min_d
    groups = {
        "neither": (~high & ~low, GREY, "circle"),
        "high": (high & ~low, POLE_COLOURS["high"], "circle"),
        "low": (low & ~high, POLE_COLOURS["low"], "diamond"),
        "both": (high & low, PURPLE, "x"),
    }
    names = {"neither": "neither", "high": "high alone", "low": "low alone", "both": "both"}
    bound = (
        float(np.nanmax(np.abs(rows[["d_high_neutral", "d_low_neutral"]].replace([np.inf, -np.inf], np.nan)))) * 1.05
    )
    axis = {"range": [-bound, bound], "zeroline": True, "zerolinecolor": MUTED, "constrain": "domain"}
    drawn = figure(
        alt=f"Scatter: each neuron's effect under the high and under the low persona of {trait or 'the trait'}, both "
        "against the neutral persona, with the thresholds.",
        height=460,
        xaxis={"title": "d (high − neutral, pooled SD)", **axis},
        yaxis={"title": "d (low − neutral, pooled SD)", "scaleanchor": "x", **axis},
    )
    for name, (mask, colour, symbol) in groups.items():
        own = rows[mask]
        if name == "neither" or len(own) > _MOST_POINTS:
            own = own.iloc[:: max(1, len(own) * 2 // _MOST_POINTS)]
        drawn.add_scattergl(
            x=own["d_high_neutral"],
            y=own["d_low_neutral"],
            mode="markers",
            name=f"{names[name]} ({int(mask.sum())})",
            marker={"color": colour, "symbol": symbol, "size": 5 if name == "neither" else 6, "opacity": 0.55},
            customdata=own[["layer", "neuron"]],
            hovertemplate="layer %{customdata[0]}, neuron %{customdata[1]}<br>"
            "high %{x:+.2f}, low %{y:+.2f}<extra></extra>",
        )
    dashed = {"color": INK, "width": 1, "dash": "dash"}
    drawn.add_vline(x=min_d, line=dashed)
    drawn.add_hline(y=min_d, line=dashed)
    return drawn


def separability_by_layer(
    separability: pd.DataFrame,
    *,
    start: int | None = None,
    probe: str = "logistic",
    trait: str | None = None,
) -> go.Figure:
    """Held-out area under the curve of a probe at every layer, with its controls.

    Args:
        separability: columns layer, probe, control, auc, auc_error; `trait` where there are several.
        start: the start layer, marked.

    Raises:
        ValueError: for missing columns, or an unknown trait or probe.
    """
    check_columns("separability_by_layer", separability, ("layer", "probe", "control", "auc", "auc_error"))
    rows, trait = one_trait("separability_by_layer", separability, trait)
    rows = rows[rows["probe"] == probe]
    if rows.empty:
        raise ValueError(f"separability_by_layer has no probe {probe!r} to draw.")
    drawn = figure(
        alt=f"Lines: how well a {probe} probe tells the poles of {trait or 'the trait'} apart at each layer on unseen "
        "descriptions and questions, beside its controls.",
        height=340,
        xaxis={"title": "layer", "dtick": max(1, rows["layer"].nunique() // 16)},
        yaxis={"title": "held-out AUC (0.5: chance)", "range": [min(0.4, float(rows["auc"].min()) - 0.05), 1.03]},
    )
    styles = {
        "none": ("true labels", VERMILLION, "circle", "solid"),
        "shuffled labels": ("shuffled labels", GREY, "cross", "dot"),
        "random neurons": ("random neurons", BLUE, "square", "dash"),
    }
    for control, own in rows.groupby("control", sort=False):
        name, colour, symbol, dash = styles.get(str(control), (str(control), GREEN, "diamond", "dash"))
        own = own.sort_values("layer")
        drawn.add_scatter(
            x=own["layer"],
            y=own["auc"],
            error_y={"type": "data", "array": 1.96 * own["auc_error"], "color": translucent(colour, 0.55), "width": 2},
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": symbol, "size": 7},
            customdata=own["auc_error"],
            hovertemplate="layer %{x}: AUC %{y:.3f} ± %{customdata:.3f}<extra>" + name + "</extra>",
        )
    if start is not None:
        drawn.add_vline(
            x=start,
            line={"color": GREEN, "width": 1.5, "dash": "dash"},
            annotation={"text": f"start layer {start}", "font": {"color": GREEN}},
            annotation_position="bottom right",
        )
    return drawn


def overlap_heatmap(overlap: pd.DataFrame, *, quantity: str = "lift") -> go.Figure:
    """Overlap of every two traits' poles, as log2 of the lift over chance, or as Jaccard.

    Args:
        overlap: columns trait_a, pole_a, trait_b, pole_b, jaccard, lift, intersection, p_depletion,
            p_enrichment_holm, as `overlap_matrix` gives them.

    Cells tell how many neurons are shared; a star marks more than chance at 5 % (Holm). Where none are shared and
    chance would not give one either, the cell stays white.

    Raises:
        ValueError: for missing columns, or an unknown quantity.
    """
    needed = ("trait_a", "pole_a", "trait_b", "pole_b", "jaccard", "lift", "intersection")
    needed += ("p_depletion", "p_enrichment_holm")
    check_columns("overlap_heatmap", overlap, needed)
    if quantity not in ("lift", "jaccard"):
        raise ValueError(f"overlap_heatmap draws lift or jaccard, but {quantity!r} arrived.")
    first = overlap["trait_a"] + " " + overlap["pole_a"]
    second = overlap["trait_b"] + " " + overlap["pole_b"]
    names = list(dict.fromkeys([*first, *second]))
    grid = pd.DataFrame(np.nan, index=names, columns=names)
    hover = pd.DataFrame("", index=names, columns=names)
    marks = pd.DataFrame("", index=names, columns=names)
    values = overlap["jaccard"]
    if quantity == "lift":
        telling = (overlap["intersection"] > 0) | (overlap["p_depletion"] < 0.05)
        values = pd.Series(np.log2(overlap["lift"].clip(lower=2**-6))).where(telling, 0.0)
    for a, b, value, row in zip(first, second, values, overlap.to_dict("records"), strict=True):
        text = (
            f"{a} and {b}<br>{row['intersection']} shared, {row['lift']:.1f} times chance<br>Jaccard "
            f"{row['jaccard']:.3f}, p {row['p_enrichment_holm']:.2g} (Holm)"
        )
        star = f"{row['intersection']}{'*' if row['p_enrichment_holm'] < 0.05 else ''}"
        for x, y in ((a, b), (b, a)):
            grid.loc[x, y], hover.loc[x, y], marks.loc[x, y] = value, text, star
    bound = float(np.nanmax(np.abs(grid.to_numpy()))) or 1.0
    scale = {"colorscale": DIVERGING, "zmin": -bound, "zmax": bound} if quantity == "lift" else {"colorscale": "Blues"}
    title = "log2 lift<br>over chance" if quantity == "lift" else "Jaccard"
    drawn = figure(
        alt=f"Heat map of the {quantity} of every two of {len(names)} trait poles; stars mark more than chance.",
        height=200 + 34 * len(names),
        xaxis={"side": "bottom", "tickangle": 40, "showgrid": False},
        yaxis={"autorange": "reversed", "showgrid": False},
    )
    drawn.add_heatmap(
        x=names,
        y=names,
        z=grid.to_numpy(),
        text=marks.to_numpy(),
        texttemplate="%{text}",
        customdata=hover.to_numpy(),
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": title}, "thickness": 12},
        **scale,
    )
    return drawn


def balance_love(balance: pd.DataFrame, *, trait: str | None = None) -> go.Figure:
    """Love plot: the standardised difference of each confound between the poles, with its interval.

    Args:
        balance: columns measure, what, difference, difference_low, difference_high; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    needed = ("measure", "what", "difference", "difference_low", "difference_high")
    check_columns("balance_love", balance, needed)
    rows, trait = one_trait("balance_love", balance, trait)
    drawn = figure(
        alt=f"Points with intervals: how much each confound differs between the poles of {trait or 'the trait'}.",
        height=150 + 28 * len(rows),
        xaxis={"title": "standardised difference (high − low, Cohen's d)", "zeroline": True, "zerolinecolor": MUTED},
        yaxis={"autorange": "reversed"},
        showlegend=False,
    )
    drawn.add_vrect(x0=-0.1, x1=0.1, fillcolor=translucent(GREEN, 0.12), line_width=0)
    drawn.add_scatter(
        x=rows["difference"],
        y=rows["measure"],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": rows["difference_high"] - rows["difference"],
            "arrayminus": rows["difference"] - rows["difference_low"],
            "color": translucent(BLUE, 0.6),
        },
        mode="markers",
        marker={"color": BLUE, "size": 9},
        customdata=rows[["what", "difference_low", "difference_high"]],
        hovertemplate="%{customdata[0]}<br>%{x:+.2f} [%{customdata[1]:+.2f}, %{customdata[2]:+.2f}]<extra></extra>",
    )
    return drawn


def threshold_sweep(sensitivity: pd.DataFrame, *, trait: str | None = None) -> go.Figure:
    """Neurons that the dual rule selects against the quantile, a line for each tau_d.

    Args:
        sensitivity: columns quantile, min_d, selected, removed_by_d; `trait` where there are several.

    Raises:
        ValueError: for missing columns, or an unknown trait.
    """
    check_columns("threshold_sweep", sensitivity, ("quantile", "min_d", "selected", "removed_by_d"))
    rows, trait = one_trait("threshold_sweep", sensitivity, trait)
    rows = rows.assign(kept=1 - rows["quantile"])
    drawn = figure(
        alt=f"Lines: neurons selected for {trait or 'the trait'} against the share kept by magnitude, for each tau_d.",
        height=360,
        xaxis={
            "title": "share kept by magnitude (1 − q)",
            "type": "log",
            "tickformat": "~%",
            "tickvals": sorted(rows["kept"].round(6).unique()),
        },
        yaxis={"title": "neurons selected", "type": "log", "dtick": 1},
        legend={"title": {"text": "tau_d"}},
    )
    # Lines that lie on each other stay visible: the lower tau_d is paler and wider.
    shades = np.linspace(0.2, 1.0, max(2, rows["min_d"].nunique()))
    for (min_d, own), shade in zip(rows.groupby("min_d"), shades, strict=False):
        own = own[own["selected"] > 0].sort_values("kept")
        drawn.add_scatter(
            x=own["kept"],
            y=own["selected"],
            mode="lines+markers",
            name=f"{min_d:g}",
            line={"color": translucent(BLUE, float(shade)), "width": 11 - 9 * float(shade)},
            marker={"size": 5},
            customdata=own[["quantile", "removed_by_d"]],
            hovertemplate="q = %{customdata[0]}, tau_d = "
            f"{min_d:g}<br>%{{y}} neurons; %{{customdata[1]}} removed by d<extra></extra>",
        )
    return drawn
