import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.capture import Activations
from workbench.edit.making import caa_edit, rank_weights
from workbench.vocabulary import Pole


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=30))
def test_rank_weights_run_evenly_from_three_quarters_to_one(d: list[float]) -> None:
    weights = rank_weights(torch.tensor(d))
    torch.testing.assert_close(weights.sort().values, torch.linspace(0.75, 1.0, len(d)))
    strengths = torch.tensor(d).abs()
    assert strengths[weights.argmax()] == strengths.max()
    assert strengths[weights.argmin()] == strengths.min()


def test_one_neuron_has_full_weight() -> None:
    assert rank_weights(torch.tensor([-0.3])).tolist() == [1.0]


def test_decrease_is_increase_negated(effects: wb.Effects, selection: wb.Selection) -> None:
    up = wb.dpn_edit(effects, selection, direction="increase", weighted=True)
    down = wb.dpn_edit(effects, selection, direction="decrease", weighted=True)
    for layer in up.layers:
        assert torch.equal(up.delta(layer), -down.delta(layer))


def test_directional_edits_one_pole(effects: wb.Effects, selection: wb.Selection) -> None:
    up = wb.dpn_edit(effects, selection, direction="increase", neurons="directional")
    down = wb.dpn_edit(effects, selection, direction="decrease", neurons="directional")
    assert up.neurons == selection.high
    assert down.neurons == selection.low
    assert (up.value > 0).all()
    assert (down.value > 0).all()


def test_the_random_control_keeps_count_and_norm_on_other_neurons(effects: wb.Effects, selection: wb.Selection) -> None:
    edit = wb.dpn_edit(effects, selection, gamma=0.7, direction="decrease")
    control = wb.edit.random_control(edit, seed=5)
    assert not len(control.neurons & edit.neurons)
    assert control.gamma == edit.gamma
    for layer in edit.layers:
        own, theirs = edit.delta(layer), control.delta(layer)
        assert torch.equal(own[own != 0].sort().values, theirs[theirs != 0].sort().values)
    assert control == wb.edit.random_control(edit, seed=5)
    assert control != wb.edit.random_control(edit, seed=6)


def test_caa_is_the_mean_difference_as_published(model: wb.Model, contrast: wb.Contrast) -> None:
    rows = wb.capture(model, contrast, site="resid_post", layers=[3], keep=True)
    assert isinstance(rows, Activations)
    residual = wb.effect_sizes(rows)
    high, low = (rows.activations[pole][:, 0].double().mean(0) for pole in (Pole.HIGH, Pole.LOW))
    edit = caa_edit(residual, layers=[3], gamma=2.0, direction="decrease")
    torch.testing.assert_close(edit.delta(3), -2.0 * (high - low).float(), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="shifted at resid_post, but these effects are of hook_post"):
        caa_edit(wb.effect_sizes(wb.capture(model, contrast.rows(range(4)))), layers=[3])


def test_a_control_needs_enough_other_neurons() -> None:
    edit = wb.Edit.of({0: torch.ones(3)}, trait="t", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match="Layer 0 has 3 neurons of which 3 are edited"):
        wb.edit.random_control(edit)


def test_mistakes_are_told(effects: wb.Effects, selection: wb.Selection) -> None:
    with pytest.raises(ValueError, match="increase or decrease, but 'up' arrived"):
        wb.dpn_edit(effects, selection, direction="up")
    with pytest.raises(ValueError, match="gamma must be finite"):
        wb.dpn_edit(effects, selection, gamma=float("inf"))
    one_sided = wb.Selection("t", "dual", wb.NeuronSet.of([]), selection.low, selection.layers)
    with pytest.raises(ValueError, match="no neuron to increase"):
        wb.dpn_edit(effects, one_sided, direction="increase", neurons="directional")
