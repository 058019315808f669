"""Figures of invented tables: what is drawn where, and with which words."""

import numpy as np
import pandas as pd
import pytest

from workbench import plots
from workbench.plots.theme import ARM_COLOURS, arm_style


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


def text(figure) -> str:
    return str(figure.to_dict())


def test_effect_map_is_symmetric_sorted_and_marked(effects: pd.DataFrame) -> None:
    figure = plots.effect_map(effects)
    heat, high, low = figure.data
    assert heat.zmin == -heat.zmax == -effects["cohens_d"].abs().max()
    assert list(heat.y) == [4, 5, 9]
    assert heat.z.shape == (3, 800)
    assert (np.diff(heat.z, axis=1) >= 0).all()
    assert (high.x[0], low.x[0]) == (999, 0)
    chosen = effects.loc[effects["cohens_d"].idxmax()]
    assert high.y[0] == chosen["layer"]
    assert f"neuron {chosen['neuron']}<br>" in high.text[0]
    assert "d +" in high.text[0]
    assert figure.layout.yaxis.title.text == "layer"
    assert "pooled SD" in heat.colorbar.title.text
    assert "Openness" in figure.layout.meta["alt"]


def test_effect_map_draws_narrow_layers_whole(effects: pd.DataFrame) -> None:
    narrow = effects[effects["neuron"] < 50]
    (heat, *_) = plots.effect_map(narrow, statistic="mean_difference").data
    assert heat.z.shape == (3, 50)
    assert sorted(heat.z[0]) == sorted(narrow[narrow["layer"] == 4]["mean_difference"])


def test_magnitude_against_d_draws_every_chosen_neuron_and_both_thresholds(effects: pd.DataFrame) -> None:
    thresholds = pd.DataFrame({"layer": [4, 5], "threshold": [0.4, 0.5]})
    figure = plots.magnitude_against_d(pd.concat([effects] * 5), threshold_d=0.8, thresholds=thresholds)
    others, high, low = figure.data
    assert len(others.x) == 6000
    assert (len(high.x), len(low.x)) == (5, 5)
    assert sorted(shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1) == [-0.8, 0.8]
    assert {0.4, 0.5} <= {shape.y0 for shape in figure.layout.shapes} | {shape.y1 for shape in figure.layout.shapes}
    assert figure.layout.yaxis.type == "log"


def test_neurons_per_layer_mirrors_the_poles() -> None:
    counts = pd.DataFrame({"layer": [0, 1, 0, 1], "pole": ["high"] * 2 + ["low"] * 2, "neurons": [3, 0, 1, 2]})
    up, down = plots.neurons_per_layer(counts).data
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
    assert len(figure.data) == 8 * 3
    assert sum(bool(trace.showlegend) for trace in figure.data) == 3
    assert "layer 11 · 60%, 20%" in text(figure)
    assert len(plots.trait_pca(frame, layers=[2, 3]).data) == 6
    with pytest.raises(ValueError, match=r"no rows of layers \[40\]"):
        plots.trait_pca(frame, layers=[2, 40])


def test_dose_curves_draw_each_arm_both_ways_with_intervals(dose: pd.DataFrame) -> None:
    figure = plots.dose_curves(dose)
    assert [(trace.name, trace.line.dash) for trace in figure.data] == [
        ("random", "solid"),
        ("random", "dash"),
        ("DPN-LE", "solid"),
        ("DPN-LE", "dash"),
    ]
    up = figure.data[2]
    assert list(up.x) == [0.0, 0.5, 1.0]
    assert list(up.y) == [3.0, 3.5, 4.0]
    np.testing.assert_allclose(up.error_y.array, 0.1)
    np.testing.assert_allclose(up.error_y.arrayminus, 0.1)
    assert figure.layout.yaxis.title.text == "trait score of held-out answers (1–5)"
    assert "multiples of the mean difference" in figure.layout.xaxis.title.text


def test_trait_against_capability_shows_dose_and_cost(tradeoff: pd.DataFrame) -> None:
    figure = plots.trait_against_capability(tradeoff, gamma=1.0)
    other, ours = figure.data
    assert (ours.name, other.name) == ("DPN-LE", "somebody's own")
    assert list(ours.x) == [0.05, 0.1]
    assert ours.marker.size[1] > ours.marker.size[0]
    assert ours.marker.color != other.marker.color
    assert "percentage points" in figure.layout.yaxis.title.text


def test_arms_compared_has_a_row_an_arm_in_three_panels(tradeoff: pd.DataFrame) -> None:
    figure = plots.arms_compared(tradeoff[tradeoff["gamma"] == 1.0])
    assert len(figure.data) == 6
    assert {trace.xaxis for trace in figure.data} == {"x", "x2", "x3"}


def test_known_arms_keep_their_colours_and_others_differ() -> None:
    assert len(set(ARM_COLOURS.values())) == len(ARM_COLOURS)
    arms = ["DPN-LE", "mine", "yours"]
    assert arm_style("DPN-LE", arms)[0] == ARM_COLOURS["DPN-LE"]
    assert arm_style("mine", arms) != arm_style("yours", arms)


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
    with pytest.raises(ValueError, match="dose_curves draws trait_score, .*, but 'joy' arrived"):
        plots.dose_curves(dose, quantity="joy")
    with pytest.raises(ValueError, match="needs rows to draw, but the table is empty"):
        plots.dose_curves(dose.head(0))
