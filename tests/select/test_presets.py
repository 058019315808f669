"""Presets are found by architecture and size, on networks without weights."""

from typing import Any

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

import workbench as wb
from workbench.select.presets import Preset, preset_of, shape_of
from workbench.select.settings import RuleSettings

LLAMA: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
QWEN: dict[str, Any] = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
}


def weightless(config: Any, tokenizer: Any, name: str = "anything") -> wb.Model:
    """The whole network on the meta device: shapes, no numbers."""
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    hooked = TransformerBridge.boot_transformers(name, hf_model=network, tokenizer=tokenizer, device="meta")
    return wb.wrap_model(hooked, tokenizer, name=name)


def found(config: Any, model: wb.Model, name: str = "anything") -> Preset | None:
    return preset_of(weightless(config, model.tokenizer, name))


def test_the_published_settings(model: wb.Model) -> None:
    llama = found(LlamaConfig(vocab_size=2000, **LLAMA), model)
    assert llama is not None
    assert (llama.name, llama.rule.quantile, llama.rule.min_d) == ("LLaMA-3-8B-Instruct", 0.995, 0.8)
    assert llama.layers == tuple(range(12, 32))
    # The published counts: 72 neurons a layer over tau_q, 0.497 % of the target layers and 0.310 % of all.
    above = 14336 - round(0.995 * 14336)
    assert above == 72
    assert 20 * above / (20 * 14336) == pytest.approx(0.0050, abs=1e-4)
    qwen = found(Qwen2Config(vocab_size=2000, **QWEN), model)
    assert qwen is not None
    assert (qwen.name, qwen.rule.quantile, qwen.rule.min_d) == ("Qwen2.5-7B-Instruct", 0.995, 0.3)
    assert qwen.layers == tuple(range(14, 28))


def test_it_says_what_it_is(model: wb.Model) -> None:
    text = str(found(LlamaConfig(vocab_size=2000, **LLAMA), model))
    assert text.startswith("published default for models of LLaMA-3-8B-Instruct's architecture and size")
    assert "layers 12-31, q 0.995, tau_d 0.8" in text
    assert "may be overridden" in text


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"num_hidden_layers": 31}, "meta-llama/Meta-Llama-3-8B-Instruct"),
        ({"hidden_size": 4032}, "meta-llama/Meta-Llama-3-8B-Instruct"),
        ({"intermediate_size": 14208}, "meta-llama/Meta-Llama-3-8B-Instruct"),
    ],
)
def test_a_name_counts_for_nothing_and_each_size_does(change: dict, name: str, model: wb.Model) -> None:
    assert found(LlamaConfig(vocab_size=2000, **LLAMA), model, "some/finetune") is not None
    assert found(LlamaConfig(vocab_size=2000, **LLAMA | change), model, name) is None


def test_the_architecture_counts(model: wb.Model) -> None:
    assert found(Qwen2Config(vocab_size=2000, **LLAMA), model) is None
    assert preset_of(model) is None
    shape = shape_of(model)
    assert shape is not None
    assert (shape.model_type, shape.n_layers, shape.d_model, shape.d_mlp) == ("llama", 8, 128, 768)


def test_its_selection_is_what_select_neurons_takes(effects: wb.Effects) -> None:
    preset = Preset("small", (2, 3), RuleSettings(quantile=0.99, min_d=0.5), (1.0,), "here")
    chosen = wb.select_neurons(effects, **preset.selection)
    assert set(chosen.both.layer.tolist()) <= {2, 3}
    assert chosen == wb.select_neurons(effects, rule="dual", layers=(2, 3), quantile=0.99, min_d=0.5)
