"""llama.cpp on the CPU, token ids in and out, and the GGUF files that it reads."""

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Any

import gguf
import numpy as np
import pytest
import torch

import workbench as wb

NEEDS = "llama-cpp-python is not installed; it has to be built"

_BLOCK = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTSIDE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_llama(weights: dict[str, torch.Tensor], model: wb.Model, path: Path) -> Path:
    """Write plain transformers' weights of a Llama under llama.cpp's names."""
    config = model.network.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("none")
    for name, tensor in weights.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        values = tensor.float().numpy()
        if name.endswith("q_proj.weight"):
            values = _interleaved(values, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            values = _interleaved(values, config.num_key_value_heads)
        writer.add_tensor(_named(name), np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _named(name: str) -> str:
    stem = name.removesuffix(".weight")
    if stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.weight"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{_BLOCK[part]}.weight"


def _interleaved(values: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbouring pairs of a head's rows, transformers its two halves."""
    rows, columns = values.shape
    return values.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


class Engine:
    """A GGUF model in llama.cpp, on the CPU."""

    def __init__(self, path: Path, *, n_ctx: int = 256) -> None:
        self.api: Any = pytest.importorskip("llama_cpp")
        self.log = self.api.llama_log_callback(lambda *said: None)
        self.api.llama_log_set(self.log, ctypes.c_void_p(0))
        self.api.llama_backend_init()
        settings = self.api.llama_model_default_params()
        settings.n_gpu_layers = 0
        self.model = self.api.llama_model_load_from_file(str(path).encode(), settings)
        assert self.model, "llama.cpp did not load the model"
        wanted = self.api.llama_context_default_params()
        wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = n_ctx
        wanted.n_threads = wanted.n_threads_batch = 1
        wanted.flash_attn_type = 0
        wanted.type_k = wanted.type_v = 0  # float32, so that only rounding can differ
        self.context = self.api.llama_init_from_model(self.model, wanted)
        assert self.context, "llama.cpp made no context"
        self.n_vocab = int(self.api.llama_vocab_n_tokens(self.api.llama_model_get_vocab(self.model)))

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)

    def steer(self, path: Path | None) -> None:
        """Put a control vector in, as llama.cpp's own loader lays it out, or take it out."""
        if path is None:
            assert self.api.llama_set_adapter_cvec(self.context, None, 0, 0, 0, 0) == 0
            return
        tensors = {t.name: np.asarray(t.data, dtype=np.float32) for t in gguf.GGUFReader(path).tensors}
        n_layers = int(self.api.llama_model_n_layer(self.model))
        width = int(self.api.llama_model_n_embd(self.model))
        rows = [tensors.get(f"direction.{layer}", np.zeros(width, np.float32)) for layer in range(1, n_layers)]
        flat = np.concatenate(rows)
        data = flat.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        assert self.api.llama_set_adapter_cvec(self.context, data, flat.size, width, 1, n_layers) == 0

    def logits(self, tokens: list[int]) -> np.ndarray:
        """`(vocabulary,)` after the last of these tokens, computed anew."""
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)
        held = (self.api.llama_token * len(tokens))(*tokens)
        assert self.api.llama_decode(self.context, self.api.llama_batch_get_one(held, len(tokens))) == 0
        found = self.api.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(found, shape=(self.n_vocab,)).copy()

    def greedy(self, tokens: list[int], count: int) -> list[int]:
        """The next `count` likeliest tokens."""
        tokens = list(tokens)
        for _ in range(count):
            tokens.append(int(self.logits(tokens).argmax()))
        return tokens[-count:]


def cut(tokens: list[int], model: wb.Model) -> list[int]:
    """Up to where the answer ends."""
    ends = [place for place, token in enumerate(tokens) if token in model.stop_tokens]
    return tokens[: ends[0]] if ends else tokens
