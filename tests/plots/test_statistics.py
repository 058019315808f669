"""Figures of what a selection rests on, from tables that are made as a study makes them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import plots
from workbench.measure.planted import Planted, planted


@pytest.fixture(scope="module")
def truth() -> Planted:
    return planted(rows=120, layers=2, width=60, neurons=6, effect=1.5, descriptions=20, questions=40, seed=0)


def test_null_distribution(truth: Planted) -> None:
    null = wb.permutation_null(truth.rows, quantile=0.9, min_d=0.3, unit="description", permutations=40)
    assert null.counts is not None
    table = pd.DataFrame({"shuffled": "description", "selected": null.counts.numpy(), "real": null.count})
    drawn: Any = plots.null_distribution(table)
    assert len(drawn.data[0].x) == 40
    assert drawn.layout.shapes[0].x0 == null.count
    assert drawn.layout.xaxis.title.text == "neurons selected"
    with pytest.raises(ValueError, match=r"missing \['real'\]"):
        plots.null_distribution(table.drop(columns="real"))


def test_stability_bars(truth: Planted) -> None:
    table = wb.stability(truth.rows, quantile=0.9, min_d=0.3, splits=10, bootstraps=10).summary()
    drawn: Any = plots.stability_bars(table.assign(unit="description"))
    np.testing.assert_allclose(drawn.data[0].x, table["estimate"])
    assert list(drawn.data[0].y) == table["measure"].tolist()


def test_exclusivity_scatter(truth: Planted) -> None:
    found = wb.exclusivity(truth.rows)
    high, low = found.contrasts
    table = pd.DataFrame(
        {
            "layer": np.repeat([0, 1], 60),
            "neuron": np.tile(np.arange(60), 2),
            "d_high_neutral": high.flatten().numpy(),
            "d_low_neutral": low.flatten().numpy(),
        }
    )
    drawn: Any = plots.exclusivity_scatter(table, min_d=found.min_d)
    names = [trace.name for trace in drawn.data]
    assert f"high alone ({len(found.high - found.low)})" in names
    assert f"both ({len(found.high & found.low)})" in names
    ranges = (drawn.layout.xaxis.range, drawn.layout.yaxis.range)
    assert ranges[0] == ranges[1]
    assert ranges[0][0] == -ranges[0][1]
    assert "customdata[2]" not in drawn.data[0].hovertemplate
    names = [f"d_{pole}_neutral" for pole in ("high", "low")]
    wide = table.assign(**{f"{n}{end}": table[n] + by for n in names for end, by in (("_low", -0.2), ("_high", 0.3))})
    told: Any = plots.exclusivity_scatter(wide, min_d=found.min_d)
    point = told.data[1]
    np.testing.assert_allclose(point.customdata[0][2:4], [point.x[0] - 0.2, point.x[0] + 0.3])
    np.testing.assert_allclose(point.customdata[0][4:6], [point.y[0] - 0.2, point.y[0] + 0.3])
    assert "[%{customdata[4]:+.2f}, %{customdata[5]:+.2f}]" in point.hovertemplate


def test_separability_by_layer(truth: Planted) -> None:
    table = wb.separability(truth.rows, probes=["logistic"], folds=3)
    drawn: Any = plots.separability_by_layer(table, start=1)
    assert [trace.name for trace in drawn.data] == ["true labels", "shuffled labels"]
    assert "start layer 1" in [note.text for note in drawn.layout.annotations]
    assert drawn.layout.yaxis.title.text == "held-out AUC (0.5: chance)"
    with pytest.raises(ValueError, match="no probe 'lda'"):
        plots.separability_by_layer(table, probe="lda")


def test_overlap_heatmap_is_symmetric_and_marks_what_is_beyond_chance() -> None:
    sets = {
        ("Openness", "high"): wb.NeuronSet.of([(0, i) for i in range(20)]),
        ("Openness", "low"): wb.NeuronSet.of([(0, i) for i in range(20, 40)]),
        ("Extraversion", "high"): wb.NeuronSet.of([(0, i) for i in range(15)]),
    }
    table = wb.measure.overlap_matrix(sets, population=1000)
    drawn: Any = plots.overlap_heatmap(table)
    z = np.array(drawn.data[0].z, dtype=float)
    np.testing.assert_array_equal(np.nan_to_num(z), np.nan_to_num(z.T))
    assert z[0, 2] > 4
    assert drawn.data[0].text[0][2] == "15*"
    assert drawn.data[0].text[0][1] == "0"
    assert drawn.data[0].zmin == -drawn.data[0].zmax
    assert "15 shared, 0.3 expected by chance (lift 50.0)" in drawn.data[0].customdata[0][2]
    shared: Any = plots.overlap_heatmap(table, quantity="jaccard")
    assert np.nanmax(np.array(shared.data[0].z, dtype=float)) == 0.75
    with pytest.raises(ValueError, match="lift or jaccard, but 'dice'"):
        plots.overlap_heatmap(table, quantity="dice")


def test_balance_love_and_threshold_sweep(model: wb.Model, contrast: wb.Contrast, effects: wb.Effects) -> None:
    balance = contrast.balance(model)
    drawn: Any = plots.balance_love(balance.table)
    np.testing.assert_allclose(drawn.data[0].x, balance.table["difference"])
    table = wb.select.sensitivity(effects, quantiles=[0.9, 0.99], min_ds=[0.0, 0.5])
    lines: Any = plots.threshold_sweep(table)
    assert [line.name for line in lines.data] == ["0", "0.5"]
    assert lines.layout.yaxis.type == "log"
