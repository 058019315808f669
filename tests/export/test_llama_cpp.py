"""llama.cpp itself: an exported control vector does there what the edit does here. Token ids in and out, on the CPU.

Needs llama-cpp-python, which is built from source; nothing else in the project does.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

import workbench as wb
from tests.export.llama_cpp_engine import NEEDS, Engine, cut, write_llama
from workbench.export.control_vector import export_control_vector

pytest.importorskip("llama_cpp", reason=NEEDS)

PROMPTS = [
    "What do you do at the party?",
    "How do you spend your time at the office?",
    "What is 12 + 30?",
    "Do you like to meet new people?",
]
NEW = 24
WEIGHTS = Path(wb.__file__).parent / "testbed" / "weights"


@pytest.fixture(scope="module")
def engine(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    weights = LlamaForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32).state_dict()
    with Engine(write_llama(weights, model, tmp_path_factory.mktemp("llama") / "model.gguf")) as engine:
        yield engine


def test_the_engine_runs_the_same_model(engine: Engine, model: wb.Model) -> None:
    expected = model.generate_tokens(PROMPTS, max_new_tokens=NEW)
    assert [cut(engine.greedy(tokens, NEW), model) for tokens in model.tokens(PROMPTS)] == expected


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_the_control_vector_is_the_edit(
    engine: Engine, model: wb.Model, effects: wb.Effects, direction: str, tmp_path: Path
) -> None:
    chosen = wb.select_neurons(effects.restrict(range(1, model.n_layers)), quantile=0.95)
    edit = wb.dpn_edit(effects, chosen, gamma=1.0, direction=direction)
    path = export_control_vector(model, edit, tmp_path / "edit.gguf")
    plain = model.generate_tokens(PROMPTS, max_new_tokens=NEW)
    asked = model.tokens(PROMPTS)
    engine.steer(path)
    try:
        with wb.edited(model, edit, scope="all"):
            expected = model.generate_tokens(PROMPTS, max_new_tokens=NEW)
            with torch.no_grad():
                ours = [model.hooked(torch.tensor([tokens]))[0, -1].numpy() for tokens in asked]
        assert [cut(engine.greedy(tokens, NEW), model) for tokens in asked] == expected
        for tokens, logits in zip(asked, ours, strict=True):
            np.testing.assert_allclose(engine.logits(tokens), logits, atol=1e-3)
        assert expected != plain  # the edit does something
    finally:
        engine.steer(None)
    assert [cut(engine.greedy(tokens, NEW), model) for tokens in asked] == plain
