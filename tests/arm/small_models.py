"""Small networks of several architectures, where a trait is found in them, and what an edit writes in a pass."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Glm4Config,
    Glm4ForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
)

import workbench as wb
from workbench.arm.context import Located
from workbench.capture.answering import capture_gates
from workbench.edit.edit import AnyEdit
from workbench.model.passing import Pass
from workbench.select.settings import RuleSettings
from workbench.vocabulary import RESID_MID, RESID_POST, Z

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
GROUPED: dict[str, Any] = SHAPE | {"num_key_value_heads": 2}

SMALL: dict[str, Callable[[int], Any]] = {
    "granite": lambda v: GraniteForCausalLM(GraniteConfig(vocab_size=v, residual_multiplier=0.22, **GROUPED)),
    "gemma2": lambda v: Gemma2ForCausalLM(Gemma2Config(vocab_size=v, head_dim=8, sliding_window=16, **GROUPED)),
    "olmo2": lambda v: Olmo2ForCausalLM(Olmo2Config(vocab_size=v, pad_token_id=0, eos_token_id=2, **GROUPED)),
    "glm4": lambda v: Glm4ForCausalLM(Glm4Config(vocab_size=v, head_dim=8, pad_token_id=0, **GROUPED)),
    "pythia": lambda v: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=v, **SHAPE)),
}
NORMED = ("gemma2", "olmo2", "glm4")
"""Architectures with a norm between what a layer computes and the residual stream."""


def small_model(name: str, tokenizer: Any, folder: Path) -> wb.Model:
    torch.manual_seed(0)
    network = SMALL[name](len(tokenizer)).eval()
    for parameter in network.parameters():  # norms too, so that their weights are not all alike
        torch.nn.init.normal_(parameter, std=0.15, mean=0.0 if parameter.ndim > 1 else 0.5)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return wb.load_model(folder)


def found_in(model: wb.Model, trait: str, *, n: int = 8) -> Located:
    contrast = wb.Contrast.testbed(trait, n=n, seed=1)
    tallies = wb.capture_sites(model, contrast, sites=["hook_post", "resid_post", "z"])
    post = tallies["hook_post"]
    assert contrast.neutral is not None
    return Located(
        wb.effect_sizes(post, write_norms=model.write_norms(post.layers)),
        wb.effect_sizes(tallies["resid_post"]),
        wb.effect_sizes(tallies["z"]),
        lambda: capture_gates(model, contrast, max_new_tokens=8),
        contrast.neutral[:2],
        RuleSettings(rule="magnitude-only", quantile=0.9),
        None,
        seed=3,
        one_layer=1,
    )


def measured_writes(model: wb.Model, edit: AnyEdit, prompts: Any) -> torch.Tensor:
    """What an edit adds to the residual stream at the last position, all layers together, `(prompt, d_model)`.

    Each prompt runs beside itself unedited. The change is noted where it meets the stream, and after each block it is
    taken away again, so that everything upstream of the next block is as without the edit.
    """
    after_attention = {part.site for part in edit.parts} == {Z.name} and RESID_MID.hook(0) in model.hooked.hook_dict
    together = []
    for ids in model.tokens(list(prompts)):
        changes: list[torch.Tensor] = []

        def note(h: torch.Tensor, changes: list[torch.Tensor] = changes) -> None:
            changes.append((h[1, -1] - h[0, -1]).double())

        two = torch.tensor([ids, ids])
        with ExitStack() as hooks, torch.no_grad():
            hooks.enter_context(wb.edited(model, edit.with_gamma(1.0), scope="generated", rows=[-1, 0]))
            for layer in range(model.n_layers):
                hooks.enter_context(model.hooked_at(RESID_MID if after_attention else RESID_POST, layer, note))
                hooks.enter_context(model.hooked_at(RESID_POST, layer, lambda h: h[:1].expand_as(h).clone()))
            real = torch.ones_like(two, dtype=torch.bool)
            with model.passing(Pass("prompt", real, torch.arange(2))):
                model.runner.run(two, real)
        together.append(torch.stack(changes).sum(0))
    return torch.stack(together)


def measured_norm(model: wb.Model, edit: AnyEdit, prompts: Any) -> float:
    return math.sqrt(float(measured_writes(model, edit, prompts).square().sum(1).mean()))
