"""How near a rule comes to the neurons that it does not select, against NumPy."""

import math
import pickle

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.measure.effects import Effects
from workbench.select.near import HANDFUL, Above, EmptySelectionError
from workbench.select.settings import RuleSettings


def effects_of(s: np.ndarray, d: np.ndarray) -> Effects:
    layers = tuple(range(len(s)))
    return Effects("Openness", "hook_post", layers, torch.from_numpy(s), torch.from_numpy(d), 40, 40)


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    s = generator.normal(size=(3, 400))
    d = np.sign(s) * generator.gamma(2.0, 0.2, size=s.shape)
    d[0, :5] = math.inf
    return s, d


@pytest.mark.parametrize("within", ["layer", "model"])
def test_the_distribution_is_that_of_the_neurons_above_tau_q(
    planted: tuple[np.ndarray, np.ndarray], within: str
) -> None:
    s, d = planted
    size = np.abs(s)
    threshold = np.quantile(size, 0.95, axis=1, keepdims=True) if within == "layer" else np.quantile(size, 0.95)
    pool = (size > threshold) & np.isfinite(d)
    expected = np.abs(d[pool])
    above = Above.of(effects_of(s, d), RuleSettings(quantile=0.95, min_d=9.0, within=within))
    row = above.frame().iloc[0]
    assert row["neurons"] == pool.sum()
    assert row["d_max"] == pytest.approx(expected.max())
    told = [row["d_50"], row["d_90"], row["d_99"]]
    np.testing.assert_allclose(told, np.quantile(expected, [0.5, 0.9, 0.99]))
    for pole, sign in (("high", 1), ("low", -1)):
        assert row[f"largest_min_d_{pole}"] == pytest.approx(expected[np.sign(s[pool]) == sign].max(), abs=0.011)
    assert row["selected"] == 0


def test_the_largest_min_d_selects_and_the_next_larger_one_does_not(planted: tuple[np.ndarray, np.ndarray]) -> None:
    effects = effects_of(*planted)
    above = Above.of(effects, RuleSettings(quantile=0.95))
    for least in (1, HANDFUL):
        min_d = above.largest_min_d(least)
        assert min_d is not None
        chosen = wb.select_neurons(effects, quantile=0.95, min_d=min_d)
        assert len(chosen) >= least
        assert (len(chosen.high), len(chosen.low)) == above.selects(min_d)
        assert sum(above.selects(min_d + 0.011)) < least


def test_d_only_is_put_to_all_neurons(planted: tuple[np.ndarray, np.ndarray]) -> None:
    s, d = planted
    above = Above.of(effects_of(s, d), RuleSettings(rule="d-only", min_d=9.0))
    assert len(above.d) == np.isfinite(d).sum()


def test_fewer_neurons_than_a_handful_are_all_taken() -> None:
    s, d = np.array([[3.0, -2.0, 0.1, 0.1]]), np.array([[0.3, -0.05, 0.0, 0.0]])
    above = Above.of(effects_of(s, d), RuleSettings(quantile=0.4))
    assert above.selects(above.largest_min_d(HANDFUL) or 0.0) == (1, 1)
    assert above.largest_min_d(pole="high") == 0.29
    assert above.largest_min_d(pole="low") == 0.049


def test_an_empty_selection_tells_in_three_lines_how_near_it_came(planted: tuple[np.ndarray, np.ndarray]) -> None:
    effects = effects_of(*planted)
    with pytest.raises(EmptySelectionError, match="dual rule selects nothing") as raised:
        wb.select_neurons(effects, quantile=0.95, min_d=9.0)
    error = raised.value
    first, second, third = str(error).splitlines()
    assert "|d| among the" in first
    assert "50 %" in first
    assert "largest" in first
    assert second.startswith("The largest min_d that selects any is")
    assert "was not measured" in third
    assert str(error.with_moved("The personas move it by 0.4.")).splitlines()[2] == "The personas move it by 0.4."
    assert len(error.selection) == 0
    assert error.selection.layers["removed_by_d"].sum() == error.selection.layers["above_threshold"].sum() > 0
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_where_the_poles_do_not_differ_no_min_d_is_told() -> None:
    with pytest.raises(EmptySelectionError, match="No min_d selects a neuron"):
        wb.select_neurons(effects_of(np.zeros((2, 20)), np.zeros((2, 20))))
