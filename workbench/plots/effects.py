"""The map of effects on neurons, layer by layer."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.neurons import EFFECTS, HOVER, HOVERED, NEEDED, hovering, largest, marked_by, names_of
from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import TEMPLATE, Look, figure

_MOST_COLUMNS = 800
_ORDERS = {
    "rank": ("rank within its layer (lowest effect first)", "ordered within each layer"),
    "neuron": ("neuron (index within its layer)", "by index"),
}


@literal_words
def effect_map(
    effects: pd.DataFrame,
    *,
    trait: str | None = None,
    statistic: str = "cohens_d",
    order: str = "rank",
    neurons: pd.DataFrame | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Layer × neuron map: each layer's neurons in order of their effect or of their index, the chosen ones marked.

    Args:
        effects: a row per neuron: layer, neuron, mean_difference, cohens_d, d_low, d_high; with `trait` where
            there are several, and `selected` (`high`, `low` or empty) to mark neurons.
        statistic: `cohens_d` or `mean_difference`; positive (vermillion) is more active on the high pole.
        order: `rank`, the lowest effect of each layer first, or `neuron`, by index.
        neurons: the neurons to mark, instead of `selected`: columns layer, neuron, pole, as a selection's frame.

    Layers wider than 800 neurons are drawn in 800 columns. In order of rank these are evenly spaced ranks. In order
    of neurons each column shows the neuron of the greatest magnitude among those it stands for, and hovering tells
    which one: such columns look stronger than most of their neurons are. Marks stay at their true rank or index. An
    infinite d (a neuron constant on both poles) takes the colour of the largest finite one; hovering tells it as
    it is.

    Raises:
        ValueError: for missing columns, an unknown trait, statistic or order, or neurons that the effects lack.
    """
    if statistic not in EFFECTS:
        raise ValueError(f"effect_map draws {' or '.join(EFFECTS)}, but {statistic!r} arrived.")
    if order not in _ORDERS:
        raise ValueError(f"effect_map orders neurons by {' or '.join(_ORDERS)}, but {order!r} arrived.")
    check_columns("effect_map", effects, NEEDED)
    rows, trait = one_trait("effect_map", effects, trait)
    if neurons is not None:
        rows = marked_by("effect_map", rows, neurons, trait)
    rows = rows.sort_values(["layer", statistic])
    rows = rows.assign(position=rows.groupby("layer").cumcount() if order == "rank" else rows["neuron"])
    look, layers, width = Look.of(template), sorted(rows["layer"].unique().tolist()), int(rows["position"].max()) + 1
    columns = min(width, _MOST_COLUMNS)
    if order == "rank":
        centres = np.unique(np.linspace(0, width - 1, columns).round().astype(int))
        shown = rows[rows["position"].isin(centres)]
        shown = shown.assign(column=np.searchsorted(centres, shown["position"]))
    else:
        centres = (np.arange(columns) + 0.5) * width / columns - 0.5  # the middle of each column's neurons
        shown = rows.assign(column=rows["position"] * columns // width, magnitude=rows[statistic].abs().fillna(-1))
        shown = shown.sort_values("magnitude").drop_duplicates(["layer", "column"], keep="last")
    values, hover = _grid(shown, layers, len(centres), statistic)
    bound = largest(rows[statistic])
    drawn = figure(
        alt=f"Heat map of the effect of {trait or 'the trait'} on {width} neurons in each of {len(layers)} layers, "
        f"{_ORDERS[order][1]}, with the chosen neurons marked.",
        template=template,
        height=110 + max(170, 30 * len(layers)),
        xaxis={
            "title": _ORDERS[order][0],
            "showgrid": False,
            "range": [-0.02 * width, 1.02 * width],  # room for marks at both ends
        },
        yaxis={
            "title": "layer",
            "type": "category",  # rows of equal height, also where layers are left out
            "autorange": "reversed",
            "showgrid": False,
            "dtick": max(1, len(layers) // 16),
        },
    )
    drawn.add_heatmap(
        x=centres,
        y=layers,
        z=values.clip(-bound, bound),
        zmin=-bound,
        zmax=bound,
        zmid=0,
        colorscale=look.diverging,
        **hover,
        hovertemplate=f"{HOVER}<extra></extra>",
        hoverongaps=False,
        colorbar={
            "title": {"text": EFFECTS[statistic], "side": "right", "font": {"size": 12}},
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    if "selected" in rows:
        for pole in ("high", "low"):
            _mark(drawn, rows[rows["selected"] == pole], pole, look)
    return drawn


def _grid(
    shown: pd.DataFrame, layers: list[int], columns: int, statistic: str
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    cells = ([layers.index(layer) for layer in shown["layer"]], shown["column"].to_numpy(int))
    values = np.full((len(layers), columns), np.nan)
    values[cells] = shown[statistic]
    named = np.full(values.shape, "", dtype=object)
    named[cells] = names_of(shown)
    hovered = np.full((*values.shape, len(HOVERED)), np.nan, dtype=np.float32)
    hovered[cells] = shown[list(HOVERED)].to_numpy(np.float32)
    return values, {"text": named, "customdata": hovered}


def _mark(drawn: go.Figure, chosen: pd.DataFrame, pole: str, look: Look) -> None:
    if chosen.empty:
        return
    colour, symbol = look.pole(pole)
    drawn.add_scatter(
        x=chosen["position"],
        y=chosen["layer"],
        mode="markers",
        name=f"{pole.capitalize()} neurons ({len(chosen)})",
        marker={"symbol": symbol, "size": 7, "color": colour, "line": {"color": look.paper, "width": 1}},
        cliponaxis=False,
        **hovering(chosen, extra="chosen"),
    )
