from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import workbench as wb
from workbench.capture import Activations
from workbench.vocabulary import Pole


def test_the_embedded_model_answers(model: wb.Model) -> None:
    assert model.name == "testbed"
    assert (model.n_layers, model.d_mlp, model.d_model) == (8, 768, 128)
    assert model.generate("What is 21 + 13?", max_new_tokens=8) == ["34"]


def test_a_local_checkpoint_loads(checkpoint: Path) -> None:
    loaded = wb.load_model(checkpoint, dtype=torch.bfloat16)
    assert (loaded.n_layers, loaded.d_mlp, loaded.d_model, loaded.dtype) == (2, 48, 32, torch.bfloat16)
    tally = wb.capture(loaded, wb.Contrast.builtin("Openness", n=4))
    assert tally.width == 48
    assert len(loaded.generate_tokens("Hello.", max_new_tokens=3)[0]) <= 3


def test_a_model_with_plain_mlps_loads_too(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=len(model.tokenizer), n_positions=128, n_embd=32, n_layer=2, n_head=4)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    loaded = wb.load_model(tmp_path)
    assert loaded.d_mlp == 128
    contrast = wb.Contrast.from_texts("mood", high=["I am glad.", "What a day!"], low=["I am sad.", "What a bore."])
    kept = wb.capture(loaded, contrast, keep=True)
    assert isinstance(kept, Activations)
    plain: Any = GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    seen: list[torch.Tensor] = []
    for block in plain.transformer.h:
        block.mlp.c_proj.register_forward_pre_hook(lambda module, args: seen.append(args[0][0, -1]))
    with torch.no_grad():
        plain(torch.tensor(loaded.tokens("I am glad.", chat=False)))
    torch.testing.assert_close(kept.activations[Pole.HIGH][0], torch.stack(seen), atol=1e-5, rtol=1e-5)
    effects = wb.effect_sizes(kept)
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, quantile=0.9), gamma=5.0)
    with wb.edited(loaded, edit, scope="all") as run:
        loaded.generate_tokens("Hello", max_new_tokens=2, chat=False)
    assert run.edited


def test_equal_weights_have_one_fingerprint(model: wb.Model, checkpoint: Path) -> None:
    one, other = wb.load_model(checkpoint), wb.load_model(checkpoint)
    assert one.fingerprint == other.fingerprint != model.fingerprint
    with torch.no_grad():
        other.network.model.layers[0].mlp.down_proj.weight[0, 0] += 1
    del other.fingerprint
    assert one.fingerprint != other.fingerprint


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is a folder without a config.json"):
        wb.load_model(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no model 'no-such/model'"):
        wb.load_model("no-such/model")


def test_wrap_takes_a_bridge_alone(model: wb.Model) -> None:
    assert wb.wrap_model(model.hooked, model.tokenizer).d_mlp == 768
    with pytest.raises(TypeError, match="LlamaForCausalLM is inside a TransformerBridge already. Give the bridge"):
        wb.wrap_model(model.network)
