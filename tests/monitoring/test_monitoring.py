"""Monitoring: an oracle by plain transformers, laws of its unit, batching, parts of texts, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.monitoring import make_reference
from workbench.monitoring.texts import watched_texts

TALK = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "How are you?"},
    {"role": "assistant", "content": "I am well."},
    {"role": "user", "content": "And your friends?"},
    {"role": "assistant", "content": "They are at the party."},
]
TEXTS: list[Any] = [
    "the party is in the garden with many friends .",
    wb.Prompt("What do you do at the party?", "You are quiet."),
    ("How are you?", "I am really well, 東京 🎉!"),
    TALK,
]
LAYERS = pd.DataFrame({"neurons": [48, 48], "layer": [0, 1]})
NEUTRAL = ["the office is near the garden .", "the writer is at the table"]


@pytest.fixture(scope="module")
def small(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


@pytest.fixture(scope="module")
def edit() -> wb.Edit:
    generator = torch.Generator().manual_seed(1)
    deltas = {}
    for layer in (0, 1):
        deltas[layer] = torch.zeros(48)
        deltas[layer][[3 + layer, 10, 40]] = torch.randn(3, generator=generator)
    return wb.Edit.of(deltas, trait="E", method="DPN-LE", direction="increase", site="hook_post", gamma=2.0)


@pytest.fixture(scope="module")
def whole(small: wb.Model, edit: wb.Edit) -> Any:
    return wb.monitor(small, TEXTS, edit, neutral=NEUTRAL, draws=5)


def plain_projections(checkpoint: Path, edit: wb.Edit, ids: list[int]) -> np.ndarray:
    """`h · delta / |delta|²` of every token, with hooks of torch on transformers' own down projections."""
    network: Any = AutoModelForCausalLM.from_pretrained(checkpoint)
    total = torch.zeros(len(ids), dtype=torch.float64)
    size = float(edit.value.double().square().sum())
    handles = []
    for layer in edit.layers:
        delta = edit.with_gamma(1.0).delta(layer).double()

        def hook(_: Any, args: tuple, delta: torch.Tensor = delta) -> None:
            total.add_(args[0][0].double() @ delta / size)

        handles.append(network.model.layers[layer].mlp.down_proj.register_forward_pre_hook(hook))
    with torch.no_grad():
        network(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return total.numpy()


def test_projections_are_those_of_plain_transformers(
    small: wb.Model, checkpoint: Path, edit: wb.Edit, whole: Any
) -> None:
    neutral = [plain_projections(checkpoint, edit, small.tokens(text, chat=False)[0]) for text in NEUTRAL]
    centre = np.concatenate([each[1:] for each in neutral]).mean()
    for number, each in enumerate(watched_texts(small, TEXTS)):
        expected = plain_projections(checkpoint, edit, each.tokens) - centre
        np.testing.assert_allclose(whole.projection[whole.text == number], expected, atol=1e-6)


def test_tokens_are_what_generation_reads_and_know_their_part(small: wb.Model, whole: Any) -> None:
    asked, [answer] = small.tokens("How are you?")[0], small.answer_tokens(["I am really well, 東京 🎉!"])
    pair = watched_texts(small, [TEXTS[2]])[0]
    assert pair.tokens == [*asked, *answer]
    assert pair.start == len(asked)
    frame = whole.frame()
    for number, roles in ((0, {"text"}), (1, {"system", "user", "template"}), (2, {"user", "assistant", "template"})):
        assert set(frame.loc[frame["text"] == number, "part"]) == roles
    assert "".join(frame.loc[frame["text"] == 2, "token"]).endswith("I am really well, 東京 🎉!")
    of_talk = frame[frame["text"] == 3]
    for turn in TALK:
        assert turn["content"] in "".join(of_talk.loc[of_talk["part"] == turn["role"], "token"])
    said = "".join(of_talk.loc[of_talk["part"] == "assistant", "token"])
    assert said == "I am well.They are at the party."
    talk = watched_texts(small, TALK)[0]
    assert "".join(talk.texts[talk.start :]).startswith("They are")


def test_texts_alone_and_in_padded_batches_are_equal(small: wb.Model, edit: wb.Edit, whole: Any) -> None:
    for number, text in enumerate(TEXTS):
        alone = wb.monitor(small, [text], edit, reference=whole.reference, draws=5)
        here = whole.text == number
        np.testing.assert_allclose(alone.projection, whole.projection[here], atol=1e-6)
        np.testing.assert_allclose(alone.draws, whole.draws[here], atol=1e-6)
        for pole in ("high", "low"):
            np.testing.assert_allclose(alone.activity[pole], whole.activity[pole][here], atol=1e-6)


@pytest.fixture
def unable(small: wb.Model) -> Iterator[wb.Model]:
    """The model, as if it could neither pad nor keep keys and values."""
    loop = small.loop
    small._loop = replace(loop, pads=False, caches=False)
    yield small
    small._loop = loop


def test_a_model_that_cannot_pad_or_cache_gives_the_same(unable: wb.Model, edit: wb.Edit, whole: Any) -> None:
    other = wb.monitor(unable, TEXTS, edit, neutral=NEUTRAL, draws=5, max_tokens=40)
    np.testing.assert_allclose(other.projection, whole.projection, atol=1e-6)


@pytest.mark.parametrize("site", ["hook_post", "hook_pre", "mlp_out", "resid_mid", "resid_post", "z"])
def test_an_edit_raises_the_projection_by_its_dose_at_every_site(small: wb.Model, site: str) -> None:
    width = 48 if site in ("hook_post", "hook_pre") else 32
    delta = torch.zeros(width)
    delta[[1, 5]] = torch.tensor([0.5, -2.0])
    edit = wb.Edit.of({1: delta}, trait="E", method="m", direction="increase", site=site, gamma=0.75)
    reference = make_reference(small, edit, neutral=NEUTRAL, draws=3)
    before = wb.monitor(small, TEXTS, edit, reference=reference, draws=3)
    with wb.edited(small, edit, scope="all"):
        after = wb.monitor(small, TEXTS, edit, reference=reference, draws=3)
    np.testing.assert_allclose(after.projection - before.projection, 0.75, atol=1e-5)
    with wb.edited(small, edit, scope="generated"):
        said = wb.monitor(small, TEXTS[2], edit, reference=reference, draws=3)
    moved = said.projection - before.projection[before.text == 2]
    start = watched_texts(small, TEXTS[2])[0].start
    np.testing.assert_allclose(moved[: start - 1], 0.0, atol=1e-5)
    np.testing.assert_allclose(moved[start - 1 :], 0.75, atol=1e-5)
    assert ("high" in before.activity) == (width == 48)
    assert np.isfinite(before.frame().select_dtypes("number").to_numpy()).all()


def test_the_activation_functions_output_is_read(small: wb.Model, checkpoint: Path) -> None:
    edit = wb.Edit.of({0: torch.eye(48)[7]}, trait="E", method="m", direction="increase", site="act")
    found = wb.monitor(small, TEXTS[0], edit, neutral=NEUTRAL, draws=2)
    network: Any = AutoModelForCausalLM.from_pretrained(checkpoint)
    mlp, seen = network.model.layers[0].mlp, []
    handle = mlp.gate_proj.register_forward_hook(lambda _, args, out: seen.append(mlp.act_fn(out)[0, :, 7]))
    with torch.no_grad():
        network(torch.tensor(small.tokens(TEXTS[0], chat=False)))
    handle.remove()
    np.testing.assert_allclose(found.activity["high"], seen[0].numpy(), atol=1e-6)


def test_a_selection_reads_as_its_edit_and_a_decrease_is_turned(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection
) -> None:
    along = wb.monitor(model, "How are you?", selection, effects=effects, draws=3)
    for direction in ("increase", "decrease"):
        edit = wb.dpn_edit(effects, selection, direction=direction, gamma=3.0)
        same = wb.monitor(model, "How are you?", edit, effects=effects, draws=3)
        np.testing.assert_allclose(same.projection, along.projection, atol=1e-6)
        np.testing.assert_allclose(same.activity["high"], along.activity["high"], atol=1e-6)
    alike = wb.monitor(model, "How are you?", selection, draws=3)
    assert not np.allclose(alike.projection, along.projection)
    assert "mean difference" in along.provenance["null"]


def test_controls_are_other_neurons_and_neutral_tokens_are_centred(small: wb.Model, edit: wb.Edit, whole: Any) -> None:
    again = wb.monitor(small, NEUTRAL, edit, reference=whole.reference, draws=5)
    inner = again.position > 0
    assert abs(again.projection[inner].mean()) < 1e-9
    np.testing.assert_allclose(again.draws[inner].mean(0), 0.0, atol=1e-9)
    assert abs(again.frame()["quantile"][inner].mean() - 0.5) < 1e-9
    # A control reads none of the edit's neurons: an edit there leaves the last layer's draws as they are.
    last = wb.Edit.of({1: edit.delta(1)}, trait="E", method="m", direction="increase", site="hook_post")
    reference = make_reference(small, last, neutral=NEUTRAL, draws=4)
    plain = wb.monitor(small, TEXTS, last, reference=reference, draws=4)
    with wb.edited(small, last, scope="all"):
        moved = wb.monitor(small, TEXTS, last, reference=reference, draws=4)
    np.testing.assert_allclose(moved.draws, plain.draws, atol=1e-9)
    assert (moved.p_random >= 1 / 5).all()


def test_the_poles_of_a_learned_trait_are_told_apart(
    model: wb.Model, contrast: wb.Contrast, selection: wb.Selection, effects: wb.Effects
) -> None:
    fresh = wb.Contrast.testbed("Extraversion", n=24, seed=11, held_out=True)
    edit = wb.dpn_edit(effects, selection)
    high = wb.monitor(model, list(fresh.high), edit, effects=effects, draws=5)
    low = wb.monitor(model, list(fresh.low), edit, effects=effects, draws=5, reference=high.reference)
    threshold = wb.monitoring.choose_threshold(high, low)
    assert threshold.area.low > 0.5
    assert threshold.chosen_on == (12, 12)
    assert threshold.false_positive.n == threshold.false_negative.n == 12
    assert threshold.flags(high).mean() > threshold.flags(low).mean()
    assert threshold.false_positive.low < threshold.false_positive.high


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "at least 1 text"),
        ([3], "A text to monitor is a string"),
        ([("a", "b", "c")], "A text to monitor is a string"),
        ([{"role": "user"}], "a role and a content"),
        ([[{"role": "user", "content": " "}]], "all its turns are empty"),
        ("the " * 300, "positions|made for"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(small: wb.Model, edit: wb.Edit, texts: Any, said: str) -> None:
    with pytest.raises((ValueError, UserWarning), match=said):
        wb.monitor(small, texts, edit, neutral=NEUTRAL)


def test_what_cannot_be_read_is_refused(small: wb.Model, edit: wb.Edit, whole: Any) -> None:
    with wb.edited(small, edit), pytest.raises(ValueError, match="make_reference"):
        wb.monitor(small, TEXTS, edit, neutral=NEUTRAL)
    with pytest.raises(ValueError, match="other draws"):
        wb.monitor(small, TEXTS, edit, reference=whole.reference, draws=6)
    with pytest.raises(ValueError, match="at least 1 random draw"):
        wb.monitor(small, TEXTS, edit, draws=0)
    with pytest.raises(ValueError, match="operation 'set'"):
        wb.monitor(small, TEXTS, replace(edit, operation="set", gamma=1.0))
    with pytest.raises(ValueError, match="width 48"):
        wb.monitor(wb.load_model("testbed"), TEXTS, edit)
    with pytest.raises(ValueError, match="adds nothing"):
        wb.monitor(small, TEXTS, replace(edit, value=torch.zeros_like(edit.value)))
    for pair, said in (((9, 0), r"are 0 to 1, but \[9\]"), ((0, 48), "48 neurons a layer, but .* has neuron 48")):
        chosen = wb.Selection("E", "mine", wb.NeuronSet.of([pair]), wb.NeuronSet.of([]), LAYERS)
        with pytest.raises(ValueError, match=said):
            wb.monitor(small, TEXTS, chosen)
    with pytest.raises(ValueError, match="has none"):
        wb.monitor(small, TEXTS, wb.Selection("E", "mine", wb.NeuronSet.of([]), wb.NeuronSet.of([]), LAYERS))
    with pytest.raises(ValueError, match="no tokens of narrator"):
        whole.scores("narrator")


def test_values_that_are_not_finite_are_named(checkpoint: Path, edit: wb.Edit) -> None:
    broken = wb.load_model(checkpoint)
    with torch.no_grad():
        broken.network.model.layers[0].mlp.gate_proj.weight.mul_(float("inf"))
    with pytest.raises(FloatingPointError, match="token 0 of text 0"):
        wb.monitor(broken, TEXTS, edit, neutral=NEUTRAL)
