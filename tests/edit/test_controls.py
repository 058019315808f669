import pytest
import torch

import workbench as wb
from workbench.edit.controls import (
    MOST_ALIKE,
    flipped_control,
    matched_control,
    other_trait_control,
    shuffled_control,
)
from workbench.select.controls import match_quality


@pytest.fixture
def edit(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=0.7, direction="decrease")


def nearest(edit: wb.Edit, effects: wb.Effects) -> wb.NeuronSet:
    """For each layer's neurons, as many others of the largest |s|."""
    pairs = []
    for layer in edit.layers:
        s = effects.at(layer)[0].abs().clone()
        own = edit.neurons.at(layer)
        s[own] = -1
        pairs += [(layer, int(neuron)) for neuron in s.topk(len(own)).indices]
    return wb.NeuronSet.of(pairs)


def test_every_control_keeps_norm_layer_by_layer(effects: wb.Effects, edit: wb.Edit) -> None:
    other = wb.dpn_edit(effects, wb.select_neurons(effects, rule="broad"), gamma=0.2)
    controls = {
        "matched random": matched_control(edit, nearest(edit, effects), effects),
        "shuffled": shuffled_control(edit, seed=4),
        "flipped": flipped_control(edit),
        "other trait": other_trait_control(edit, other),
    }
    for name, control in controls.items():
        assert control.method == name
        assert control.provenance["control"]
        assert (control.trait, control.direction, control.gamma) == (edit.trait, edit.direction, edit.gamma)
        assert control.layers == edit.layers
        for layer in edit.layers:
            torch.testing.assert_close(control.delta(layer).norm(), edit.delta(layer).norm())


def test_the_matched_control_carries_values_by_rank(effects: wb.Effects, edit: wb.Edit) -> None:
    neurons = nearest(edit, effects)
    control = matched_control(edit, neurons, effects)
    assert control.neurons == neurons
    for layer in edit.layers:
        s = effects.at(layer)[0].abs()
        own, others = edit.neurons.at(layer), control.neurons.at(layer)
        mine = edit.delta(layer)[own[s[own].argsort()]]
        theirs = control.delta(layer)[others[s[others].argsort()]]
        assert torch.equal(mine, theirs)


def test_shuffled_and_flipped_keep_the_neurons(edit: wb.Edit) -> None:
    shuffled, flipped = shuffled_control(edit, seed=1), flipped_control(edit)
    assert shuffled.neurons == flipped.neurons == edit.neurons
    assert shuffled == shuffled_control(edit, seed=1) != shuffled_control(edit, seed=2)
    for layer in edit.layers:
        own = edit.value[edit.layer == layer]
        assert torch.equal(shuffled.value[edit.layer == layer].sort().values, own.sort().values)
        assert torch.equal(flipped.delta(layer), -edit.delta(layer))


def few_values(*by_layer: list[float]) -> wb.Edit:
    deltas = {layer: torch.tensor([*values, 0.0, 0.0]) for layer, values in enumerate(by_layer)}
    return wb.Edit.of(deltas, trait="t", method="m", direction="increase", site="hook_post")


def cosine(control: wb.Edit, edit: wb.Edit) -> float:
    return float(torch.nn.functional.cosine_similarity(control.value, edit.value, dim=0))


def test_a_shuffle_is_unlike_the_edit() -> None:
    """Four neurons in each of a few layers, where many a permutation leaves most values where they were."""
    edit = few_values([3.0, -1.0, 0.5, -0.4], [0.6, 0.4, -2.0, -0.5], [0.3, -0.2, 2.0, 0.1])
    draws = [shuffled_control(edit, seed=seed) for seed in range(20)]
    cosines = [cosine(control, edit) for control in draws]
    assert max(cosines) <= MOST_ALIKE + 1e-6
    assert [float(control.provenance["cosine"]) for control in draws] == pytest.approx(cosines, abs=1e-3)
    assert len({tuple(control.value.tolist()) for control in draws}) == 20


def test_seeds_go_through_all_shuffles_where_they_are_few() -> None:
    edit = few_values([3.0, -1.0, 0.5])
    draws = [tuple(shuffled_control(edit, seed=seed).value.tolist()) for seed in range(8)]
    unlike = {draw for draw in draws if cosine(few_values(list(draw)), edit) <= MOST_ALIKE}
    assert set(draws[:4]) == unlike == set(draws)
    assert draws[:4] == draws[4:]
    by_thousands = [tuple(shuffled_control(edit, seed=3 + 1000 * draw).value.tolist()) for draw in range(4)]
    assert set(by_thousands) == unlike


@pytest.mark.parametrize(
    "values", [[[1.0, 1.0, 1.0]], [[1.0], [-2.0], [3.0]], [[1.0, 1.01, 0.99, 1.0, 1.0, 1.02, 1.0, 0.98]]]
)
def test_an_edit_without_an_unlike_shuffle_is_told_so(values: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"A shuffle of .* differs from it \(cosine at most 0.7\) was not found"):
        shuffled_control(few_values(*values))


def test_a_matched_control_says_how_well_it_is_matched(effects: wb.Effects, edit: wb.Edit) -> None:
    control = matched_control(edit, nearest(edit, effects), effects)
    ratio = match_quality(edit.neurons, control.neurons, effects)["ratio"].iloc[-1]
    assert float(control.provenance["match_ratio"]) == pytest.approx(ratio, abs=1e-3)
    assert 0 < ratio < 1


def test_another_trait_is_matched_in_what_it_writes(model: wb.Model, effects: wb.Effects, edit: wb.Edit) -> None:
    other = wb.dpn_edit(effects, wb.select_neurons(effects, rule="broad"))
    w_out = {layer: model.w_out(layer) for layer in edit.layers}
    control = other_trait_control(edit, other, w_out=w_out)
    for layer in edit.layers:
        torch.testing.assert_close(
            (control.delta(layer) @ w_out[layer]).norm(), (edit.delta(layer) @ w_out[layer]).norm()
        )
        torch.testing.assert_close(
            torch.nn.functional.normalize(control.delta(layer), dim=0),
            torch.nn.functional.normalize(other.delta(layer), dim=0),
        )


def test_another_trait_with_fewer_layers_is_as_strong_in_all(edit: wb.Edit) -> None:
    few = wb.Edit.of(
        {edit.layers[0]: torch.ones(edit.width)}, trait="u", method="m", direction="increase", site="hook_post"
    )
    control = other_trait_control(edit, few)
    assert control.layers == edit.layers[:1]
    torch.testing.assert_close(control.value.norm(), edit.value.norm())


def test_controls_keep_the_operation(edit: wb.Edit) -> None:
    clamp = wb.Edit.on(
        edit.neurons, 0.0, operation="set", width=edit.width, trait="t", method="m", direction="increase",
        site="hook_post",
    )  # fmt: skip
    control = wb.edit.random_control(clamp, seed=2)
    assert control.operation == "set"
    assert len(control) == len(clamp)
    assert bool((control.neurons & clamp.neurons).layer.numel()) is False


def test_mistakes_are_told(effects: wb.Effects, edit: wb.Edit) -> None:
    with pytest.raises(ValueError, match=f"{len(edit)} of these are the edit's own"):
        matched_control(edit, edit.neurons, effects)
    one_less = wb.NeuronSet.of(list(nearest(edit, effects))[1:])
    with pytest.raises(ValueError, match=r"as many neurons, but in layer \d \d+ arrived for \d+"):
        matched_control(edit, one_less, effects)
    clamp = wb.Edit.on(
        edit.neurons, 0.0, operation="set", width=edit.width, trait="t", method="m", direction="increase",
        site="hook_post",
    )  # fmt: skip
    with pytest.raises(ValueError, match="edits that add, but .* has operation 'set'"):
        flipped_control(clamp)
    elsewhere = wb.Edit.of({0: torch.ones(4)}, trait="u", method="m", direction="increase", site="resid_post")
    with pytest.raises(ValueError, match=r"hook_post \(768\) met resid_post \(4\)"):
        other_trait_control(edit, elsewhere)
