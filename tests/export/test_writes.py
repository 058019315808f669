"""What an edit writes to the residual stream, on the architectures that do more than add it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Glm4Config, Glm4ForCausalLM, GraniteConfig, GraniteForCausalLM

import workbench as wb
from workbench.export.writing import residual_writes

GATED: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}


def edit_of(hooked: wb.Model, deltas: dict[int, torch.Tensor], site: str) -> wb.Edit:
    return wb.Edit.of(deltas, trait="T", method="test", direction="increase", site=site)


def saved(network: Any, tokenizer: Any, folder: Path) -> wb.Model:
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return wb.load_model(folder)


def test_a_residual_multiplier_multiplies_what_is_written(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = GraniteConfig(vocab_size=len(model.tokenizer), residual_multiplier=0.22, **GATED)
    granite = saved(GraniteForCausalLM(config), model.tokenizer, tmp_path)
    neurons = edit_of(granite, {layer: 9 * torch.randn(48) for layer in range(2)}, "hook_post")
    writes = {layer: write.float() for layer, write in residual_writes(granite, neurons).items()}
    ids = torch.tensor(granite.tokens("What do you do at the party?"))
    found = []
    for edit in (neurons, edit_of(granite, writes, "resid_post")):
        with torch.no_grad(), wb.edited(granite, edit, scope="all"):
            found.append(granite.hooked(ids))
    with torch.no_grad():
        assert (granite.hooked(ids) - found[0]).abs().max() > 1e-3
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=1e-4)


def test_a_norm_after_the_mlp_is_refused_under_any_name(model: wb.Model, tmp_path: Path) -> None:
    config = Glm4Config(vocab_size=len(model.tokenizer), head_dim=8, pad_token_id=0, **GATED)
    glm = saved(Glm4ForCausalLM(config), model.tokenizer, tmp_path)
    with pytest.raises(ValueError, match="normalises the MLP's output before it is added"):
        residual_writes(glm, edit_of(glm, {0: torch.ones(48)}, "hook_post"))
