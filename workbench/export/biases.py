"""Writes an edit into the biases of each architecture that has a place for it."""

from collections.abc import Callable
from typing import Any

import torch
import transformers
from jaxtyping import Float
from torch import Tensor

Writes = dict[int, Float[Tensor, " d_model"]]
Baker = Callable[[Any, Writes], tuple[Any, tuple[str, ...]]]
"""Takes a network and what to add at each layer; returns the network with that added, and the names of the parameters
that changed."""


def baker_of(kind: str) -> Baker:
    """How a `model_type` is baked.

    Raises:
        ValueError: if it has no bias that an edit could be written into.
    """
    if kind not in BAKERS:
        raise ValueError(
            f"The model is a {kind}: no bias is known there that an edit could be written into. These can be baked: "
            f"{', '.join(BAKERS)}."
        )
    return BAKERS[kind]


def _into_bias(path: str) -> Baker:
    """Adds to a bias that the architecture has already."""

    def bake_into(stock: Any, writes: Writes) -> tuple[Any, tuple[str, ...]]:
        changed = []
        for layer, write in writes.items():
            name = path.format(layer=layer)
            owner, _, leaf = name.rpartition(".")
            module = stock.get_submodule(owner)
            bias = getattr(module, leaf)
            if bias is None:
                raise ValueError(f"{owner} of this {stock.config.model_type} has no bias to write the edit into.")
            with torch.no_grad():
                bias.copy_((bias.double().cpu() + write).to(bias.dtype))
            changed.append(name)
        return stock, tuple(changed)

    return bake_into


def _as_llama(stock: Any, writes: Writes) -> tuple[Any, tuple[str, ...]]:
    """The same network as a Llama with biases in its MLPs, zero except for the edit; the weights are shared."""
    old = stock.config
    if _has_window(old):
        raise ValueError(
            f"This {old.model_type} attends within a sliding window of {old.sliding_window} tokens, which a Llama "
            "cannot express."
        )
    biased = old.model_type == "qwen2" or bool(getattr(old, "attention_bias", False))
    kept = {name: value for name, value in old.to_dict().items() if name in _SHARED and value is not None}
    config = transformers.LlamaConfig(**kept, mlp_bias=True, attention_bias=biased)
    with torch.device("meta"):  # without memory: every tensor is put in below
        baked: Any = transformers.LlamaForCausalLM(config)
    weights, changed = dict(stock.state_dict()), []
    for name, tensor in baked.state_dict().items():
        if name not in weights:
            weights[name] = torch.zeros(tensor.shape, dtype=stock.dtype)
            changed.append(name)
    for layer, write in writes.items():
        name = f"model.layers.{layer}.mlp.down_proj.bias"
        weights[name] = (weights[name].double() + write).to(stock.dtype)
        changed.append(name)
    baked.load_state_dict(weights, assign=True)
    baked.to(stock.dtype).tie_weights()
    return baked, tuple(dict.fromkeys(changed))


def _has_window(config: Any) -> bool:
    """Whether any layer attends within a sliding window."""
    kinds = getattr(config, "layer_types", None)
    if kinds:
        return "sliding_attention" in kinds
    if config.model_type == "mistral":
        return bool(config.sliding_window)
    return bool(getattr(config, "use_sliding_window", False))


_SHARED = frozenset(
    {
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "hidden_act",
        "max_position_embeddings",
        "initializer_range",
        "rms_norm_eps",
        "use_cache",
        "pad_token_id",
        "bos_token_id",
        "eos_token_id",
        "tie_word_embeddings",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "attention_dropout",
        "dtype",
        "pretraining_tp",
    }
)
"""The settings that mean the same in the configurations of Llama, Qwen2 and Mistral."""

BAKERS: dict[str, Baker] = {
    "llama": _as_llama,
    "qwen2": _as_llama,
    "mistral": _as_llama,
    "gpt2": _into_bias("transformer.h.{layer}.mlp.c_proj.bias"),
    "gpt_neox": _into_bias("gpt_neox.layers.{layer}.mlp.dense_4h_to_h.bias"),
    "opt": _into_bias("model.decoder.layers.{layer}.fc2.bias"),
    "bloom": _into_bias("transformer.h.{layer}.mlp.dense_4h_to_h.bias"),
    "phi": _into_bias("model.layers.{layer}.mlp.fc2.bias"),
    "gptj": _into_bias("transformer.h.{layer}.mlp.fc_out.bias"),
}
