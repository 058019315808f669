"""Figures with a row an arm, and of specificity: what they draw, from small tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.plots.small_tables import retention
from workbench import plots


def test_shift_beyond_controls() -> None:
    table = pd.DataFrame(
        {"control": ["random", "shuffled"], "trait": "all", "difference": [0.4, 0.2]}
        | {"low": [0.3, 0.0], "high": [0.5, 0.4], "p_holm": [0.001, 0.05]}
    )
    drawn: Any = plots.shift_beyond_controls(table)
    np.testing.assert_allclose(drawn.data[0].x, [0.4, 0.2])
    assert list(drawn.data[0].y) == ["random", "shuffled"]
    with pytest.raises(ValueError, match="missing"):
        plots.shift_beyond_controls(table.drop(columns="low"))


def test_specificity_heatmap_is_symmetric_about_zero_and_stars_what_is_sure() -> None:
    rows = [
        {"arm": "DPN-LE", "edited": a, "measured": b, "direction": way, "shift": 0.8 if a == b else -0.1}
        | {"low": 0.0, "high": 0.1, "p_holm": 0.001 if a == b else 0.5}
        for a in ("Openness", "Extraversion")
        for b in ("Openness", "Extraversion")
        for way in ("increase", "decrease")
    ]
    drawn: Any = plots.specificity_heatmap(pd.DataFrame(rows))
    assert len(drawn.data) == 2
    assert drawn.data[0].zmin == -drawn.data[0].zmax == -0.8
    assert drawn.data[0].text[0][0] == "+0.80*"
    assert drawn.data[0].text[0][1] == "−0.10"
    with pytest.raises(ValueError, match="no rows of arm 'broad'; the table holds DPN-LE"):
        plots.specificity_heatmap(pd.DataFrame(rows), arm="broad")
    two = pd.concat([pd.DataFrame(rows), pd.DataFrame(rows).assign(arm="mine", shift=0.2)])
    mine: Any = plots.specificity_heatmap(two, arm="mine")
    assert np.max(mine.data[0].z) == 0.2
    with pytest.raises(ValueError, match="draws one arm, but the table holds DPN-LE, mine. Name one with arm="):
        plots.specificity_heatmap(two)


def test_retention_has_a_panel_a_task_and_the_margin() -> None:
    drawn: Any = plots.retention_by_task(retention())
    titles = [note.text for note in drawn.layout.annotations]
    assert titles == ["logic", "facts", "all tasks"]
    points = [trace for trace in drawn.data if trace.showlegend is False]
    assert len(points) == 9
    assert {trace.xaxis for trace in points} == {"x", "x2", "x3"}
    ours = next(trace for trace in points if trace.name == "DPN-LE" and trace.xaxis == "x3")
    assert list(ours.x) == [-0.01]
    np.testing.assert_allclose([ours.error_x.array[0], ours.error_x.arrayminus[0]], 0.02)
    assert list(drawn.layout.yaxis.ticktext) == ["DPN-LE", "heads", "simple prompt"]
    assert [(shape.x0, shape.x1) for shape in drawn.layout.shapes] == [(-0.05, -0.05)] * 3
    assert "−5 points" in drawn.data[-1].name
    assert drawn.layout.xaxis2.title.text == "change of exact match<br>(percentage points)"
    assert "is excluded" in ours.customdata[0]
    assert "n = %{customdata[2]:d}" in ours.hovertemplate


def test_a_broken_arm_is_an_arrow_with_its_number_and_does_not_hide_the_others() -> None:
    drawn: Any = plots.retention_by_task(retention())
    broken = [trace for trace in drawn.data if trace.name == "heads"]
    assert {trace.marker.symbol for trace in broken} == {"triangle-left"}
    assert {trace.text for trace in broken} == {"−60%"}
    assert list(broken[0].x) == [-0.25]
    assert broken[0].customdata[0][-1] == -0.6
    assert drawn.layout.xaxis.range[0] > -0.3
    whole: Any = plots.retention_by_task(retention().drop(columns="margin"))
    assert list(whole.data[1].x) == [-0.6]
    assert not whole.layout.shapes


def test_retention_draws_one_dose_and_says_which_there_are() -> None:
    table = pd.concat([retention(), retention().query("arm == 'DPN-LE'").assign(gamma=1.5)])
    with pytest.raises(ValueError, match="one dose an arm, but DPN-LE has gamma 0.5, 1.5. Name one with gamma="):
        plots.retention_by_task(table)
    drawn: Any = plots.retention_by_task(table, gamma=0.5, margin=0.1)
    assert [trace.name for trace in drawn.data if trace.xaxis == "x"][:3] == ["DPN-LE", "heads", "simple prompt"]
    assert drawn.layout.shapes[0].x0 == -0.1
    with pytest.raises(ValueError, match="no rows of gamma 3; the table holds 0.5, 1, 1.5"):
        plots.retention_by_task(table, gamma=3.0)
    with pytest.raises(ValueError, match="no rows of trait 'Charm'; the table holds all"):
        plots.retention_by_task(table, trait="Charm")
