from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.edit.edit import Composite
from workbench.edit.stages import stages_at
from workbench.vocabulary import HOOK_POST, RESID_POST, Site, Z, site_named

PROMPTS = ["How do you spend your time at the office party?", "What is 21 + 13?", "Name the capital of Zandia."]
WIDTHS = {"hook_post": 48, "act": 48, "hook_pre": 48, "resid_post": 32, "z": 32}


@pytest.fixture(scope="module")
def tiny(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


def edit_of(operation: str, units: dict[tuple[int, int], float], *, site: str = "hook_post", gamma: float = 1.0):
    neurons = wb.NeuronSet.of(units)
    values = torch.tensor([units[pair] for pair in neurons])
    return wb.Edit.on(
        neurons, values, operation=operation, width=WIDTHS[site], trait="t", method=operation, direction="increase",
        site=site, gamma=gamma,
    )  # fmt: skip


def random_edit(operation: str, site: str, seed: int, *, gamma: float = 0.7) -> wb.Edit:
    generator = torch.Generator().manual_seed(seed)
    units = torch.randperm(WIDTHS[site], generator=generator)[:9].tolist()
    values = torch.randn(18, generator=generator).tolist()
    return edit_of(operation, {(i % 2, units[i % 9]): value for i, value in enumerate(values)}, site=site, gamma=gamma)


def logits(model: wb.Model, prompt: str = PROMPTS[0]) -> torch.Tensor:
    ids = torch.tensor(model.tokens(prompt))
    with torch.no_grad():
        return model.hooked(ids, return_type="logits")


def applied(edit: wb.Edit | Composite, h: torch.Tensor, layer: int = 0) -> torch.Tensor:
    for stage in stages_at([edit.parts], "hook_post", layer):
        h = stage.apply(h, None, None)
    return h


@pytest.mark.parametrize(
    ("operation", "gamma", "expected"),
    [
        ("add", 0.5, [1.0, -2.0 + 1.5, 4.0 - 0.5]),
        ("scale", 1.0, [1.0, -6.0, -4.0]),
        ("scale", 0.5, [1.0, -2.0 * (1 + 0.5 * 2), 4.0 * (1 + 0.5 * -2)]),
        ("set", 1.0, [1.0, 3.0, -1.0]),
        ("set", 0.25, [1.0, -2.0 + 0.25 * 5, 4.0 + 0.25 * -5]),
        ("cap", 1.0, [1.0, -2.0, -1.0]),
        ("cap", 0.1, [1.0, -2.0, -1.0]),
    ],
)
def test_operations_do_what_their_words_say(operation: str, gamma: float, expected: list[float]) -> None:
    h = torch.zeros(1, 1, 48)
    h[..., :3] = torch.tensor([1.0, -2.0, 4.0])
    edit = edit_of(operation, {(0, 1): 3.0, (0, 2): -1.0}, gamma=gamma)
    torch.testing.assert_close(applied(edit, h)[0, 0, :3], torch.tensor(expected))
    assert not applied(edit, h)[0, 0, 3:].any()


@settings(deadline=None)
@given(st.sampled_from(["add", "scale", "set", "cap"]), st.integers(0, 5))
def test_no_dose_is_no_edit_and_a_full_set_is_the_value(operation: str, seed: int) -> None:
    h = torch.randn(2, 3, 48, generator=torch.Generator().manual_seed(seed))
    edit = random_edit(operation, "hook_post", seed, gamma=0.0)
    assert not edit.acts
    assert torch.equal(applied(edit, h), h)
    whole = edit.with_gamma(1.0)
    others = torch.ones(48, dtype=torch.bool)
    here = whole.layer == 0
    others[whole.unit[here]] = False
    assert torch.equal(applied(whole, h)[..., others], h[..., others])
    if operation == "set":
        assert torch.equal(applied(whole, h)[..., whole.unit[here]], whole.value[here].expand(2, 3, -1))


@pytest.mark.parametrize("scope", ["all", "generated", "decode"])
def test_an_edit_of_no_dose_leaves_tokens_alone(tiny: wb.Model, scope: str) -> None:
    plain = tiny.generate_tokens(PROMPTS, max_new_tokens=5)
    for operation in ("scale", "set", "cap"):
        with wb.edited(tiny, random_edit(operation, "hook_post", 1, gamma=0.0), scope=scope):
            assert tiny.generate_tokens(PROMPTS, max_new_tokens=5) == plain


def by_hand(edit: wb.Edit, layer: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """One edit's operation at a layer, in a loop over its units."""

    def run(h: torch.Tensor) -> torch.Tensor:
        h = h.clone()
        for at, unit, value in zip(edit.layer.tolist(), edit.unit.tolist(), edit.value.tolist(), strict=True):
            if at != layer:
                continue
            old = h[..., unit]
            h[..., unit] = {
                "add": old + edit.gamma * value,
                "scale": old * (1 + edit.gamma * (value - 1)),
                "set": old + edit.gamma * (value - old),
                "cap": old.clamp(max=value),
            }[edit.operation]
        return h

    return run


@pytest.mark.parametrize("order", [("add", "cap", "scale"), ("set", "add", "add"), ("cap", "scale", "set")])
def test_a_composite_equals_sequential_hooks(tiny: wb.Model, order: tuple[str, ...]) -> None:
    parts = [random_edit(operation, "hook_post", seed) for seed, operation in enumerate(order)]
    parts += [random_edit("add", "resid_post", 7), random_edit("scale", "z", 8)]
    composite = Composite(tuple(parts))
    with ExitStack() as hooks:
        for part in parts:
            for layer in part.layers:
                hooks.enter_context(tiny.hooked_at(site_named(part.site), layer, by_hand(part, layer)))
        expected = logits(tiny)
    with wb.edited(tiny, composite, scope="all") as run:
        found = logits(tiny)
    assert run.edited
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, logits(tiny), atol=1e-3)


def test_sites_are_edited_where_they_are(tiny: wb.Model) -> None:
    cases: tuple[Site, ...] = (HOOK_POST, RESID_POST, Z)
    for site in cases:
        part = random_edit("set", site.name, 3)
        with ExitStack() as hooks:
            for layer in part.layers:
                hooks.enter_context(tiny.hooked_at(site, layer, by_hand(part, layer)))
            expected = logits(tiny)
        with wb.edited(tiny, part, scope="all"):
            torch.testing.assert_close(logits(tiny), expected, atol=1e-5, rtol=1e-5)


def test_rows_mix_edits_and_composites(tiny: wb.Model) -> None:
    one = random_edit("set", "hook_post", 1)
    both = random_edit("add", "hook_post", 2, gamma=3.0) + random_edit("cap", "act", 3) + random_edit("scale", "z", 4)
    assert isinstance(both, Composite)
    plain = tiny.generate_tokens(PROMPTS, max_new_tokens=8)
    with wb.edited(tiny, one) as first_run:
        first = tiny.generate_tokens(PROMPTS, max_new_tokens=8)
    with wb.edited(tiny, both) as second_run:
        second = tiny.generate_tokens(PROMPTS, max_new_tokens=8)
    with wb.edited(tiny, [both, one], rows=[1] * 3 + [0] * 3 + [-1] * 3) as run:
        together = tiny.generate_tokens(3 * PROMPTS, max_new_tokens=8)
    assert together == first + second + plain
    assert first != plain
    assert second != plain
    assert run.by_edit == {1: first_run.edited, 0: second_run.edited}
    assert run.by_edit == {1: first_run.by_edit[0], 0: second_run.by_edit[0]}
    assert run.edited == sum(run.by_edit.values())


def test_passes_that_somebody_else_runs_are_counted_once(tiny: wb.Model) -> None:
    length = len(tiny.tokens(PROMPTS[0])[0])
    with wb.edited(tiny, random_edit("add", "hook_post", 1), scope="all") as run:
        logits(tiny)
        logits(tiny)
    assert run.passes == {"prompt": 2}
    assert run.pairs == {"prompt": 2 * 2 * length}


def test_a_silent_edit_among_others_is_named(tiny: wb.Model) -> None:
    one, other = random_edit("add", "hook_post", 1), replace(random_edit("set", "hook_post", 2), method="quiet")
    with pytest.raises(RuntimeError, match=r"1 of 2 edits never fired, first edit 1, Edit\(quiet.*scope 'generated'"):
        with wb.edited(tiny, [one, other], rows=[0, 0, 1]):
            tiny.generate_tokens(PROMPTS[:2], max_new_tokens=2)
    with wb.edited(tiny, [one, other.with_gamma(0.0)], rows=[0, 0, 1]):
        tiny.generate_tokens(PROMPTS, max_new_tokens=2)
    with wb.edited(tiny, [one, other], rows=[0, 0, -1]):
        tiny.generate_tokens(PROMPTS, max_new_tokens=2)


def test_the_run_says_what_was_edited(tiny: wb.Model) -> None:
    edit = random_edit("add", "hook_post", 1, gamma=0.01)
    with wb.edited(tiny, edit) as run:
        (answer,) = tiny.generate_tokens(PROMPTS[0], max_new_tokens=4)
    steps = len(answer) - 1 if len(answer) == 4 else len(answer)
    assert run.scope == "generated"
    assert run.pairs == {"prompt": 2, "decode": 2 * steps}
    assert run.passes == {"prompt": 1, "decode": steps}
    assert run.by_edit == {0: 2 + 2 * steps}
    assert run.edited == 2 + 2 * steps
    assert [(place.site, place.layer) for place in run.places] == [("hook_post", 0), ("hook_post", 1)]


def test_a_mask_leaves_its_share_alone_the_same_in_any_batch(tiny: wb.Model) -> None:
    edit = edit_of("add", {(layer, unit): 1.0 for layer in (0, 1) for unit in range(48)})
    masked = replace(edit, mask=0.25, seed=5)
    (stage,) = stages_at([masked.parts], "hook_post", 0)
    drawn = [stage.apply(torch.zeros(2, 1, 48), None, torch.full((2, 1), step))[:, 0] for step in range(40)]
    assert all(torch.equal(step[0], step[1]) for step in drawn)
    share = torch.stack(drawn).mean().item()
    assert share == pytest.approx(0.75, abs=0.04)
    assert len({tuple(step[0].tolist()) for step in drawn}) > 30
    with wb.edited(tiny, masked):
        alone = [tiny.generate_tokens(prompt, max_new_tokens=6)[0] for prompt in PROMPTS]
    with wb.edited(tiny, masked):
        assert tiny.generate_tokens(PROMPTS, max_new_tokens=6) == alone
    with wb.edited(tiny, edit):
        assert tiny.generate_tokens(PROMPTS, max_new_tokens=6) != alone


def test_mistakes_are_told(tiny: wb.Model) -> None:
    with pytest.raises(ValueError, match="one of add, scale, set, cap, but 'double' arrived"):
        edit_of("double", {(0, 1): 1.0})
    with pytest.raises(ValueError, match="gamma is at least 0, but -1.0 arrived"):
        edit_of("cap", {(0, 1): 1.0}).with_gamma(-1.0)
    with pytest.raises(ValueError, match="2 units came with 1 values"):
        wb.Edit.on(
            wb.NeuronSet.of([(0, 1), (0, 2)]), torch.ones(1), operation="set", width=48, trait="t", method="m",
            direction="increase", site="hook_post",
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"constant delta, but Edit\(set.* has set. Run it with edited\(\)"):
        edit_of("set", {(0, 1): 1.0}).delta(0)
    with pytest.raises(ValueError, match="share from 0 to below 1, but 1.0 arrived"):
        replace(edit_of("add", {(0, 1): 1.0}), mask=1.0)
    wide = replace(random_edit("add", "resid_post", 1), width=64)
    with pytest.raises(ValueError, match="resid_post of width 64"):
        with wb.edited(tiny, random_edit("add", "hook_post", 1) + wide):
            pass
