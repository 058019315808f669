import pytest
import torch
from transformer_lens.hook_points import HookPoint

import workbench as wb
from workbench.vocabulary import HOOK_POST

PROMPTS = ["How do you spend your time at the office party?", "What is 21 + 13?", "Name the capital of Zandia."]


@pytest.fixture
def edit(effects: wb.Effects, selection: wb.Selection) -> wb.Edit:
    return wb.dpn_edit(effects, selection, gamma=1.0, direction="decrease")


def hooks(model: wb.Model) -> int:
    return sum(len(point.fwd_hooks) + len(point._forward_hooks) for point in model.hooked.hook_dict.values())


def logits(model: wb.Model, prompt: str) -> torch.Tensor:
    ids = torch.tensor(model.tokens(prompt))
    with torch.no_grad():
        return model.hooked(ids, return_type="logits")


def test_an_edit_changes_answers_and_is_gone_after(model: wb.Model, edit: wb.Edit) -> None:
    before = model.generate_tokens(PROMPTS, max_new_tokens=12)
    with wb.edited(model, edit.with_gamma(2.0)):
        assert model.generate_tokens(PROMPTS, max_new_tokens=12) != before
    assert model.generate_tokens(PROMPTS, max_new_tokens=12) == before


def test_no_hook_survives_an_exception(model: wb.Model, edit: wb.Edit) -> None:
    before, plain = hooks(model), logits(model, PROMPTS[0])
    with pytest.raises(KeyError, match="boom"), wb.edited(model, edit):
        assert hooks(model) > before
        raise KeyError("boom")
    assert hooks(model) == before
    assert torch.equal(logits(model, PROMPTS[0]), plain)


def test_a_failed_set_up_leaves_no_hook(model: wb.Model, edit: wb.Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    before, original, calls = hooks(model), wb.Model.hook_point, []

    def failing(self: wb.Model, site: object, layer: int) -> HookPoint:
        calls.append(layer)
        if len(calls) == 3:
            raise RuntimeError("no third hook")
        return original(self, HOOK_POST, layer)

    monkeypatch.setattr(wb.Model, "hook_point", failing)
    with pytest.raises(RuntimeError, match="no third hook"), wb.edited(model, edit):
        pass
    assert hooks(model) == before


def test_other_hooks_are_left_alone(model: wb.Model, edit: wb.Edit) -> None:
    point, seen = model.hook_point(HOOK_POST, edit.layers[0]), []
    point.add_hook(lambda tensor, *, hook: seen.append(tensor.shape[-1]))
    try:
        with wb.edited(model, edit):
            model.generate_tokens(PROMPTS[1], max_new_tokens=2)
        inside = len(seen)
        model.generate_tokens(PROMPTS[1], max_new_tokens=2)
        assert len(seen) > inside > 0
    finally:
        model.hooked.reset_hooks()


def test_an_edit_of_nothing_leaves_logits_bit_equal(model: wb.Model, edit: wb.Edit) -> None:
    plain = logits(model, PROMPTS[0])
    with wb.edited(model, edit.with_gamma(0.0), scope="all"):
        assert torch.equal(logits(model, PROMPTS[0]), plain)


def test_scopes_count_what_they_edit(model: wb.Model, edit: wb.Edit) -> None:
    prompt, new = PROMPTS[0], 5
    length, layers = len(model.tokens(prompt)[0]), len(edit.layers)
    expected = {
        "all": {"prompt": length * layers, "decode": (new - 1) * layers},
        "generated": {"prompt": layers, "decode": (new - 1) * layers},
        "decode": {"decode": (new - 1) * layers},
    }
    for scope in ("all", "generated", "decode"):
        with wb.edited(model, edit.with_gamma(0.01), scope=scope) as run:
            (answer,) = model.generate_tokens(prompt, max_new_tokens=new)
        assert len(answer) == new
        assert {phase: count for phase, count in run.pairs.items() if count} == expected[scope]


def test_padding_is_not_counted(model: wb.Model, edit: wb.Edit) -> None:
    lengths = [len(ids) for ids in model.tokens(PROMPTS)]
    assert len(set(lengths)) > 1
    with wb.edited(model, edit, scope="all") as run:
        model.generate_tokens(PROMPTS, max_new_tokens=1)
    assert run.pairs["prompt"] == sum(lengths) * len(edit.layers)


def test_rows_give_each_prompt_its_own_edit(model: wb.Model, edit: wb.Edit) -> None:
    other = edit.with_gamma(-2.0)
    plain = model.generate_tokens(PROMPTS, max_new_tokens=10)
    with wb.edited(model, edit):
        first = model.generate_tokens(PROMPTS, max_new_tokens=10)
    with wb.edited(model, other):
        second = model.generate_tokens(PROMPTS, max_new_tokens=10)
    with wb.edited(model, [edit, other], rows=[0] * 3 + [1] * 3 + [-1] * 3):
        together = model.generate_tokens(3 * PROMPTS, max_new_tokens=10)
    assert together == first + second + plain


def test_edits_compose_by_nesting_and_by_adding(model: wb.Model, edit: wb.Edit) -> None:
    other = edit.with_gamma(0.5)
    with wb.edited(model, edit, scope="all"), wb.edited(model, other, scope="all"):
        nested = logits(model, PROMPTS[0])
    with wb.edited(model, edit + other, scope="all"):
        added = logits(model, PROMPTS[0])
    torch.testing.assert_close(nested, added, atol=1e-4, rtol=1e-4)


def test_a_run_whose_edit_never_fires_is_an_error(model: wb.Model, edit: wb.Edit) -> None:
    with pytest.raises(RuntimeError, match="never fired.*scope 'decode'"), wb.edited(model, edit, scope="decode"):
        model.generate_tokens(PROMPTS[0], max_new_tokens=1)


def test_an_edit_of_another_model_is_refused(model: wb.Model) -> None:
    wide = wb.Edit.of({0: torch.ones(10)}, trait="t", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match=r"width 10, but testbed has 768"), wb.edited(model, wide):
        pass
    deep = wb.Edit.of({9: torch.ones(768)}, trait="t", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match=r"layer 9, but testbed has layers 0 to 7"), wb.edited(model, deep):
        pass


def test_mistakes_are_told(model: wb.Model, edit: wb.Edit) -> None:
    with pytest.raises(ValueError, match=r"one of all, generated, decode, but 'prompt'"):
        with wb.edited(model, edit, scope="prompt"):
            pass
    with pytest.raises(ValueError, match="2 edits need rows="), wb.edited(model, [edit, edit]):
        pass
    with pytest.raises(ValueError, match=r"-1 to 0, but 0 to 3 arrived"), wb.edited(model, [edit], rows=[0, 3]):
        pass


def test_the_residual_arm_writes_as_much_as_the_edit(model: wb.Model, contrast: wb.Contrast, edit: wb.Edit) -> None:
    residual = wb.effect_sizes(wb.capture(model, contrast, site="resid_post"))
    arm = wb.edit.residual_edit(residual, edit, writing=wb.edit.Writing.of(model))
    written = [edit.delta(layer) @ model.w_out(layer) for layer in edit.layers]
    added = [arm.delta(layer) for layer in edit.layers]
    torch.testing.assert_close(torch.stack(added).sum(0).norm(), torch.stack(written).sum(0).norm())
    factors = [float(added[i].norm() / written[i].norm()) for i in range(len(written))]
    assert factors == pytest.approx([factors[0]] * len(factors), rel=1e-4)
    with wb.edited(model, arm, scope="all") as run:
        model.generate_tokens(PROMPTS[0], max_new_tokens=2)
    assert run.edited
