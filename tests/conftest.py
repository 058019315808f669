"""Models that tests share: the embedded one, and small random checkpoints made on the spot."""

import os
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

# No test reaches for the hub: a name that is not here fails at once instead of after retries.
os.environ["HF_HUB_OFFLINE"] = "1"  # for other processes; this one has read it already

import workbench as wb
from workbench.testbed.tokenizer import BEGIN, END, PAD

huggingface_hub.constants.HF_HUB_OFFLINE = True

_ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `slow.txt` names, by file or test."""
    lines = (_ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()
    slow = {line for line in lines if line and not line.startswith("#")}
    for item in items:
        name = f"{item.path.relative_to(_ROOT).as_posix()}::{item.nodeid.split('::', 1)[-1]}"
        if not slow.isdisjoint((name, name.partition("[")[0], name.partition("::")[0])):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def model() -> wb.Model:
    """The embedded model. Tests leave it as they find it."""
    return wb.load_model("testbed")


@pytest.fixture(scope="session")
def contrast() -> wb.Contrast:
    return wb.Contrast.testbed("Extraversion", n=40, seed=3)


@pytest.fixture(scope="session")
def effects(model: wb.Model, contrast: wb.Contrast) -> wb.Effects:
    return wb.effect_sizes(wb.capture(model, contrast))


@pytest.fixture(scope="session")
def selection(effects: wb.Effects) -> wb.Selection:
    return wb.select_neurons(effects, quantile=0.99)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, model: wb.Model) -> Path:
    """A random two-layer Llama with the embedded model's tokenizer."""
    folder = tmp_path_factory.mktemp("checkpoint")
    token = model.tokenizer.get_vocab()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(token),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=token[BEGIN],
        eos_token_id=token[END],
        pad_token_id=token[PAD],
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder
