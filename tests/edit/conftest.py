"""A tiny Llama with a circuit planted by hand, and prompts that drive it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import workbench as wb

YES, NO = " party", " alone"
CAUSAL = wb.NeuronSet.of([(layer, unit) for layer in (0, 1) for unit in (0, 1, 2)])
SILENT = wb.NeuronSet.of([(layer, unit) for layer in (0, 1) for unit in (10, 11, 12)])
ASIDE = wb.NeuronSet.of([(layer, unit) for layer in (0, 1) for unit in (20, 21, 22)])
POLE, CONSTANT, OUTPUT, UNREAD = 0, 1, 2, 3
"""Coordinates of the residual stream: what tells the poles apart, a constant, what is read out, what none reads."""


@dataclass(frozen=True)
class Circuit:
    model: wb.Model
    contrast: wb.Contrast
    causal: wb.NeuronSet = CAUSAL
    silent: wb.NeuronSet = SILENT
    aside: wb.NeuronSet = ASIDE

    @property
    def sets(self) -> dict[str, wb.NeuronSet]:
        return {"causal": self.causal, "silent": self.silent, "aside": self.aside}


@pytest.fixture(scope="session")
def circuit(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Circuit:
    return Circuit(planted_model(tmp_path_factory.mktemp("planted"), checkpoint), planted_contrast())


@pytest.fixture(scope="session")
def unplanted(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Circuit:
    return Circuit(planted_model(tmp_path_factory.mktemp("unplanted"), checkpoint, write=0.0), planted_contrast())


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Circuit:
    return Circuit(planted_model(tmp_path_factory.mktemp("linear"), checkpoint, linear=True), planted_contrast())


def planted_model(folder: Path, checkpoint: Path, *, write: float = 0.3, linear: bool = False) -> wb.Model:
    """Neurons that all follow the pole: `CAUSAL` write to the output, `SILENT` nothing, `ASIDE` where nobody reads.

    Attention is a plain mean, in layer 0, that carries the pole to the last position; with `linear`, norms
    divide by a constant and layer 1 reads nothing that layer 0's MLP writes.
    """
    config = LlamaConfig.from_pretrained(checkpoint)
    if linear:
        config.rms_norm_eps = 1e8
    torch.manual_seed(0)
    network: Any = LlamaForCausalLM(config)
    tokenizer = wb.load_model("testbed").tokenizer
    yes, no, sociable, silent = (tokenizer(word)["input_ids"][-1] for word in (YES, NO, " sociable", " silent"))
    with torch.no_grad():
        embed, head = network.model.embed_tokens.weight, network.lm_head.weight
        embed[:, :4] = torch.tensor([0.0, 1.0, 0.0, 0.0])
        embed[sociable, POLE], embed[silent, POLE] = 1.0, -1.0
        head[:, OUTPUT] = head[:, UNREAD] = 0.0
        head[yes], head[no] = 0.0, 0.0
        head[yes, OUTPUT], head[no, OUTPUT] = 2.0, -2.0
        norms = [network.model.norm]
        for number, layer in enumerate(network.model.layers):
            norms += [layer.input_layernorm, layer.post_attention_layernorm]
            attention, mlp = layer.self_attn, layer.mlp
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj):
                projection.weight.zero_()
            attention.v_proj.weight[0, POLE] = 1.0
            attention.o_proj.weight[POLE, 0] = 4.0 if number == 0 else 0.0
            mlp.gate_proj.weight[:, OUTPUT:] = 0.0
            mlp.up_proj.weight[:, OUTPUT:] = 0.0
            mlp.down_proj.weight[: UNREAD + 1] = 0.0
            for neurons, row in ((CAUSAL, OUTPUT), (SILENT, None), (ASIDE, UNREAD)):
                units = neurons.at(0)
                mlp.gate_proj.weight[units] = 0.0
                mlp.gate_proj.weight[units, POLE] = 2.0
                mlp.up_proj.weight[units] = 0.0
                mlp.up_proj.weight[units, CONSTANT] = 0.2
                mlp.down_proj.weight[:, units] = 0.0
                if row is not None:
                    mlp.down_proj.weight[row, units] = write if row == OUTPUT else 0.05
        if linear:
            for norm in norms:
                norm.weight.fill_(1e4)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return wb.load_model(folder)


def planted_contrast(n: int = 12) -> wb.Contrast:
    """Raw texts that differ in one word, of several lengths."""
    tails = [" ".join(["the", "office", "party", "is", "the", "garden"][: 1 + i % 6]) for i in range(n)]
    neutral = [f"you are a writer . {tail} ." for tail in tails]
    high, low = ([f"you are really {word} . {tail} ." for tail in tails] for word in ("sociable", "silent"))
    return wb.Contrast.from_texts("planted", high=high, low=low, neutral=neutral)
