"""What an edit writes to the residual stream, on the architectures that do more than add it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    FalconH1Config,
    FalconH1ForCausalLM,
    Glm4Config,
    Glm4ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
)

import workbench as wb
from workbench.edit import write_norm
from workbench.export.writing import residual_writes
from workbench.vocabulary import RESID_POST

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


def test_what_is_added_at_mlp_out_reaches_the_stream_as_it_is(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = GraniteConfig(vocab_size=len(model.tokenizer), residual_multiplier=0.22, **GATED)
    granite = saved(GraniteForCausalLM(config), model.tokenizer, tmp_path)
    delta = torch.randn(32)
    edit = edit_of(granite, {1: delta}, "mlp_out")
    ids = torch.tensor(granite.tokens("What do you do at the party?"))
    seen: list[torch.Tensor] = []
    with granite.hooked_at(RESID_POST, 1, lambda stream: seen.append(stream.clone())), torch.no_grad():
        granite.hooked(ids)
        with wb.edited(granite, edit, scope="all"):
            granite.hooked(ids)
    moved = (seen[1] - seen[0])[0, -1]
    torch.testing.assert_close(residual_writes(granite, edit)[1].float(), moved, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(write_norm(edit, granite).total, float(moved.norm()), atol=1e-5, rtol=1e-4)


def test_falcon_h1_multiplies_what_its_mlp_writes(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = FalconH1Config(
        vocab_size=len(model.tokenizer), mamba_d_ssm=64, mamba_n_heads=8, mamba_d_head=8, mamba_d_state=8,
        mlp_multipliers=[0.7, 0.6], **GATED,
    )  # fmt: skip
    falcon = saved(FalconH1ForCausalLM(config), model.tokenizer, tmp_path)
    edit = edit_of(falcon, {1: torch.randn(48)}, "hook_post")
    ids = torch.tensor(falcon.tokens("What do you do at the party?"))
    seen: list[torch.Tensor] = []
    with falcon.hooked_at(RESID_POST, 1, lambda stream: seen.append(stream.clone())), torch.no_grad():
        falcon.hooked(ids)
        with wb.edited(falcon, edit, scope="all"):
            falcon.hooked(ids)
    moved = (seen[1] - seen[0])[0, -1]
    torch.testing.assert_close(residual_writes(falcon, edit)[1].float(), moved, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(write_norm(edit, falcon).total, float(moved.norm()), atol=1e-5, rtol=1e-3)


def test_a_norm_after_the_mlp_is_refused_under_any_name(model: wb.Model, tmp_path: Path) -> None:
    config = Glm4Config(vocab_size=len(model.tokenizer), head_dim=8, pad_token_id=0, **GATED)
    glm = saved(Glm4ForCausalLM(config), model.tokenizer, tmp_path)
    with pytest.raises(ValueError, match="normalises the MLP's output before it is added"):
        residual_writes(glm, edit_of(glm, {0: torch.ones(48)}, "hook_post"))
