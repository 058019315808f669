from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

import workbench as wb
from workbench.capture import Activations
from workbench.edit.rivals import head_edit, npti_edit
from workbench.vocabulary import Axis, Site, Z

PROMPTS = ["How do you spend your time at the office party?", "What is 21 + 13?"]


@pytest.fixture(scope="module")
def tiny(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Any:
    return LlamaForCausalLM.from_pretrained(checkpoint).eval()


@pytest.fixture(scope="module")
def tally(tiny: wb.Model, contrast: wb.Contrast) -> Activations:
    chosen = wb.CaptureSettings(keep=True, positive=True, sample=1024)
    found = wb.capture_sites(tiny, contrast, sites=["hook_pre"], settings=chosen)["hook_pre"]
    assert isinstance(found, Activations)
    return found


def published(rows: dict[str, np.ndarray], own: str, other: str, *, min_delta: float) -> tuple[dict, dict]:
    """NPTI's neurons by (layer, neuron) from gate values `(n, layer, neuron)`: own with their push, and the others."""

    def silu(x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-x))

    pushed, silenced = {}, {}
    _, layers, width = rows[own].shape
    for layer in range(layers):
        for neuron in range(width):
            mine, theirs = rows[own][:, layer, neuron], rows[other][:, layer, neuron]
            delta = np.mean(silu(mine) > 0) - np.mean(silu(theirs) > 0)
            if delta >= min_delta:
                push = np.quantile(silu(mine), 0.95) / (1 + np.exp(-10 * (delta - 0.15)))
                pushed[layer, neuron] = float(push)
            elif -delta >= min_delta:
                silenced[layer, neuron] = None
    return pushed, silenced


@contextmanager
def plain_npti(network: Any, pushed: dict, silenced: dict, *, gamma: float, first: int) -> Iterator[None]:
    """The published edit inside each MLP of a plain transformers model, from position `first` on."""
    originals = [block.mlp.forward for block in network.model.layers]
    for layer, block in enumerate(network.model.layers):

        def forward(x: torch.Tensor, mlp: Any = block.mlp, layer: int = layer) -> torch.Tensor:
            a = torch.nn.functional.silu(mlp.gate_proj(x))
            for at, neuron in silenced:
                if at == layer:
                    a[:, first:, neuron] = a[:, first:, neuron].clamp(max=0.0)
            for (at, neuron), push in pushed.items():
                if at == layer:
                    a[:, first:, neuron] += gamma * push
            return mlp.down_proj(a * mlp.up_proj(x))

        block.mlp.forward = forward
    try:
        yield
    finally:
        for block, original in zip(network.model.layers, originals, strict=True):
            block.mlp.forward = original


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_npti_equals_the_published_forward(tiny: wb.Model, network: Any, tally: Activations, direction: str) -> None:
    edit = npti_edit(tally, direction=direction, min_delta=0.1, min_neurons=0)
    assert edit.gamma == 1.4
    rows = {str(pole): values.double().numpy() for pole, values in tally.activations.items()}
    own, other = ("high", "low") if direction == "increase" else ("low", "high")
    pushed, silenced = published(rows, own, other, min_delta=0.1)
    assert pushed
    assert silenced
    capped, driven = edit.edits
    assert set(capped.neurons) == set(silenced)
    assert set(driven.neurons) == set(pushed)
    expected = [pushed[pair] for pair in driven.neurons]
    torch.testing.assert_close(driven.value, torch.tensor(expected), atol=1e-5, rtol=1e-4)
    ids = torch.tensor(tiny.tokens(PROMPTS[0]))
    with torch.no_grad():
        with plain_npti(network, pushed, silenced, gamma=1.4, first=0):
            steered = network(ids).logits
        with wb.edited(tiny, edit, scope="all"):
            ours = tiny.hooked(ids, return_type="logits")
        torch.testing.assert_close(ours, steered, atol=2e-5, rtol=1e-4)
        assert not torch.allclose(ours, network(ids).logits, atol=1e-3)
        with plain_npti(network, pushed, silenced, gamma=1.4, first=ids.shape[1] - 1):
            last = network(ids).logits
        with wb.edited(tiny, edit, scope="generated"):
            torch.testing.assert_close(tiny.hooked(ids, return_type="logits"), last, atol=2e-5, rtol=1e-4)


def test_npti_is_the_same_in_any_batch(tiny: wb.Model, tally: Activations) -> None:
    edit = npti_edit(tally, min_neurons=0, mask=0.1)
    assert [part.mask for part in edit.parts] == [0.0, 0.1]
    with wb.edited(tiny, edit, scope="decode"):
        alone = [tiny.generate_tokens(prompt, max_new_tokens=6)[0] for prompt in PROMPTS]
    with wb.edited(tiny, [edit], scope="decode", rows=[0, 0, -1]) as run:
        together = tiny.generate_tokens([*PROMPTS, PROMPTS[0]], max_new_tokens=6)
    assert together[:2] == alone
    assert together[2] == tiny.generate_tokens(PROMPTS[0], max_new_tokens=6)[0]
    assert {place.site for place in run.places} == {"act"}
    assert set(+run.pairs) == {"decode"}


def test_npti_takes_the_most_different_where_few_pass(tally: Activations) -> None:
    edit = npti_edit(tally, min_delta=0.99, min_neurons=5)
    assert [len(part) for part in edit.edits] == [5, 5]
    assert edit.provenance is not None
    assert npti_edit(tally).provenance == {**edit.provenance, "min_delta": "0.1", "min_neurons": "1"}


def test_an_ungated_mlp_is_edited_at_hook_post(tiny: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    on = {"width": 48, "trait": "t", "method": "m", "direction": "increase"}
    neurons = wb.NeuronSet.of([(0, 3), (1, 40)])
    ids = torch.tensor(tiny.tokens(PROMPTS[0]))
    with wb.edited(tiny, wb.Edit.on(neurons, 0.5, operation="set", site="hook_post", **on), scope="all"):
        expected = tiny.hooked(ids, return_type="logits")
    monkeypatch.setattr(wb.Model, "is_gated", lambda self, layer: False)
    with wb.edited(tiny, wb.Edit.on(neurons, 0.5, operation="set", site="act", **on), scope="all"):
        torch.testing.assert_close(tiny.hooked(ids, return_type="logits"), expected)


@pytest.fixture(scope="module")
def heads(model: wb.Model, contrast: wb.Contrast) -> wb.Effects:
    return wb.effect_sizes(wb.capture(model, contrast, site="z"))


def written(model: wb.Model, edit: wb.Edit, site: str) -> dict[int, float]:
    project = model.w_out if site == "hook_post" else model.w_o
    return {layer: float((edit.delta(layer) @ project(layer)).norm()) for layer in edit.layers}


def together(model: wb.Model, edit: wb.Edit, site: str) -> float:
    project = model.w_out if site == "hook_post" else model.w_o
    return float(torch.stack([edit.delta(layer) @ project(layer) for layer in edit.layers]).sum(0).norm())


def test_what_a_head_writes_is_its_part_of_the_attention(model: wb.Model) -> None:
    seen: dict[str, torch.Tensor] = {}
    out = Site("attn_out", "blocks.{layer}.hook_attn_out", Axis.RESIDUAL)
    with model.hooked_at(Z, 1, lambda z: seen.update(z=z)), model.hooked_at(out, 1, lambda o: seen.update(out=o)):
        with torch.no_grad():
            model.hooked(torch.tensor(model.tokens(PROMPTS[0])))
    torch.testing.assert_close(seen["z"] @ model.w_o(1), seen["out"], atol=1e-5, rtol=1e-4)


def test_the_head_arm_takes_the_most_different_heads_and_is_as_strong(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, heads: wb.Effects
) -> None:
    edit = wb.dpn_edit(effects, selection, gamma=0.8, direction="decrease")
    arm = head_edit(heads, edit, model=model, k=3)
    width = model.width(Z) // model.hooked.cfg.n_heads
    chosen = {(layer, unit // width) for layer, unit in zip(arm.layer.tolist(), arm.unit.tolist(), strict=True)}
    scores = {
        (layer, head): float(heads.at(layer)[1][head * width : (head + 1) * width].norm())
        for layer in heads.layers
        for head in range(model.hooked.cfg.n_heads)
    }
    assert chosen == set(sorted(scores, key=lambda pair: -scores[pair])[:3])
    assert together(model, arm, "z") == pytest.approx(together(model, edit, "hook_post"), rel=1e-4)
    layer = arm.layers[0]
    own = arm.unit[arm.layer == layer]
    assert bool((arm.delta(layer)[own].sign() == -heads.at(layer)[0][own].float().sign()).all())
    assert (arm.gamma, arm.direction, arm.site) == (0.8, "decrease", "z")
    with wb.edited(model, arm) as run:
        model.generate_tokens(PROMPTS[0], max_new_tokens=2)
    assert run.edited


def test_the_head_arm_may_match_each_layer(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, heads: wb.Effects
) -> None:
    edit = wb.dpn_edit(effects, selection)
    arm = head_edit(heads, edit, model=model, k=1, matched="layer")
    assert written(model, arm, "z") == pytest.approx(written(model, edit, "hook_post"), rel=1e-4)


def test_mistakes_are_told(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, heads: wb.Effects, tally: Activations
) -> None:
    edit = wb.dpn_edit(effects, selection)
    with pytest.raises(ValueError, match="shifted at z, but these effects are of hook_post"):
        head_edit(effects, edit, model=model)
    with pytest.raises(ValueError, match="from 1 to the 32 heads to choose from, but it is 33"):
        head_edit(heads, edit, model=model, k=33)
    plain = wb.capture(model, wb.Contrast.testbed("Openness", n=4))
    with pytest.raises(ValueError, match="at hook_pre, but this tally is of hook_post"):
        npti_edit(plain)
    with pytest.raises(ValueError, match="increase or decrease, but 'up' arrived"):
        npti_edit(tally, direction="up")
    bare = wb.capture(model, wb.Contrast.testbed("Openness", n=4), site="hook_pre")
    with pytest.raises(ValueError, match="Capture with positive=True"):
        npti_edit(bare)
