"""Tables of effects on neurons: their columns, the neurons that are marked, and what hovering tells of each."""

from typing import Any

import numpy as np
import pandas as pd

from workbench.plots.tables import check_columns

NEEDED = ("layer", "neuron", "mean_difference", "cohens_d", "d_low", "d_high")
"""Columns of a table of effects, a row a neuron."""
HOVERED = ("mean_difference", "cohens_d", "d_low", "d_high")
"""Those that hovering tells, as `HOVER` writes them."""
HOVER = (
    "%{text}<br>mean difference %{customdata[0]:+.3~g}<br>"
    "d %{customdata[1]:+.2f} [%{customdata[2]:+.2f}, %{customdata[3]:+.2f}]"
)
EFFECTS = {
    "cohens_d": "Cohen's d (high − low, pooled SD)",
    "mean_difference": "mean difference (high − low, activation units)",
}
"""Titles of axes by the statistic."""


def marked_by(name: str, rows: pd.DataFrame, neurons: pd.DataFrame, trait: str) -> pd.DataFrame:
    """The rows with `selected` from a table of chosen neurons."""
    check_columns(f"{name}'s neurons", neurons, ("layer", "neuron", "pole"), may_be_empty=True)
    if "trait" in neurons and trait:
        neurons = neurons[neurons["trait"] == trait]
    pole_of = {(row.layer, row.neuron): row.pole for row in neurons.itertuples()}
    known = list(zip(rows["layer"], rows["neuron"], strict=True))
    lacking = sorted(set(pole_of) - set(known))
    if lacking:
        raise ValueError(
            f"{name} has no effect of layer {lacking[0][0]}, neuron {lacking[0][1]}, which neurons= names. "
            "Pass the effects that the neurons were chosen from."
        )
    return rows.assign(selected=pd.Series([str(pole_of.get(each, "")) for each in known], index=rows.index))


def largest(values: pd.Series) -> float:
    """The largest finite magnitude; 1 where there is none, so that an axis about zero has a width."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if len(finite) and finite.max() > 0 else 1.0


def names_of(rows: pd.DataFrame) -> list[str]:
    """Which neurons they are; a click tells it too."""
    return [f"layer {layer}, neuron {neuron}" for layer, neuron in zip(rows["layer"], rows["neuron"], strict=True)]


def hovering(rows: pd.DataFrame, *, extra: str = "") -> dict[str, Any]:
    """Layer, neuron, mean difference and d with its interval; as numbers, since text weighs far more."""
    return {
        "text": names_of(rows),
        "customdata": rows[list(HOVERED)].to_numpy(np.float32),
        "hovertemplate": f"{HOVER}<extra>{extra}</extra>",
    }


def evenly(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many of the rows, evenly taken from the first to the last."""
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))]


def counted(drawn: pd.DataFrame, rows: pd.DataFrame) -> str:
    """How many neurons there are, and of how many a point is drawn where that is not of all."""
    whole = f"{len(rows):,}"
    return whole if len(drawn) == len(rows) else f"{whole}, {len(drawn):,} drawn"
