"""How every figure looks: templates, colours that colour-blind readers can tell apart, and the inks of a template."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, unlabel_rgb

from workbench.plots.colours import (
    BLUE,
    GREEN,
    GREY,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    VERMILLION,
)

Figure = go.Figure
"""What every plotting function returns."""

POLE_COLOURS = {"high": VERMILLION, "low": BLUE, "neutral": GREY}
POLE_SYMBOLS = {"high": "circle", "low": "diamond", "neutral": "cross-thin"}

# Zero takes the ground's colour, both signs stand out alike: blue below, vermillion above.
_DIVERGING = {
    "light": ["#053c66", "#4a94c9", "#f7f7f7", "#e8894f", "#7f3300"],
    "dark": ["#a6d5f7", "#2f7db8", "#262a31", "#bf5f28", "#ffc49c"],
}
_SEQUENTIAL = {"light": ["#f7fbff", "#9ecae1", "#08519c"], "dark": ["#262a31", "#2f7db8", "#a6d5f7"]}
_LEGIBLE = 4.0  # least contrast of a mark with a dark ground


def _template(ground: str, *, ink: str, muted: str, grid: str, paper: str) -> go.layout.Template:
    axis = {
        "showline": True,
        "linecolor": muted,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": muted,
        "gridcolor": grid,
        "zeroline": False,
        "zerolinecolor": muted,
        "title": {"standoff": 8, "font": {"size": 13}},
        "automargin": True,
    }
    look = Look(ink=ink, muted=muted, grid=grid, paper=paper, diverging=[], sequential=[])
    return go.layout.Template(
        layout={
            "font": {"family": "Helvetica Neue, Helvetica, Arial, sans-serif", "size": 13, "color": ink},
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "margin": {"l": 60, "r": 16, "t": 28, "b": 52},
            "xaxis": axis,
            "yaxis": axis,
            "legend": {
                "orientation": "h",
                "yanchor": "bottom",
                "y": 1.02,
                "x": 0,
                "bgcolor": "rgba(0,0,0,0)",
                "font": {"size": 12},
            },
            "hoverlabel": {"align": "left"},
            "colorscale": {"diverging": _steps(_DIVERGING[ground]), "sequential": _steps(_SEQUENTIAL[ground])},
            "colorway": [look.colour(each) for each in (VERMILLION, BLUE, GREEN, ORANGE, SKY, PURPLE, GREY)],
        }
    )


def _steps(colours: list[str]) -> list[list[float | str]]:
    """Colours evenly apart, as plotly's scales are written."""
    return [[step / (len(colours) - 1), colour] for step, colour in enumerate(colours)]


def _pairs(scale: Iterable[Any]) -> list[list[float | str]]:
    return [[float(position), str(colour)] for position, colour in scale]


@dataclass(frozen=True)
class Look:
    """The inks of a template.

    Attributes:
        ink: text and thresholds.
        muted: zero lines and what stands back.
        grid: grid lines.
        paper: the ground, and the outlines of marks that lie on others.
        diverging: a colour scale whose middle is the ground.
        sequential: a colour scale that starts at the ground.
    """

    ink: str
    muted: str
    grid: str
    paper: str
    diverging: list[list[float | str]]
    sequential: list[list[float | str]]

    @classmethod
    def of(cls, template: go.layout.Template) -> "Look":
        """The inks that a template names; those that it does not are the light ones, or the dark ones on dark paper."""
        layout: Any = template.layout
        paper = layout.paper_bgcolor or PAPER
        other: Any = TEMPLATE.layout if luminance(paper) > 0.5 else DARK.layout
        return cls(
            ink=layout.font.color or other.font.color,
            muted=layout.xaxis.tickcolor or other.xaxis.tickcolor,
            grid=layout.xaxis.gridcolor or other.xaxis.gridcolor,
            paper=paper,
            diverging=_pairs(layout.colorscale.diverging or other.colorscale.diverging),
            sequential=_pairs(layout.colorscale.sequential or other.colorscale.sequential),
        )

    def colour(self, colour: str) -> str:
        """A colour of the palette as it is on light paper; on dark paper with as much white as makes it legible.

        Example:
            >>> Look.of(TEMPLATE).colour(BLUE), Look.of(DARK).colour(BLUE)
            ('#0072B2', '#1a80ba')
        """
        if luminance(self.paper) > 0.5:
            return colour
        if colour == INK:
            return self.ink
        ground = luminance(self.paper) + 0.05
        parts = _rgb(colour)
        for white in range(0, 101, 2):
            mixed = [part + (255 - part) * white / 100 for part in parts]
            shown = "#{:02x}{:02x}{:02x}".format(*(round(part) for part in mixed)) if white else colour
            if (luminance(shown) + 0.05) / ground >= _LEGIBLE:
                return shown
        return self.ink

    def pole(self, pole: str) -> tuple[str, str]:
        """The colour and the symbol of a pole."""
        return self.colour(POLE_COLOURS[pole]) if pole in POLE_COLOURS else self.muted, POLE_SYMBOLS.get(pole, "circle")

    @property
    def threshold(self) -> dict[str, object]:
        """The line at a bound that a reader should see."""
        return {"color": self.ink, "width": 1.2, "dash": "dash"}


def luminance(colour: str) -> float:
    """Relative luminance of a colour, from 0 (black) to 1 (white), as WCAG 2 defines it.

    Example:
        >>> luminance("#ffffff"), luminance("black")
        (1.0, 0.0)
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (p / 255 for p in _rgb(colour))]
    return round(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2], 6)


def _rgb(colour: str) -> tuple[float, ...]:
    """Parts of a `#rrggbb` or `rgb(...)` colour from 0 to 255. Of names, black is known; others count as white."""
    if colour.startswith("#"):
        return tuple(float(part) for part in hex_to_rgb(colour))
    if colour.startswith("rgb("):
        return tuple(float(part) for part in unlabel_rgb(colour))
    return (0.0,) * 3 if colour == "black" else (255.0,) * 3


def translucent(colour: str, opacity: float) -> str:
    """A colour as rgba.

    Example:
        >>> translucent("#0072B2", 0.2)
        'rgba(0, 114, 178, 0.2)'
    """
    red, green, blue = (round(part) for part in _rgb(colour))
    return f"rgba({red}, {green}, {blue}, {opacity})"


TEMPLATE = _template("light", ink=INK, muted=MUTED, grid=GRID, paper=PAPER)
"""The workbench's look on white."""

DARK = _template("dark", ink="#e8eaed", muted="#a3a9b1", grid="#30353d", paper="#16191e")
"""The same on a dark ground: every colour as light as it must be to be read there."""


def figure(*, alt: str, template: go.layout.Template, height: int = 380, **layout: object) -> go.Figure:
    """An empty figure in the template's look, with its alternative text in `layout.meta["alt"]`."""
    return go.Figure(layout={"template": template, "height": height, "meta": {"alt": alt}, **layout})
