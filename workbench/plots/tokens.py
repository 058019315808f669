"""A text as its tokens, each in the colour of its projection on a trait."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from workbench.plots.literal import literal
from workbench.plots.tables import check_columns, one_trait
from workbench.plots.theme import TEMPLATE, Look, figure, luminance

_NEEDED = ("text", "position", "token", "projection")
_LINE = 84  # characters of a line
_SIGNS = {"\n": "↵", "\r": "↵", "\t": "⇥", "\u00a0": "⍽", "": "◌"}
_PADDING = 0.95  # characters that plotly keeps free on both sides of a bar's text
_PIXELS = 21  # of a line
_GAP = 0.6  # lines between texts
_MONOSPACE = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def token_heat_map(
    tokens: pd.DataFrame,
    *,
    trait: str | None = None,
    bound: float | None = None,
    template: go.layout.Template = TEMPLATE,
) -> go.Figure:
    """Texts as their tokens in a row, coloured by the projection; hovering tells the numbers.

    Vermillion is more of the trait than in neutral texts, blue less. A frame stands around tokens whose projection lies
    outside the band of the random controls. Line breaks are shown as `↵`, tabs as `⇥`, a blank by itself as `␣`, and a
    token that is part of a character as `◌`.

    Args:
        tokens: a row for each token, as `Monitoring.frame` gives them: text, position, token, projection; where they
            are there, `null_low` and `null_high` draw the frames, and the other columns are told on hovering. `label`
            names each text; with `trait` where there are several.
        bound: the projection at which the colours end; by default the greatest of any token that somebody wrote.

    Raises:
        ValueError: for missing columns, an unknown trait, a projection that is not finite, or a bound that is not
            positive.
    """
    check_columns("token_heat_map", tokens, _NEEDED)
    rows, trait = one_trait("token_heat_map", tokens, trait)
    rows = rows.sort_values(["text", "position"], kind="stable").reset_index(drop=True)
    values = rows["projection"].to_numpy(float)
    if not np.isfinite(values).all():
        raise ValueError(f"token_heat_map draws finite projections, but {int((~np.isfinite(values)).sum())} are not.")
    bound = _bound(rows, values) if bound is None else float(bound)
    if not bound > 0:
        raise ValueError(f"The colours end at a bound above 0, but {bound:g} arrived.")
    look = Look.of(template)
    shown = [_shown(str(token)) for token in rows["token"]]
    starts, widths, lines = _laid(rows, shown)
    outside = _outside(rows)
    colours: Any = sample_colorscale(look.diverging, np.clip(values / bound, -1, 1) / 2 + 0.5)
    letters = {"family": _MONOSPACE, "size": 12, "color": [_ink(colour, look) for colour in colours]}
    ticks = [(lines[first], literal(label)) for first, label in _labels(rows)]
    height = 96 + round(_PIXELS * (float(lines.max()) + 1))
    drawn = figure(
        alt=_alt(rows, trait, outside),
        template=template,
        height=height,
        bargap=0,
        showlegend=False,
        xaxis={"visible": False, "range": [0, max(_LINE, int((starts + widths).max()))], "fixedrange": True},
        yaxis={
            "range": [float(lines.max()) + 0.6, -0.6],
            "tickvals": [line for line, _ in ticks],
            "ticktext": [label for _, label in ticks],
            "showgrid": False,
            "showline": False,
            "ticks": "",
            "fixedrange": True,
        },
    )
    drawn.add_bar(
        orientation="h",
        base=starts,
        x=widths,
        y=lines,
        width=0.88,
        text=[literal(text) for text in shown],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="inside",
        insidetextfont=letters,
        marker={"color": colours, "line": {"color": look.ink, "width": np.where(outside, 1.5, 0.0)}},
        customdata=["<br>".join(literal(line) for line in lines) for lines in _told(rows)],
        hovertemplate="%{customdata}<extra></extra>",
    )
    # A bar's letters need colours that plotly can read, so the scale of the colours stands on a trace without points.
    drawn.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        hoverinfo="skip",
        marker={
            "color": [0.0],
            "cmin": -bound,
            "cmax": bound,
            "cmid": 0,
            "colorscale": look.diverging,
            "showscale": True,
            "colorbar": {
                "title": {
                    "text": "projection (1 = the edit; 0 = neutral texts)",
                    "side": "right",
                    "font": {"size": 12},
                },
                "thickness": 12,
                "outlinewidth": 0,
            },
        },
    )
    return drawn


def _bound(rows: pd.DataFrame, values: np.ndarray) -> float:
    written = rows["position"].to_numpy() > 0
    if "part" in rows:
        written &= rows["part"].to_numpy() != "template"
    largest = float(np.abs(values[written] if written.any() else values).max())
    return largest or 1.0


def _shown(token: str) -> str:
    """The token with a sign for what would not be seen."""
    if not token.strip(" "):
        return "␣" * len(token) or _SIGNS[""]
    return "".join(_SIGNS.get(sign, sign) for sign in token)


def _laid(rows: pd.DataFrame, shown: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each token begins in its line, how wide it is, in characters, and its line; each text begins a new one."""
    starts, widths, lines = [], [], []
    line, column, before = 0.0, 0, None
    for text, token, seen in zip(rows["text"], rows["token"].astype(str), shown, strict=True):
        width = max(1, sum(_cells(sign) for sign in seen)) + _PADDING
        if before is not None and text != before:
            line, column = line + 1 + _GAP, 0
        elif column and column + width > _LINE:
            line, column = line + 1, 0
        starts.append(column)
        widths.append(width)
        lines.append(line)
        column += width
        before = text
        if token.endswith("\n"):
            column = _LINE
    return np.array(starts, dtype=float), np.array(widths, dtype=float), np.array(lines, dtype=float)


def _cells(sign: str) -> int:
    """How many characters of a monospaced line a sign takes."""
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _outside(rows: pd.DataFrame) -> np.ndarray:
    if not {"null_low", "null_high"} <= set(rows):
        return np.zeros(len(rows), dtype=bool)
    return ((rows["projection"] < rows["null_low"]) | (rows["projection"] > rows["null_high"])).to_numpy()


def _labels(rows: pd.DataFrame) -> list[tuple[int, str]]:
    """The first row of each text, and its name; none where there is one text without a name."""
    first = [int(at) for at in np.flatnonzero(~rows["text"].duplicated().to_numpy())]
    if "label" not in rows and len(first) == 1:
        return []
    names = rows["label" if "label" in rows else "text"].astype(str).tolist()
    return [(at, names[at]) for at in first]


def _ink(colour: str, look: Look) -> str:
    """The ink or the paper, whichever is read better on a colour."""
    ground = luminance(colour) + 0.05
    inks = {each: luminance(each) + 0.05 for each in (look.ink, look.paper)}
    return max(inks, key=lambda each: max(ground, inks[each]) / min(ground, inks[each]))


def _told(rows: pd.DataFrame) -> list[list[str]]:
    """What hovering over each token tells, line by line."""
    told = []
    for row in rows.to_dict("records"):
        lines = [f"{row['token']!r}", f"projection {row['projection']:+.3f}"]
        if "quantile" in row:
            lines.append(f"above {row['quantile']:.0%} of neutral tokens")
        if {"null_low", "null_high"} <= set(row):
            lines.append(f"random controls {row['null_low']:+.3f} to {row['null_high']:+.3f}")
        if "p_random" in row:
            lines.append(f"p {row['p_random']:.3f}")
        lines += [
            f"{pole} neurons {row[f'{pole}_activity']:+.3f}" for pole in ("high", "low") if f"{pole}_activity" in row
        ]
        if "part" in row:
            lines.append(f"{row['part']}, token {row['position']}")
        told.append(lines)
    return told


def _alt(rows: pd.DataFrame, trait: str, outside: np.ndarray) -> str:
    texts = rows["text"].nunique()
    values = rows["projection"]
    said = (
        f"{texts} text{'s' * (texts != 1)} of {len(rows)} tokens, coloured by their projection on {trait or 'a trait'}"
    )
    framed = f"; {int(outside.sum())} tokens lie outside the random controls" if {"null_low"} <= set(rows) else ""
    return f"{said}, from {values.min():+.2f} to {values.max():+.2f}{framed}."
