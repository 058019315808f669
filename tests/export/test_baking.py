"""Baked checkpoints: what plain transformers loads is the edited model, or nothing is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

import workbench as wb
from workbench.export.baking import bake

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
GATED = {**SHAPE, "intermediate_size": 48, "num_key_value_heads": 2}

Make = Callable[[int], Any]
EXACT: dict[str, Make] = {
    "llama": lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **GATED)),
    "llama with attention biases": lambda v: LlamaForCausalLM(
        LlamaConfig(vocab_size=v, attention_bias=True, rms_norm_eps=1e-3, tie_word_embeddings=True, **GATED)
    ),
    "llama with mlp biases": lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, mlp_bias=True, **GATED)),
    "qwen2": lambda v: Qwen2ForCausalLM(Qwen2Config(vocab_size=v, **GATED)),
    "mistral": lambda v: MistralForCausalLM(MistralConfig(vocab_size=v, sliding_window=None, head_dim=16, **GATED)),
    "gpt2": lambda v: GPT2LMHeadModel(GPT2Config(vocab_size=v, n_positions=128, n_embd=32, n_layer=2, n_head=4)),
    "gpt_neox": lambda v: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=v, intermediate_size=48, **SHAPE)),
    "opt": lambda v: OPTForCausalLM(OPTConfig(vocab_size=v, ffn_dim=48, word_embed_proj_dim=32, **SHAPE)),
    "bloom": lambda v: BloomForCausalLM(BloomConfig(vocab_size=v, hidden_size=32, n_layer=2, n_head=4)),
    "phi": lambda v: PhiForCausalLM(PhiConfig(vocab_size=v, intermediate_size=48, **SHAPE)),
    "gptj": lambda v: GPTJForCausalLM(
        GPTJConfig(vocab_size=v, n_positions=128, n_embd=32, n_layer=2, n_head=4, rotary_dim=4)
    ),
}


def made(make: Make, model: wb.Model, folder: Path) -> wb.Model:
    torch.manual_seed(0)
    network = make(len(model.tokenizer))
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return wb.load_model(folder)


def edit_of(model: wb.Model, *, site: str = "hook_post", size: float = 1.0) -> wb.Edit:
    width = model.d_mlp if site == "hook_post" else model.d_model
    generator = torch.Generator().manual_seed(1)
    deltas = {layer: size * torch.randn(width, generator=generator) for layer in range(model.n_layers)}
    return wb.Edit.of(deltas, trait="T", method="test", direction="increase", site=site, gamma=1.5)


@pytest.mark.parametrize("kind", EXACT)
def test_a_baked_checkpoint_is_the_edited_model(kind: str, model: wb.Model, tmp_path: Path) -> None:
    hooked = made(EXACT[kind], model, tmp_path / "base")
    edit = edit_of(hooked)
    shown = bake(hooked, edit, tmp_path / "baked")
    assert shown.max_logit_difference < 1e-4 * shown.logit_spread
    assert shown.greedy_tokens == 8 * 24
    assert (tmp_path / "baked" / "bake.json").is_file()
    plain: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "baked").eval()
    before: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "base").eval()
    ids = torch.tensor(hooked.tokens(["What do you do at the party?"], chat=True))
    with torch.no_grad():
        with wb.edited(hooked, edit, scope="all"):
            ours = hooked.hooked(ids)
        theirs, untouched = plain(ids).logits, before(ids).logits
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)
    assert (theirs - untouched).abs().max() > 0.1  # the edit does something
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_residual_shift_is_baked_too(model: wb.Model, tmp_path: Path) -> None:
    shown = bake(model, edit_of(model, site="resid_post", size=0.1), tmp_path / "baked")
    assert shown.architecture == "LlamaForCausalLM"


def test_a_published_edit_of_the_embedded_model(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, tmp_path: Path
) -> None:
    edit = wb.dpn_edit(effects, selection, gamma=0.5)
    bake(model, edit, tmp_path / "baked")
    again = wb.load_model(tmp_path / "baked")
    asked = ["What do you do at the party?", "What is 12 + 30?"]
    with wb.edited(model, edit, scope="all"):
        steered = model.generate(asked, max_new_tokens=16)
    assert again.generate(asked, max_new_tokens=16) == steered


REFUSED: dict[str, tuple[Make, str]] = {
    "post-MLP norms": (
        lambda v: Gemma2ForCausalLM(Gemma2Config(vocab_size=v, head_dim=8, **GATED)),
        "normalises the MLP's output",
    ),
    "no bias": (
        lambda v: Qwen3ForCausalLM(Qwen3Config(vocab_size=v, head_dim=8, **GATED)),
        "is a qwen3: no bias is known",
    ),
    "a sliding window": (
        lambda v: MistralForCausalLM(MistralConfig(vocab_size=v, sliding_window=8, **GATED)),
        "sliding window of 8 tokens",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_exact_is_refused_and_leaves_nothing(kind: str, model: wb.Model, tmp_path: Path) -> None:
    make, reason = REFUSED[kind]
    hooked = made(make, model, tmp_path / "base")
    with pytest.raises(ValueError, match=reason):
        bake(hooked, edit_of(hooked), tmp_path / "baked")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_scopes_rounding_and_folders(model: wb.Model, checkpoint: Path, tmp_path: Path) -> None:
    edit = edit_of(model, size=0.1)
    with pytest.raises(ValueError, match="only scope 'all' can be baked, but 'decode'"):
        bake(model, edit, tmp_path / "baked", scope="decode")
    with pytest.raises(ValueError, match="nothing to bake"):
        bake(model, edit.with_gamma(0.0), tmp_path / "baked")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(FileExistsError, match="is there already"):
        bake(model, edit, tmp_path / "full")
    with pytest.raises(ValueError, match="width"):
        bake(wb.load_model(checkpoint), edit, tmp_path / "baked")
    wrapped = wb.wrap_model(model.hooked, model.tokenizer)
    with pytest.raises(ValueError, match="this model was wrapped"):
        bake(wrapped, edit, tmp_path / "baked")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_checkpoint_that_is_not_the_edited_model_is_not_kept(
    model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.export import biases

    right = biases.BAKERS["llama"]

    def wrong(stock: Any, writes: dict) -> tuple[Any, tuple[str, ...]]:
        return right(stock, {layer: 1.5 * write for layer, write in writes.items()})

    monkeypatch.setitem(biases.BAKERS, "llama", wrong)
    with pytest.raises(ValueError, match="The baked checkpoint is not the edited model"):
        bake(model, edit_of(model, size=0.2), tmp_path / "baked")
    assert not list(tmp_path.iterdir())
