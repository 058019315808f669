"""Figures of what else an edit moves: the trait edited against the trait measured."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from workbench.plots.drawing import literal_words
from workbench.plots.panels import axes, panels
from workbench.plots.tables import check_columns
from workbench.plots.theme import TEMPLATE, Look

_WAYS = {"increase": "increased", "decrease": "decreased"}


@literal_words
def specificity_heatmap(
    specificity: pd.DataFrame,
    *,
    arm: str | None = None,
    unit: str = "points",
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """The trait that is edited against the trait that is measured, a panel for each direction.

    Args:
        specificity: columns arm, edited, measured, direction, shift (in `unit`; positive where the measured trait moves
            the way the edited one is meant to), low, high, p_holm.
        arm: whose edits; by default those of the only arm in the table.
        unit: of the shift.

    A star marks a shift that differs from 0 at 5 % (Holm over all cells).

    Raises:
        ValueError: for missing columns, an arm that the table lacks, or several arms and none named.
    """
    needed = ("arm", "edited", "measured", "direction", "shift", "low", "high", "p_holm")
    check_columns("specificity_heatmap", specificity, needed)
    arms = list(dict.fromkeys(specificity["arm"]))
    if arm is None and len(arms) > 1:
        raise ValueError(
            f"specificity_heatmap draws one arm, but the table holds {', '.join(arms)}. Name one with arm=."
        )
    arm = arm or arms[0]
    if arm not in arms:
        raise ValueError(f"specificity_heatmap has no rows of arm {arm!r}; the table holds {', '.join(arms)}.")
    rows = specificity[specificity["arm"] == arm]
    look = Look.of(template)
    directions = [way for way in _WAYS if way in set(rows["direction"])]
    edited, measured = (list(dict.fromkeys(rows[name])) for name in ("edited", "measured"))
    measured = [*(trait for trait in edited if trait in measured), *(m for m in measured if m not in edited)]
    bound = float(rows["shift"].abs().max()) or 1.0
    drawn = panels(
        [f"trait {_WAYS[way]}" for way in directions],
        alt=f"Heat maps of how far each of {len(measured)} traits moves when another is edited by {arm}.",
        template=template,
        x_titles=["trait measured"] * len(directions),
        y_titles=["trait edited"] * len(directions),
        across=len(directions),
        height=60 + 40 * len(edited),
        shared_x=True,
        foot=120,
    )
    for panel, way in enumerate(directions):
        one_way = rows[rows["direction"] == way]
        shift, low, high, p = (
            one_way.pivot_table(index="edited", columns="measured", values=name)
            .reindex(index=edited, columns=measured)
            .to_numpy(float)
            for name in ("shift", "low", "high", "p_holm")
        )
        cells = [
            [
                f"{v:+.2f}{'*' if sure else ''}".replace("-", "−") if np.isfinite(v) else ""
                for v, sure in zip(*row, strict=True)
            ]
            for row in zip(shift, p < 0.05, strict=True)
        ]
        drawn.add_heatmap(
            x=measured,
            y=edited,
            z=shift,
            text=cells,
            texttemplate="%{text}",
            textfont={"size": 10},
            customdata=np.stack([low, high, p], axis=-1),
            hovertemplate="%{y} edited, %{x} measured<br>%{z:+.2f} [%{customdata[0]:+.2f}, %{customdata[1]:+.2f}], "
            "p %{customdata[2]:.2g} (Holm)<extra></extra>",
            colorscale=look.diverging,
            zmin=-bound,
            zmax=bound,
            xgap=1,
            ygap=1,
            showscale=panel == len(directions) - 1,
            colorbar={"title": {"text": f"shift<br>({unit})"}, "thickness": 12, "outlinewidth": 0},
            **axes(panel),
        )
    drawn.update_xaxes(tickangle=40, showgrid=False)
    drawn.update_yaxes(autorange="reversed", showgrid=False)
    return drawn
