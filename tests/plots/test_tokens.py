"""The heat map of a text's tokens."""

import html
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plotly.colors import sample_colorscale

from tests.plots.small_tables import WORDS, every_figure
from workbench import plots
from workbench.plots.theme import Look, luminance

TABLE = every_figure()["token_heat_map"].table


def bars_of(table: pd.DataFrame, **more: Any) -> Any:
    drawn: Any = plots.token_heat_map(table, **more)
    return drawn.data[0]


def scale_of(table: pd.DataFrame, **more: Any) -> Any:
    drawn: Any = plots.token_heat_map(table, **more)
    return drawn.data[1].marker


def test_every_token_is_shown_in_its_place_and_its_colour() -> None:
    drawn: Any = plots.token_heat_map(TABLE)
    bars, scale = drawn.data
    shown = [html.unescape(text) for text in bars.text]
    assert shown[: len(WORDS)] == ["Hi", " <b>", "↵", "␣", "東京", "◌", "🎉", "e\u0301", "$x$", "%{x}", "&lt;"]
    shares = TABLE["projection"].clip(-1.7, 1.7) / 3.4 + 0.5
    assert list(bars.marker.color) == sample_colorscale(Look.of(plots.TEMPLATE).diverging, shares)
    assert scale.marker.cmax == -scale.marker.cmin == pytest.approx(1.7)
    assert scale.marker.cmid == 0
    assert [list(each) for each in scale.marker.colorscale] == [
        list(each) for each in Look.of(plots.TEMPLATE).diverging
    ]
    # Tokens of a line follow each other without overlap; a line break, a full line and a new text begin a new one.
    frame = pd.DataFrame({"line": bars.y, "start": bars.base, "width": bars.x, "text": TABLE["text"]})
    for _, line in frame.groupby("line"):
        ends = (line["start"] + line["width"]).to_numpy(float)
        np.testing.assert_allclose(line["start"].to_numpy(float)[1:], ends[:-1])
        assert line["start"].iloc[0] == 0
        assert len(set(line["text"])) == 1
        assert ends[-1] <= drawn.layout.xaxis.range[1]
    assert frame["line"].iloc[3] > frame["line"].iloc[2]
    assert len(set(frame.loc[frame["text"] == 1, "line"])) > 1
    assert bars.x[4] - bars.x[0] == 2  # two wide characters beside two narrow ones
    assert list(drawn.layout.yaxis.ticktext) == ["Unedited", "Steered"]


def test_tokens_beyond_the_controls_are_framed_and_hovering_tells_all() -> None:
    bars = bars_of(TABLE)
    outside = (TABLE["projection"] < TABLE["null_low"]) | (TABLE["projection"] > TABLE["null_high"])
    assert [width > 0 for width in bars.marker.line.width] == outside.tolist()
    told = html.unescape(bars.customdata[1])
    for part in ("' <b>'", "-0.100", "50%", "-0.100 to +0.200", "p 0.100", "high neurons +0.200", "user, token 1"):
        assert part in told
    plain = bars_of(TABLE[["text", "position", "token", "projection"]])
    assert not any(plain.marker.line.width)


@pytest.mark.parametrize("template", [plots.TEMPLATE, plots.DARK])
def test_words_are_legible_on_every_colour(template: Any) -> None:
    table = pd.DataFrame({"text": 0, "position": range(41), "token": "a", "projection": np.linspace(-1, 1, 41)})
    bars = bars_of(table, template=template)
    colours: Any = sample_colorscale(Look.of(template).diverging, np.linspace(0, 1, 41))
    for ink, ground in zip(bars.insidetextfont.color, colours, strict=True):
        dark, light = sorted((luminance(ink), luminance(ground)))
        assert (light + 0.05) / (dark + 0.05) >= 3.9


def test_template_tokens_do_not_set_the_colours() -> None:
    table = pd.DataFrame(
        {"text": 0, "position": [0, 1, 2], "token": ["<s>", "a", "b"], "projection": [-9.0, 0.5, -0.25]}
    ).assign(part=["template", "user", "user"])
    assert scale_of(table).cmax == 0.5
    assert scale_of(table, bound=2.0).cmax == 2
    assert scale_of(table.assign(projection=0.0)).cmax == 1
    with pytest.raises(ValueError, match="above 0, but -1"):
        plots.token_heat_map(table, bound=-1.0)
    with pytest.raises(ValueError, match="finite projections, but 1"):
        plots.token_heat_map(table.assign(projection=[0.0, np.nan, 1.0]))
