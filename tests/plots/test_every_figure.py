"""What all figures have in common: templates, checked columns, words, and the layout for a narrow column."""

import json
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
import pytest

from tests.plots.small_tables import Drawn, every_figure
from workbench import plots
from workbench.arm.registry import BUILT_IN
from workbench.plots.palette import arm_styles
from workbench.plots.theme import BLUE, INK, MUTED, Look, luminance

FIGURES = every_figure()
NO_FIGURES = {"DARK", "TEMPLATE", "Legend", "narrowed", "save_data", "save_figure", "save_figures"}
each_figure = pytest.mark.parametrize("drawn", FIGURES.values(), ids=FIGURES.keys())


def text_without_template(figure: go.Figure) -> str:
    told = json.loads(figure.to_json() or "")
    del told["layout"]["template"]
    return json.dumps(told)


def test_every_public_figure_is_here() -> None:
    assert set(FIGURES) == set(dir(plots)) - NO_FIGURES


@each_figure
def test_a_figure_takes_its_template_and_no_other(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    before = drawn.figure().to_json()
    assert drawn.figure().layout.template == plots.TEMPLATE
    dark = drawn.figure(template=plots.DARK)
    assert dark.layout.template == plots.DARK
    default = pio.templates.default
    monkeypatch.setattr(pio.templates, "_default", "plotly_dark")
    assert drawn.figure().to_json() == before
    monkeypatch.undo()
    assert pio.templates.default == default


@each_figure
def test_inks_follow_the_template(drawn: Drawn) -> None:
    told = text_without_template(drawn.figure(template=plots.DARK))
    for ink in (INK, MUTED, "white", "#ffffff", "black"):
        assert f'"{ink}"' not in told


@each_figure
def test_a_foreign_template_will_do(drawn: Drawn) -> None:
    for name in ("plotly_white", "plotly_dark", "none"):
        template = pio.templates[name]
        assert drawn.figure(template=template).layout.template == template


@pytest.mark.parametrize(
    ("name", "column"), [(name, column) for name, each in FIGURES.items() for column in each.needed]
)
def test_a_missing_column_is_named(name: str, column: str) -> None:
    drawn = FIGURES[name]
    with pytest.raises(ValueError, match=rf"{name} needs columns .*; missing \['{column}'\] from \["):
        drawn.draw(drawn.table.drop(columns=column), **drawn.arguments)


@each_figure
def test_an_empty_table_is_refused(drawn: Drawn) -> None:
    with pytest.raises(ValueError, match="needs rows to draw, but the table is empty"):
        drawn.draw(drawn.table.head(0), **drawn.arguments)


@each_figure
def test_a_table_stays_as_it_was(drawn: Drawn) -> None:
    before = drawn.table.copy()
    drawn.figure()
    assert drawn.table.equals(before)


@each_figure
def test_a_figure_says_in_words_what_it_shows(drawn: Drawn) -> None:
    layout = drawn.figure().layout
    assert layout.meta["alt"].endswith(".")
    assert layout.width is None
    assert layout.height


@each_figure
def test_a_narrow_figure_shows_the_same_in_the_same_words(drawn: Drawn) -> None:
    figure = drawn.figure()
    before = figure.to_json()
    narrow: Any = plots.narrowed(figure, width=385)
    assert figure.to_json() == before
    assert len(narrow.data) == len(figure.data)
    assert narrow.layout.meta["alt"] == figure.layout.meta["alt"]
    assert plots.narrowed(narrow, width=385) == narrow
    for axis in (*narrow.select_xaxes(), *narrow.select_yaxes()):
        words = (axis.title.text or "").replace("<br>", " ")
        assert max((len(line) for line in (axis.title.text or "").split("<br>")), default=0) <= 60
        own = {
            (each.title.text or "").replace("<br>", " ") for each in (*figure.select_xaxes(), *figure.select_yaxes())
        }
        assert words in own


def test_panels_stand_above_each_other_where_the_column_is_narrow() -> None:
    wide: Any = FIGURES["changes_by_dose"].figure()
    narrow: Any = plots.narrowed(wide)
    assert len({axis.domain for axis in wide.select_xaxes()}) == 3
    assert {axis.domain for axis in narrow.select_xaxes()} == {(0, 1)}
    tops = [axis.domain[1] for axis in narrow.select_yaxes()]
    assert tops == sorted(tops, reverse=True)
    assert [axis.title.text for axis in narrow.select_xaxes()] == ["", "", "gamma (dose)"]
    assert narrow.layout.height > 2 * wide.layout.height


def test_arms_stay_beside_each_other_in_a_narrow_column() -> None:
    narrow: Any = plots.narrowed(FIGURES["arms_compared"].figure())
    assert len({axis.domain for axis in narrow.select_xaxes()}) == 3


def test_a_figure_from_elsewhere_can_be_narrowed() -> None:
    figure = go.Figure(go.Scatter(x=[0], y=[1]), layout={"xaxis": {"title": "a long title of an axis " * 4}})
    assert "<br>" in plots.narrowed(figure, width=385).layout["xaxis"]["title"]["text"]


def test_the_colour_scale_lies_above_where_there_is_no_legend() -> None:
    narrow: Any = plots.narrowed(FIGURES["overlap_heatmap"].figure())
    assert narrow.data[0].colorbar.orientation == "h"
    assert narrow.data[0].colorbar.title.text == "log2 lift over chance"


def test_the_palette_is_kept_on_light_paper_and_legible_on_dark() -> None:
    light, dark = Look.of(plots.TEMPLATE), Look.of(plots.DARK)
    ground = luminance(dark.paper) + 0.05
    colours = {style.colour for style in arm_styles({spec.name: spec.role for spec in BUILT_IN}).values()}
    assert len(colours) > 10
    for colour in colours:
        assert light.colour(colour) == colour
        assert (luminance(dark.colour(colour)) + 0.05) / ground >= 4.0
    assert len({dark.colour(colour) for colour in colours}) == len(colours)
    assert dark.colour(BLUE) != BLUE
    assert dark.colour(INK) == dark.ink


@pytest.mark.parametrize("template", [plots.TEMPLATE, plots.DARK])
def test_text_stands_out_from_the_paper(template: go.layout.Template) -> None:
    look = Look.of(template)
    paper = luminance(look.paper)
    for colour, least in ((look.ink, 7.0), (look.muted, 4.5)):
        dark, light = sorted((luminance(colour), paper))
        assert (light + 0.05) / (dark + 0.05) >= least


def test_diverging_scales_are_alike_on_both_sides() -> None:
    for template in (plots.TEMPLATE, plots.DARK):
        steps = [luminance(str(colour)) for _, colour in Look.of(template).diverging]
        assert abs(steps[0] - steps[-1]) < 0.1
        assert abs(steps[1] - steps[-2]) < 0.2
