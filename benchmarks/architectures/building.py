"""Tiny random checkpoints of the architectures that TransformerLens lists, as far as transformers can make them."""

from pathlib import Path
from typing import Any

import torch
import transformers

LAYERS, HIDDEN, WIDTH, HEADS = 3, 32, 48, 4

_SMALL: dict[str, Any] = {
    "num_hidden_layers": LAYERS,
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "n_inner": WIDTH,
    "ffn_hidden_size": WIDTH,
    "ffn_dim": WIDTH,
    "decoder_ffn_dim": WIDTH,
    "encoder_ffn_dim": WIDTH,
    "d_ff": WIDTH,
    "d_kv": 8,
    "word_embed_proj_dim": HIDDEN,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "num_decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_k": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
    "moe_shared_expert_intermediate_size": 16,
    "shared_intermediate_size": WIDTH,
    "n_group": 1,
    "topk_group": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "sliding_window": 16,
    "attention_window_size": 16,
    "state_size": 8,
    "ssm_state_size": 8,
    "mamba_d_state": 8,
    "mamba_n_heads": 8,
    "mamba_num_heads": 8,
    "mamba_d_head": 8,
    "mamba_head_dim": 8,
    "mamba_n_groups": 1,
    "n_groups": 1,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "lru_width": HIDDEN,
    "attention_hidden_size": HIDDEN,
    "pad_token_id": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
    "tie_word_embeddings": True,
}
"""Small values of the settings that configurations share, by their names."""

_KINDS = ["linear_attention", "full_attention", "full_attention"]
_MROPE = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 1, 2]}
_LEFT: Any = ...
"""Stands for a setting that is left to the configuration."""

_OWN: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "codegen": {"rotary_dim": 8},
    "deepseek_v2": {"num_key_value_heads": HEADS},
    "deepseek_v3": {"num_key_value_heads": HEADS},
    "emu3": {"vocabulary_map": {"<image>": 3}, "vq_config": {"base_channels": 32, "channel_multiplier": [1, 1]}},
    "falcon": {"head_dim": _LEFT},
    "falcon_h1": {"mamba_d_ssm": 64, "mlp_multipliers": [0.7, 0.6]},
    "gemma4_text": {
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        "head_dim": 8,
        "global_head_dim": 8,
        "num_global_key_value_heads": 2,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 1408,
    },
    "glm4_moe_lite": {"num_key_value_heads": HEADS},
    "glm4v_text": {"rope_parameters": _MROPE},
    "glm_moe_dsa": {"num_key_value_heads": HEADS},
    "gptj": {"rotary_dim": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 1], [["global"], 1]], "window_size": 16},
    "granite": {"residual_multiplier": 0.4, "embedding_multiplier": 2.0, "logits_scaling": 1.5},
    "granitemoe": {"residual_multiplier": 0.4, "embedding_multiplier": 2.0, "logits_scaling": 1.5},
    "granitemoehybrid": {
        "layer_types": _KINDS,
        "residual_multiplier": 0.4,
        "position_embedding_type": "nope",
        "num_local_experts": 0,
        "num_experts_per_tok": 0,
    },
    "jamba": {"attn_layer_period": 3, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"], "full_attn_idxs": _LEFT},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv"], "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 8},
    "nemotron_h": {"layers_block_type": ["linear_attention", "full_attention", "mlp"]},
    "olmo_hybrid": {"layer_types": _KINDS},
    "qwen2_5_vl_text": {"rope_parameters": _MROPE},
    "qwen3_5_moe_text": {"layer_types": _KINDS},
    "qwen3_5_text": {"layer_types": _KINDS},
    "qwen3_vl_moe_text": {"sliding_window": _LEFT},  # its network has no window, but transformers' cache would
    "qwen3_next": {"layer_types": _KINDS},
    "recurrent_gemma": {"block_types": ["recurrent", "attention", "recurrent"]},
    "youtu": {"num_key_value_heads": HEADS},
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention"],
        "mamba_d_state": 8,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "num_key_value_heads": HEADS,
    },
}
"""What single configurations need besides, by `model_type`."""


class Unbuilt(Exception):
    """Why there is no checkpoint of an architecture, as the message."""


def small_config(kind: type[Any], vocabulary: int) -> Any:
    """A small configuration of a class, its parts made small too."""
    example = kind()
    settings = {name: value for name, value in _SMALL.items() if _has(example, name)}
    settings["vocab_size"] = vocabulary
    for part in ("text_config", "vision_config", "audio_config", "encoder", "decoder"):
        inner = getattr(example, part, None)
        if inner is not None and not isinstance(inner, dict):
            settings[part] = small_config(type(inner), vocabulary).to_dict()
    settings |= _OWN.get(example.model_type, {})
    return kind(**{name: value for name, value in settings.items() if value is not _LEFT})


def _has(config: Any, name: str) -> bool:
    try:
        return hasattr(config, name)
    except Exception:  # a setting that differs between layers says so by an error of its own
        return False


def build(name: str, tokenizer: Any, folder: Path) -> Path:
    """A checkpoint of an architecture with random weights, so large that an edit shows.

    Raises:
        Unbuilt: if transformers has no class of this name, or cannot make it here.
    """
    kind = getattr(transformers, name, None)
    if kind is None:
        raise Unbuilt("transformers has no class of this name; its checkpoints bring code of their own")
    try:
        torch.manual_seed(0)
        network = kind(small_config(kind.config_class, len(tokenizer))).eval()
    except ImportError as error:
        raise Unbuilt(f"transformers needs a package that is not there: {_first_line(error)}") from None
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15) if parameter.ndim > 1 else None
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _first_line(error: BaseException) -> str:
    return next(line.strip() for line in str(error).splitlines() if line.strip()).split(". ")[0]
