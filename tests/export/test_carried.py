"""What a baked checkpoint carries over besides the edit, what it is refused for, and that a stop leaves nothing."""

import json
import signal
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

import workbench as wb

GATED: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def saved(network: Any, tokenizer: Any, folder: Path) -> Path:
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def edit_of(hooked: wb.Model, said: dict[str, str] | None = None) -> wb.Edit:
    generator = torch.Generator().manual_seed(1)
    deltas = {layer: torch.randn(hooked.d_mlp, generator=generator) for layer in range(hooked.n_layers)}
    return wb.Edit.of(deltas, trait="T", method="test", direction="increase", site="hook_post", provenance=said)


def baked_and_base(base: Path, folder: Path) -> tuple[wb.Model, wb.Edit, Any, Any]:
    hooked = wb.load_model(base)
    edit = edit_of(hooked)
    wb.bake(hooked, edit, folder)
    baked, plain = (AutoModelForCausalLM.from_pretrained(place).eval() for place in (folder, base))
    return hooked, edit, baked, plain


@torch.no_grad()
def assert_edited(hooked: wb.Model, edit: wb.Edit, baked: Any, base: Any) -> None:
    ids = torch.randint(5, 500, (2, 60), generator=torch.Generator().manual_seed(2))
    with wb.edited(hooked, edit, scope="all"):
        ours = hooked.hooked(ids)
    torch.testing.assert_close(baked(ids).logits, ours, atol=2e-4, rtol=2e-4)
    assert (baked(ids).logits - base(ids).logits).abs().max() > 0.1


def test_llama3_rope_scaling_is_carried_over(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(model.tokenizer), rope_parameters=LLAMA3_ROPE, rms_norm_eps=1e-3, **GATED)
    base = saved(LlamaForCausalLM(config), model.tokenizer, tmp_path / "base")
    hooked, edit, baked, plain = baked_and_base(base, tmp_path / "baked")
    assert_edited(hooked, edit, baked, plain)
    assert baked.config.rope_parameters == plain.config.rope_parameters == LLAMA3_ROPE
    plain.model.rotary_emb.inv_freq /= 2  # the rope matters at these lengths
    ids = torch.arange(5, 65)[None]
    with torch.no_grad(), wb.edited(hooked, edit, scope="all"):
        assert (plain(ids).logits - hooked.hooked(ids)).abs().max() > 0.1


def test_tied_embeddings_stay_tied(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Qwen2Config(vocab_size=len(model.tokenizer), tie_word_embeddings=True, **GATED)
    base = saved(Qwen2ForCausalLM(config), model.tokenizer, tmp_path / "base")
    hooked, edit, baked, plain = baked_and_base(base, tmp_path / "baked")
    assert_edited(hooked, edit, baked, plain)
    assert baked.config.tie_word_embeddings
    assert baked.lm_head.weight.data_ptr() == baked.model.embed_tokens.weight.data_ptr()
    assert "lm_head.weight" not in load_file(tmp_path / "baked" / "model.safetensors")


@pytest.mark.parametrize(("first", "refused"), [(3, False), (1, True)], ids=["in no layer", "in some layers"])
def test_a_qwen2_is_baked_unless_a_layer_has_a_window(
    first: int, refused: bool, model: wb.Model, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    window = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": first}
    config = Qwen2Config(vocab_size=len(model.tokenizer), **window, **GATED)
    base = saved(Qwen2ForCausalLM(config), model.tokenizer, tmp_path / "base")
    if not refused:
        assert_edited(*baked_and_base(base, tmp_path / "baked"))
        return
    hooked = wb.load_model(base)
    with pytest.raises(ValueError, match="This qwen2 attends within a sliding window of 8 tokens"):
        wb.bake(hooked, edit_of(hooked), tmp_path / "baked")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_generation_settings_and_the_chat_template_come_along(checkpoint: Path, tmp_path: Path) -> None:
    base = Path(copytree(checkpoint, tmp_path / "base"))
    # Contradictory, as some published ones are: transformers itself refuses to save it.
    given = {"do_sample": False, "temperature": 0.6, "max_length": 77, "eos_token_id": [1, 4], "bos_token_id": 0}
    (base / "generation_config.json").write_text(json.dumps(given))
    hooked = wb.load_model(base)
    wb.bake(hooked, edit_of(hooked), tmp_path / "baked")
    theirs = GenerationConfig.from_pretrained(tmp_path / "baked")
    assert {name: getattr(theirs, name) for name in given} == given
    assert wb.load_model(tmp_path / "baked").stop_tokens == hooked.stop_tokens == {1, 4}
    before, after = (AutoTokenizer.from_pretrained(tmp_path / name) for name in ("base", "baked"))
    assert before.chat_template == after.chat_template
    assert before.special_tokens_map == after.special_tokens_map
    for text in ("I always talk.", "What is 21 + 13?"):
        assert before(text)["input_ids"] == after(text)["input_ids"]


def test_an_edit_that_depends_on_the_input_is_refused(checkpoint: Path, contrast: wb.Contrast, tmp_path: Path) -> None:
    hooked = wb.load_model(checkpoint)
    chosen = wb.CaptureSettings(positive=True, sample=64)
    tally = wb.capture_sites(hooked, contrast, sites=["hook_pre"], settings=chosen)["hook_pre"]
    neurons = wb.NeuronSet.of([(0, 3), (1, 40)])
    of = {"width": 48, "trait": "t", "method": "m", "direction": "increase", "site": "hook_post"}
    for edit, reason in (
        (wb.edit.npti_edit(tally, min_neurons=1), "add a constant to the residual stream, but this one is at act"),
        (wb.Edit.on(neurons, 0.5, operation="scale", **of), "Only edits that always add have a constant delta"),
    ):
        with pytest.raises(ValueError, match=reason):
            wb.bake(hooked, edit, tmp_path / "baked")
    assert not list(tmp_path.iterdir())


def test_an_edit_made_on_another_model_is_refused_with_both(checkpoint: Path, model: wb.Model, tmp_path: Path) -> None:
    hooked = wb.load_model(checkpoint)
    with pytest.raises(ValueError, match="of width 768, but .* has 48. Use an edit made on this model"):
        wb.bake(hooked, edit_of(model), tmp_path / "baked")
    elsewhere = {"model": "another", "model_fingerprint": "0123456789abcdef", "dtype": "torch.float32"}
    both = f"made on weights 0123456789ab, but .* has {hooked.fingerprint[:12]}. .*any_weights=True"
    with pytest.raises(ValueError, match=both):
        wb.bake(hooked, edit_of(hooked, elsewhere), tmp_path / "baked")
    assert not list(tmp_path.iterdir())
    assert wb.bake(hooked, edit_of(hooked, elsewhere), tmp_path / "baked", any_weights=True).greedy_ties == 0
    # The same checkpoint read in another number type is not another model.
    half = wb.load_model(checkpoint, dtype=torch.bfloat16)
    said = {"model": hooked.name, "model_fingerprint": hooked.fingerprint, "dtype": "torch.float32"}
    assert half.fingerprint != hooked.fingerprint
    assert wb.bake(half, edit_of(half, said), tmp_path / "half").rounding is not None


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_ctrl_c_in_the_middle_leaves_nothing(
    there: bool, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked = wb.load_model(checkpoint)
    folder = tmp_path / "new" / "deeper" / "baked"
    if there:
        folder.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    seen: list[list[str]] = []

    def stop(*asked: Any) -> None:
        seen.append([path.name for path in folder.parent.glob(".baked-*/*.safetensors")])
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("workbench.export.baking.agreement", lambda *asked, **more: stop())
    with pytest.raises(KeyboardInterrupt):
        wb.bake(hooked, edit_of(hooked), folder)
    assert seen == [["model.safetensors"]]
    assert sorted(tmp_path.rglob("*")) == before
