"""Figures of doses and costs: fluency, breadth, sweeps, and the shift at which arms are compared."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.plots.small_tables import LEGEND, breadth, every_figure, fluency, sweep
from workbench import plots
from workbench.plots import Legend


def test_changes_by_dose_have_a_panel_a_quantity() -> None:
    drawn: Any = plots.changes_by_dose(fluency(), legend=LEGEND)
    assert [note.text for note in drawn.layout.annotations] == [
        "change of log perplexity<br>(nats)",
        "change of repetition<br>(percentage points)",
        "change of length of<br>answers<br>(tokens)",
    ]
    assert [(trace.name, trace.xaxis) for trace in drawn.data[:2]] == [("random", "x"), ("DPN-LE", "x")]
    ours = drawn.data[1]
    assert list(ours.x) == [0.5, 1.0]
    np.testing.assert_allclose(ours.error_y.array, 0.2)
    np.testing.assert_allclose(ours.error_y.arrayminus, 0.1)
    assert drawn.layout.yaxis2.tickformat == "~%"
    assert sum(bool(trace.showlegend) for trace in drawn.data) == 2
    assert drawn.layout.yaxis3.tickformat == ""
    two: Any = plots.changes_by_dose(fluency().query("quantity != 'repetition_change'"))
    assert [note.text for note in two.layout.annotations] == ["change of perplexity", "change of length"]


def test_quantile_sweep_marks_the_study_and_labels_what_was_run() -> None:
    drawn: Any = plots.quantile_sweep(sweep(), quantile=0.995, legend=LEGEND)
    assert drawn.layout.xaxis.type == "log"
    assert list(drawn.layout.xaxis.tickvals) == [0.001, 0.005, 0.05]
    assert list(drawn.layout.xaxis.ticktext) == ["0.1 %", "0.5 %", "5 %"]
    assert [(shape.x0, shape.xref, shape.yref) for shape in drawn.layout.shapes] == [
        (0.005, "x", "y domain"),
        (0.005, "x2", "y2 domain"),
        (0.005, "x3", "y3 domain"),
    ]
    ours = next(trace for trace in drawn.data if trace.name == "DPN-LE" and trace.xaxis == "x2")
    assert list(ours.x) == [0.001, 0.005, 0.05]
    assert list(ours.y) == [-0.001, -0.005, -0.05]
    assert {trace.name: trace.line.dash for trace in drawn.data[:2]} == {"DPN-LE": "solid", "random": "dot"}
    swapped: Any = plots.quantile_sweep(sweep(), legend=Legend(roles={"random": "method", "DPN-LE": "rival"}))
    assert {trace.name: trace.line.dash for trace in swapped.data[:2]} == {"DPN-LE": "dot", "random": "solid"}
    assert drawn.layout.annotations[0].text == "trait shift<br>(points, intended direction)"
    assert drawn.layout.annotations[1].text == "change of well-formed<br>sentences<br>(percentage points)"
    assert drawn.data[-1].name == "the study's quantile, 0.995"
    assert not plots.quantile_sweep(sweep()).layout["shapes"]
    with pytest.raises(ValueError, match="no rows of quantile 0.5; the table holds 0.95, 0.995, 0.999"):
        plots.quantile_sweep(sweep(), quantile=0.5)


def test_cost_by_breadth_names_who_never_reaches_the_shift() -> None:
    drawn: Any = plots.cost_by_breadth(breadth(), legend=LEGEND)
    assert "never reached by random" in drawn.layout.legend.title.text
    assert "+0.35" in drawn.layout.legend.title.text
    named = [trace.name for trace in drawn.data if trace.showlegend]
    assert named == ["DPN-LE (32)", "write norm (32)", "broad (6,144)"]
    assert [list(trace.y) for trace in drawn.data[:3]] == [[-0.01], [-0.02], [-0.3]]
    assert drawn.data[0].x[0] < 32 < drawn.data[1].x[0]
    assert drawn.data[2].x[0] == pytest.approx(6144)
    assert drawn.data[0].customdata[0][0] == 32
    assert drawn.layout.xaxis.type == "log"
    assert drawn.layout.annotations[1].text == "change of capability<br>(percentage points)"
    all_reach: Any = plots.cost_by_breadth(breadth().query("arm != 'random'"))
    assert "never" not in all_reach.layout.legend.title.text
    with pytest.raises(ValueError, match="no edit that reaches the shift; none of random does"):
        plots.cost_by_breadth(breadth().query("arm == 'random'"))
    none = breadth().loc[:, lambda table: ~table.columns.str.contains("change")]
    with pytest.raises(ValueError, match=r"needs a column NAME_change with its bounds, but the table holds \['arm', "):
        plots.cost_by_breadth(none)
    prompt = breadth().assign(units=lambda table: table["units"].where(table["arm"] != "broad", 0.0))
    without: Any = plots.cost_by_breadth(prompt)
    assert [trace.name for trace in without.data if trace.showlegend] == ["DPN-LE (32)", "write norm (32)"]


def test_the_shift_at_which_arms_are_compared_is_marked() -> None:
    table = every_figure()["trait_against_cost"].table
    drawn: Any = plots.trait_against_cost(table, cost="wellformed", shift=0.35)
    (line,) = drawn.layout.shapes
    assert (line.x0, line.x1) == (0.35, 0.35)
    assert [note.text for note in drawn.layout.annotations] == ["equal shift +0.35"]
    assert not plots.trait_against_cost(table, cost="wellformed").layout["shapes"]


def test_dose_curves_say_which_quantities_there_are() -> None:
    dose = every_figure()["dose_curves"].table
    with pytest.raises(ValueError, match="no rows of quantity 'capability'; the table holds trait_score"):
        plots.dose_curves(dose, quantity="capability")
    both = pd.concat([dose.assign(quantity="other", estimate=9.0), dose])
    target: Any = plots.dose_curves(both, legend=Legend(target="trait_score"))
    assert set(target.data[0].y) == {3.0}
    first: Any = plots.dose_curves(both)
    assert set(first.data[0].y) == {9.0}
