"""llama.cpp itself, fed token ids through its C interface."""

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Any

import gguf
import numpy as np


class Engine:
    """A GGUF model in llama.cpp, on the CPU."""

    def __init__(self, path: Path, *, n_ctx: int = 256) -> None:
        import llama_cpp

        self.api: Any = llama_cpp
        self.log = llama_cpp.llama_log_callback(lambda *said: None)
        self.api.llama_log_set(self.log, ctypes.c_void_p(0))
        self.api.llama_backend_init()
        settings = self.api.llama_model_default_params()
        settings.n_gpu_layers = 0
        self.model = self.api.llama_load_model_from_file(str(path).encode(), settings)
        assert self.model, "llama.cpp did not load the model"
        wanted = self.api.llama_context_default_params()
        wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = n_ctx
        wanted.n_threads = wanted.n_threads_batch = 1
        wanted.flash_attn_type = 0
        wanted.type_k = wanted.type_v = 0  # float32, so that only rounding can differ
        self.context = self.api.llama_new_context_with_model(self.model, wanted)
        assert self.context, "llama.cpp made no context"
        self.n_vocab = int(self.api.llama_vocab_n_tokens(self.api.llama_model_get_vocab(self.model)))

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.llama_free(self.context)
        self.api.llama_free_model(self.model)

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
