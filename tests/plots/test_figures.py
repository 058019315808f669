"""Figures of invented tables: what is drawn where, and with which words."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.plots.small_tables import LEGEND, projection
from workbench import plots


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    layers, width = 3, 1000
    d = rng.normal(0, 2, layers * width)
    frame = pd.DataFrame(
        {
            "layer": np.repeat([4, 5, 9], width),
            "neuron": np.tile(np.arange(width), layers),
            "mean_difference": d * 0.1,
            "cohens_d": d,
            "d_low": d - 0.3,
            "d_high": d + 0.3,
            "trait": "Openness",
            "selected": "",
        }
    )
    frame.loc[frame["cohens_d"].idxmax(), "selected"] = "high"
    frame.loc[frame["cohens_d"].idxmin(), "selected"] = "low"
    return frame


@pytest.fixture(scope="module")
def dose() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "direction": direction, "trait": "all", "quantity": "trait_score"}
            | {"estimate": 3 + sign * gamma, "low": 2.9 + sign * gamma, "high": 3.1 + sign * gamma}
            for arm in ("DPN-LE", "random")
            for direction, sign in (("increase", 1), ("decrease", -1))
            for gamma in (1.0, 0.0, 0.5)
        ]
    )


@pytest.fixture(scope="module")
def tradeoff() -> pd.DataFrame:
    names = ("shift", "wellformed", "wellformed_change", "capability", "capability_change")
    return pd.DataFrame(
        [
            {"arm": arm, "gamma": gamma, "trait": "all"}
            | {
                f"{name}{end}": gamma / 10 + shift
                for name in names
                for end, shift in (("", 0), ("_low", -1), ("_high", 1))
            }
            for arm in ("DPN-LE", "somebody's own")
            for gamma in (0.5, 1.0)
        ]
    )


def text(figure: go.Figure) -> str:
    return str(figure.to_dict())


def traces(figure: go.Figure) -> list[Any]:
    return list(figure.data)


def layout(figure: go.Figure) -> Any:
    return figure.layout


def test_effect_map_is_symmetric_sorted_and_marked(effects: pd.DataFrame) -> None:
    figure = plots.effect_map(effects)
    heat, high, low = traces(figure)
    assert heat.zmin == -heat.zmax == -effects["cohens_d"].abs().max()
    assert list(heat.y) == [4, 5, 9]
    assert heat.z.shape == (3, 800)
    assert (np.diff(heat.z, axis=1) >= 0).all()
    assert (high.x[0], low.x[0]) == (999, 0)
    chosen = effects.iloc[int(effects["cohens_d"].to_numpy().argmax())]
    assert high.y[0] == chosen["layer"]
    told = chosen[["mean_difference", "cohens_d", "d_low", "d_high"]].to_numpy(float)
    assert high.text[0] == f"layer {chosen['layer']}, neuron {chosen['neuron']}"
    np.testing.assert_allclose(high.customdata[0], told, rtol=1e-6)
    assert "d %{customdata[1]:+.2f} [%{customdata[2]:+.2f}, %{customdata[3]:+.2f}]" in heat.hovertemplate
    np.testing.assert_allclose(heat.customdata[:, :, 1], heat.z, rtol=1e-6)
    assert layout(figure).yaxis.title.text == "layer"
    assert "pooled SD" in heat.colorbar.title.text
    assert "Openness" in layout(figure).meta["alt"]


def test_effect_map_draws_narrow_layers_whole(effects: pd.DataFrame) -> None:
    narrow = effects[effects["neuron"] < 50]
    (heat, *_) = traces(plots.effect_map(narrow, statistic="mean_difference"))
    assert heat.z.shape == (3, 50)
    assert sorted(heat.z[0]) == sorted(narrow[narrow["layer"] == 4]["mean_difference"])


def test_magnitude_against_d_draws_every_chosen_neuron_and_both_thresholds(effects: pd.DataFrame) -> None:
    thresholds = pd.DataFrame({"layer": [4, 5], "threshold": [0.4, 0.5]})
    figure = plots.magnitude_against_d(pd.concat([effects] * 5), threshold_d=0.8, thresholds=thresholds)
    others, high, low = traces(figure)
    assert len(others.x) == 4000
    assert others.name.endswith(", 4,000 drawn)")
    assert (len(high.x), len(low.x)) == (5, 5)
    assert sorted(shape.x0 for shape in layout(figure).shapes if shape.x0 == shape.x1) == [-0.8, 0.8]
    assert {0.4, 0.5} <= {shape.y0 for shape in layout(figure).shapes} | {shape.y1 for shape in layout(figure).shapes}
    assert layout(figure).yaxis.type == "log"


def test_neurons_per_layer_mirrors_the_poles() -> None:
    counts = pd.DataFrame({"layer": [0, 1, 0, 1], "pole": ["high"] * 2 + ["low"] * 2, "neurons": [3, 0, 1, 2]})
    up, down = traces(plots.neurons_per_layer(counts))
    assert list(up.y) == [3, 0]
    assert list(down.y) == [-1, -2]
    assert list(down.customdata) == [1, 2]


def test_trait_pca_has_a_panel_a_layer_and_a_trace_a_pole() -> None:
    rows = [
        {"layer": layer, "pole": pole, "pc1": i, "pc2": -i, "ev1": 0.6, "ev2": 0.2}
        for layer in range(12)
        for pole in ("high", "low", "neutral")
        for i in range(4)
    ]
    frame = pd.DataFrame(rows)
    figure = plots.trait_pca(frame)
    assert len(traces(figure)) == 8 * 3
    assert sum(bool(trace.showlegend) for trace in traces(figure)) == 3
    assert "layer 11<br>60%, 20%" in text(figure)
    assert len(traces(plots.trait_pca(frame, layers=[2, 3]))) == 6
    with pytest.raises(ValueError, match=r"no rows of layers \[40\]"):
        plots.trait_pca(frame, layers=[2, 40])


def test_dose_curves_draw_each_arm_both_ways_with_intervals(dose: pd.DataFrame) -> None:
    figure = plots.dose_curves(dose, legend=LEGEND)
    assert [(trace.name, trace.line.dash) for trace in traces(figure)] == [
        ("random", "solid"),
        ("random", "dash"),
        ("DPN-LE", "solid"),
        ("DPN-LE", "dash"),
    ]
    up = traces(figure)[2]
    assert list(up.x) == [0.0, 0.5, 1.0]
    assert list(up.y) == [3.0, 3.5, 4.0]
    np.testing.assert_allclose(up.error_y.array, 0.1)
    np.testing.assert_allclose(up.error_y.arrayminus, 0.1)
    assert layout(figure).yaxis.title.text == "trait score (points)"
    assert "multiples of the mean difference" in layout(figure).xaxis.title.text


def test_trait_against_cost_shows_dose_and_cost(tradeoff: pd.DataFrame) -> None:
    figure = plots.trait_against_cost(tradeoff, cost="capability", gamma=1.0, legend=LEGEND)
    other, ours = traces(figure)
    assert (ours.name, other.name) == ("DPN-LE", "somebody's own")
    assert list(ours.x) == [0.05, 0.1]
    assert ours.marker.size[1] > ours.marker.size[0]
    assert ours.marker.color != other.marker.color
    assert layout(figure).yaxis.title.text == "change of capability (percentage points)"
    assert layout(figure).xaxis.title.text == "trait shift (points, intended direction)"


def test_arms_compared_has_a_row_an_arm_in_a_panel_a_quantity(tradeoff: pd.DataFrame) -> None:
    figure = plots.arms_compared(tradeoff[tradeoff["gamma"] == 1.0])
    assert len(traces(figure)) == 6
    assert list(layout(figure).yaxis.ticktext) == ["DPN-LE", "somebody's own"]
    assert {trace.xaxis for trace in traces(figure)} == {"x", "x2", "x3"}
    more = tradeoff.assign(**{f"mine_shift{end}": tradeoff["shift"] for end in ("", "_low", "_high")})
    assert {trace.xaxis for trace in traces(plots.arms_compared(more.head(1)))} == {"x", "x2", "x3", "x4"}
    with pytest.raises(ValueError, match=r"needs a column shift, .* but the table holds \['arm'\]"):
        plots.arms_compared(tradeoff[["arm"]])


def test_a_table_that_lacks_columns_is_told(effects: pd.DataFrame, dose: pd.DataFrame) -> None:
    with pytest.raises(
        ValueError,
        match=r"neurons_per_layer needs columns layer, pole, neurons; missing \['neurons'\] from \['layer', 'pole'\].",
    ):
        plots.neurons_per_layer(pd.DataFrame({"layer": [0], "pole": ["high"]}))
    with pytest.raises(ValueError, match=r"effect_map needs columns .*; missing \['cohens_d'\]"):
        plots.effect_map(effects.drop(columns="cohens_d"))
    with pytest.raises(ValueError, match="effect_map has no rows of trait 'Charm'; the table holds Openness"):
        plots.effect_map(effects, trait="Charm")
    with pytest.raises(ValueError, match="effect_map draws cohens_d or mean_difference, but 'p' arrived"):
        plots.effect_map(effects, statistic="p")
    with pytest.raises(ValueError, match="draws one trait, but the table holds Openness, Mine"):
        plots.effect_map(pd.concat([effects, effects.assign(trait="Mine")]))
    with pytest.raises(ValueError, match="dose_curves has no rows of quantity 'joy'; the table holds trait_score"):
        plots.dose_curves(dose, quantity="joy")
    with pytest.raises(ValueError, match="needs rows to draw, but the table is empty"):
        plots.dose_curves(dose.head(0))


def test_an_infinite_effect_is_drawn_at_the_largest_finite_one_and_told(effects: pd.DataFrame) -> None:
    chosen = int(effects["cohens_d"].to_numpy().argmax())
    endless = effects.copy()
    endless.loc[chosen, ["cohens_d", "d_low", "d_high"]] = np.inf
    most = endless["cohens_d"][np.isfinite(endless["cohens_d"])].abs().max()
    heat, high, _ = traces(plots.effect_map(endless))
    assert (heat.zmin, heat.zmax) == (-most, most)
    assert np.isfinite(heat.z).all()
    assert high.customdata[0][1] == np.inf
    _, high, _ = traces(plots.magnitude_against_d(endless, threshold_d=0.8))
    assert list(high.x) == [most]
    assert high.customdata[0][1] == np.inf


def test_effect_map_without_any_effect_still_has_a_scale_about_zero(effects: pd.DataFrame) -> None:
    (heat, *_) = traces(plots.effect_map(effects.assign(cohens_d=0.0)))
    assert (heat.zmin, heat.zmax) == (-1.0, 1.0)


def test_magnitude_against_d_marks_the_neurons_of_a_selection(effects: pd.DataFrame) -> None:
    neurons = pd.DataFrame({"layer": [5], "neuron": [7], "pole": ["low"]})
    _, low = traces(plots.magnitude_against_d(effects, threshold_d=0.8, neurons=neurons))
    assert list(low.text) == ["layer 5, neuron 7"]
    with pytest.raises(ValueError, match="magnitude_against_d has no effect of layer 6, neuron 7, which neurons="):
        plots.magnitude_against_d(effects, threshold_d=0.8, neurons=neurons.assign(layer=6))


def test_effect_map_marks_the_neurons_of_a_selection(effects: pd.DataFrame) -> None:
    bare = effects.drop(columns="selected")
    neurons = pd.DataFrame(
        {
            "trait": ["Openness", "Openness", "Mine"],
            "layer": [5, 9, 4],
            "neuron": [7, 8, 9],
            "pole": ["low", "low", "high"],
        }
    )
    _, low = traces(plots.effect_map(bare, neurons=neurons))
    assert low.name == "Low neurons (2)"
    assert list(low.y) == [5, 9]
    assert low.text[0] == "layer 5, neuron 7"
    own = bare[bare["layer"] == 5]["cohens_d"]
    assert low.x[0] == (own < own.iloc[7]).sum()
    assert len(traces(plots.effect_map(bare, neurons=neurons.head(0)))) == 1
    with pytest.raises(ValueError, match="effect_map has no effect of layer 40, neuron 1, which neurons= names. Pass"):
        plots.effect_map(bare, neurons=pd.DataFrame({"layer": [40], "neuron": [1], "pole": ["high"]}))


def test_marks_stay_at_their_rank_where_a_wide_layer_is_thinned() -> None:
    width = 14_336
    d = np.linspace(-3, 3, width)
    wide = pd.DataFrame({"layer": 12, "neuron": np.arange(width), "mean_difference": d, "cohens_d": d})
    wide = wide.assign(d_low=d - 1, d_high=d + 1, selected="")
    wide.loc[14_001, "selected"] = "high"
    heat, high = traces(plots.effect_map(wide))
    assert heat.z.shape == (1, 800)
    assert (heat.x[0], heat.x[-1]) == (0, width - 1)
    assert 14_001 not in heat.x
    assert list(high.x) == [14_001]


def test_neurons_in_their_own_order_stand_at_their_index(effects: pd.DataFrame) -> None:
    narrow = effects[effects["neuron"] < 50].assign(selected="")
    narrow.loc[(narrow["layer"] == 5) & (narrow["neuron"] == 7), "selected"] = "low"
    figure = plots.effect_map(narrow.sample(frac=1, random_state=0), order="neuron")
    heat, low = traces(figure)
    np.testing.assert_array_equal(heat.x, np.arange(50))
    np.testing.assert_array_equal(heat.z[1], narrow[narrow["layer"] == 5]["cohens_d"])
    assert (list(low.x), list(low.y)) == ([7], [5])
    assert layout(figure).xaxis.title.text == "neuron (index within its layer)"
    with pytest.raises(ValueError, match="orders neurons by rank or neuron, but 'name' arrived"):
        plots.effect_map(narrow, order="name")


def test_a_wide_layer_shows_the_greatest_effect_of_each_column_with_its_neuron() -> None:
    width = 14_336
    d = np.random.default_rng(0).normal(0, 0.5, width)
    d[[3_001, 3_002, 9_000]] = 4.0, -7.0, 5.0
    wide = pd.DataFrame({"layer": 12, "neuron": np.arange(width), "mean_difference": d, "cohens_d": d})
    wide = wide.assign(d_low=d - 1, d_high=d + 1, selected=np.where(d == 5.0, "high", ""))
    heat, high = traces(plots.effect_map(wide, order="neuron"))
    assert heat.z.shape == (1, 800)
    column = 3_002 * 800 // width
    assert heat.z[0][column] == -7.0
    assert heat.text[0][column] == "layer 12, neuron 3002"
    own = d[[neuron for neuron in range(width) if neuron * 800 // width == column]]
    assert np.abs(own).max() == 7.0
    assert abs(heat.x[column] - 3_002) < width / 800
    assert list(high.x) == [9_000]
    assert heat.z[0][9_000 * 800 // width] == 5.0


def test_held_out_prompts_take_open_symbols_and_a_name_of_their_own() -> None:
    figure = plots.trait_pca(projection())
    names = [trace.name for trace in traces(figure) if trace.showlegend]
    assert names == ["high", "low", "neutral", "high, held out", "low, held out", "neutral, held out"]
    fitted, held = traces(figure)[0], traces(figure)[3]
    assert (fitted.marker.symbol, held.marker.symbol) == ("circle", "circle-open")
    assert fitted.marker.color == held.marker.color
    assert (len(fitted.x), len(held.x)) == (6, 3)
    assert [trace.marker.symbol for trace in traces(figure)[4:6]] == ["diamond-open", "cross-open"]
    assert len(traces(plots.trait_pca(projection().drop(columns="held_out")))) == 6 * 3


def test_a_neuron_without_a_mark_is_drawn_as_not_chosen(effects: pd.DataFrame) -> None:
    unmarked = effects.assign(selected=effects["selected"].replace("", None))
    others, high, low = traces(plots.magnitude_against_d(unmarked, threshold_d=0.8))
    assert len(others.x) + len(high.x) + len(low.x) == len(effects)


def test_thresholds_are_one_line_where_layers_agree_and_those_of_the_trait(effects: pd.DataFrame) -> None:
    thresholds = pd.DataFrame(
        {"trait": ["Openness", "Openness", "Mine"], "layer": [4, 5, 4], "threshold": [0.4, 0.4, 9.0]}
    )
    figure = plots.magnitude_against_d(effects, threshold_d=0.8, thresholds=thresholds)
    assert [(shape.y0, shape.y1) for shape in layout(figure).shapes if shape.y0 == shape.y1] == [(0.4, 0.4)]
    assert [shape.name for shape in layout(figure).shapes if shape.showlegend] == ["tau_d = ±0.8", "tau_q"]


def test_an_arm_with_one_direction_is_in_the_legend_and_n_in_the_hover(dose: pd.DataFrame) -> None:
    (only,) = traces(
        plots.dose_curves(dose[(dose["arm"] == "random") & (dose["direction"] == "decrease")].assign(n=24))
    )
    assert only.showlegend
    assert only.line.dash == "dash"
    assert "n = %{customdata[2]" in only.hovertemplate
    assert list(only.customdata[0]) == [2.9, 3.1, 24]


def test_shares_are_percentages_and_other_units_stay_as_they_are(dose: pd.DataFrame, tradeoff: pd.DataFrame) -> None:
    shares = plots.dose_curves(dose.assign(quantity="wellformed"), quantity="wellformed", legend=LEGEND)
    assert layout(shares).yaxis.tickformat == "~%"
    assert "%{y:.1%}" in traces(shares)[0].hovertemplate
    for legend, form in ((LEGEND, "+.1%"), (plots.Legend(), "+.3~g")):
        figure = plots.trait_against_cost(tradeoff, cost="wellformed", legend=legend)
        assert f"%{{y:{form}}}" in traces(figure)[0].hovertemplate
        assert {trace.marker.size for trace in traces(figure)} == {(7, 7)}
    axes = layout(plots.arms_compared(tradeoff.head(1), legend=LEGEND))
    assert [axes[axis].tickformat for axis in ("xaxis", "xaxis2", "xaxis3")] == ["", "~%", "~%"]


def test_every_figure_says_in_words_what_it_shows(
    effects: pd.DataFrame, dose: pd.DataFrame, tradeoff: pd.DataFrame
) -> None:
    counts = pd.DataFrame({"layer": [0], "pole": ["high"], "neurons": [1]})
    points = pd.DataFrame({"layer": [0], "pole": ["high"], "pc1": [0.0], "pc2": [0.0], "ev1": [0.5], "ev2": [0.2]})
    drawn = [
        plots.effect_map(effects),
        plots.magnitude_against_d(effects, threshold_d=0.8),
        plots.neurons_per_layer(counts),
        plots.trait_pca(points),
        plots.dose_curves(dose),
        plots.trait_against_cost(tradeoff, cost="capability"),
        plots.arms_compared(tradeoff.head(2)),
    ]
    for figure in drawn:
        assert layout(figure).meta["alt"].endswith(".")
        assert layout(figure).template == plots.TEMPLATE
        assert layout(figure).width is None
