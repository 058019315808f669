import pytest

import workbench as wb
from workbench.select.controls import match_quality, matched_neurons


def test_controls_match_count_layer_and_magnitude(effects: wb.Effects, selection: wb.Selection) -> None:
    chosen = selection.both
    control = matched_neurons(chosen, effects)
    assert control.layer.tolist() == chosen.layer.tolist()
    assert not len(control & chosen)
    assert control == matched_neurons(chosen, effects)
    assert control != matched_neurons(chosen, effects, seed=1)
    table = match_quality(chosen, control, effects)
    assert table["layer"].iloc[-1] == -1
    far = wb.NeuronSet.of((layer, 400 + i) for i, layer in enumerate(chosen.layer.tolist()))
    assert table["ratio"].iloc[-1] > match_quality(chosen, far, effects)["ratio"].iloc[-1]
    other = matched_neurons(chosen, effects, exclude=control)
    assert not len(other & control)


def test_too_few_others_are_refused(effects: wb.Effects) -> None:
    whole = wb.NeuronSet.of((0, unit) for unit in range(effects.width - 1))
    with pytest.raises(ValueError, match="Layer 0 has 768 neurons, of which 1 may be controls, but 767"):
        matched_neurons(whole, effects)
