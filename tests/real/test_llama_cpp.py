"""The real model in llama.cpp: an exported control vector does there what the edit does here."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from tests.export.llama_cpp_engine import NEEDS, Engine, cut, write_llama
from workbench.export.control_vector import export_control_vector
from workbench.model.gguf import PACKAGED
from workbench.model.loading import checkpoint_of
from workbench.model.quiet import quiet

pytest.importorskip("llama_cpp", reason=NEEDS)

PROMPTS = ["What do you do at the party?", "What is the capital of France?", "Do you like to meet new people?"]
NEW = 16


@pytest.fixture(scope="module")
def edit(smollm2: wb.Model) -> wb.Edit:
    effects = wb.effect_sizes(wb.capture(smollm2, wb.Contrast.builtin("Extraversion", n=24, seed=1)))
    chosen = wb.select_neurons(effects.restrict(range(1, smollm2.n_layers)), quantile=0.99)
    return wb.dpn_edit(effects, chosen, gamma=2.0, direction="increase")


def logits_after(model: wb.Model, tokens: list[int]) -> np.ndarray:
    with torch.no_grad():
        return model.hooked(torch.tensor([tokens]))[0, -1].float().numpy()


def test_its_tokens_with_the_weights_as_dequantised(smollm2: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    with quiet():
        weights: Any = AutoModelForCausalLM.from_pretrained(checkpoint_of(smollm2.recipe or {})).state_dict()
    vector = export_control_vector(smollm2, edit, tmp_path / "edit.gguf")
    asked = smollm2.tokens(PROMPTS)
    answers = []
    with Engine(write_llama(weights, smollm2, tmp_path / "model.gguf")) as engine:
        for steered in (False, True):
            engine.steer(vector if steered else None)
            with wb.edited(smollm2, edit, scope="all") if steered else nullcontext():
                expected = smollm2.generate_tokens(PROMPTS, max_new_tokens=NEW)
                ours = [logits_after(smollm2, tokens) for tokens in asked]
            assert [cut(engine.greedy(tokens, NEW), smollm2) for tokens in asked] == expected
            for tokens, logits in zip(asked, ours, strict=True):
                np.testing.assert_allclose(engine.logits(tokens), logits, atol=2e-3)
            answers.append(expected)
    assert answers[0] != answers[1]


def test_the_shift_on_the_file_as_it_is_quantised(smollm2: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    """llama.cpp rounds activations too where weights are quantised, so its logits there are its own, edit or not."""
    vector = export_control_vector(smollm2, edit, tmp_path / "edit.gguf")
    with Engine(PACKAGED["smollm2"].file()) as engine:
        for tokens in smollm2.tokens(PROMPTS):
            engine.steer(None)
            plain = engine.logits(tokens)
            engine.steer(vector)
            theirs = engine.logits(tokens) - plain
            before = logits_after(smollm2, tokens)
            with wb.edited(smollm2, edit, scope="all"):
                ours = logits_after(smollm2, tokens) - before
            assert np.corrcoef(theirs, ours)[0, 1] > 0.95
