"""How every figure looks: one template, colours that colour-blind readers can tell apart, and checked columns."""

from collections.abc import Iterable, Sequence

import pandas as pd
import plotly.graph_objects as go

INK, MUTED, GRID = "#222222", "#5f6368", "#e3e6ea"

# Okabe and Ito's palette; black is kept for text, yellow is too pale on white.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#7a7a7a",
)

POLE_COLOURS = {"high": VERMILLION, "low": BLUE, "neutral": GREY}
POLE_SYMBOLS = {"high": "circle", "low": "diamond", "neutral": "cross-thin"}

ARM_COLOURS = {
    "DPN-LE": VERMILLION,
    "DPN-LE weighted": ORANGE,
    "magnitude only": PURPLE,
    "broad": BLUE,
    "random": GREY,
    "residual": GREEN,
    "NPTI": SKY,
    "heads": "#8c564b",
    "none": INK,
}
ARM_SYMBOLS = {
    "DPN-LE": "circle",
    "DPN-LE weighted": "circle-open",
    "magnitude only": "x-thin-open",
    "broad": "square",
    "random": "cross",
    "residual": "diamond",
    "NPTI": "triangle-up",
    "heads": "triangle-down",
    "none": "star",
}
_OTHER_COLOURS = ("#17807e", "#b3446c", "#8a6d00", "#4b4f91")
_OTHER_SYMBOLS = ("pentagon", "hexagon", "star-triangle-up", "hourglass")

# Blue through white to vermillion: zero is white, both signs are equally dark.
DIVERGING = [
    [0.0, "#053c66"],
    [0.25, "#4a94c9"],
    [0.5, "#f7f7f7"],
    [0.75, "#e8894f"],
    [1.0, "#7f3300"],
]

_AXIS = {
    "showline": True,
    "linecolor": MUTED,
    "linewidth": 1,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": MUTED,
    "gridcolor": GRID,
    "zeroline": False,
    "title": {"standoff": 8, "font": {"size": 13}},
    "automargin": True,
}

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "Helvetica Neue, Helvetica, Arial, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "margin": {"l": 60, "r": 16, "t": 28, "b": 52},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.02,
            "x": 0,
            "bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12},
        },
        "hoverlabel": {"align": "left"},
        "colorway": [VERMILLION, BLUE, GREEN, ORANGE, SKY, PURPLE, GREY],
    }
)


def figure(*, alt: str, height: int = 380, **layout: object) -> go.Figure:
    """An empty figure in the workbench's look, with its alternative text in `layout.meta["alt"]`."""
    return go.Figure(layout={"template": TEMPLATE, "height": height, "meta": {"alt": alt}, **layout})


def check_columns(name: str, frame: pd.DataFrame, needed: Sequence[str], *, may_be_empty: bool = False) -> None:
    """Refuse a frame that a figure cannot draw.

    Raises:
        ValueError: naming the columns that are missing, or if there are no rows and `may_be_empty` is false.
    """
    missing = [column for column in needed if column not in frame]
    if missing:
        raise ValueError(f"{name} needs columns {', '.join(needed)}; missing {missing} from {list(frame.columns)}.")
    if frame.empty and not may_be_empty:
        raise ValueError(f"{name} needs rows to draw, but the table is empty.")


def one_trait(name: str, frame: pd.DataFrame, trait: str | None) -> tuple[pd.DataFrame, str]:
    """The rows of one trait, and its name; without `trait`, the frame must hold one alone.

    Raises:
        ValueError: if the trait is not there, or several are and none is named.
    """
    if "trait" not in frame:
        return frame, trait or ""
    there = list(dict.fromkeys(frame["trait"].astype(str)))
    if trait is None:
        if len(there) > 1:
            raise ValueError(f"{name} draws one trait, but the table holds {', '.join(there)}. Name one with trait=.")
        trait = there[0]
    if trait not in there:
        raise ValueError(f"{name} has no rows of trait {trait!r}; the table holds {', '.join(there)}.")
    return frame[frame["trait"] == trait], trait


def arm_style(arm: str, arms: Iterable[str]) -> tuple[str, str]:
    """The colour and the symbol of an arm; arms without one of their own take the next that is free."""
    if arm in ARM_COLOURS:
        return ARM_COLOURS[arm], ARM_SYMBOLS[arm]
    others = [other for other in dict.fromkeys(arms) if other not in ARM_COLOURS]
    place = others.index(arm)
    return _OTHER_COLOURS[place % len(_OTHER_COLOURS)], _OTHER_SYMBOLS[place % len(_OTHER_SYMBOLS)]


def translucent(colour: str, opacity: float) -> str:
    """A `#rrggbb` colour as rgba.

    Example:
        >>> translucent("#0072B2", 0.2)
        'rgba(0, 114, 178, 0.2)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
