"""One forward pass of a decoder, for either generation of TransformerLens."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import transformer_lens
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from workbench.model.direct import Direct
from workbench.model.lengths import Lengths

try:
    HookedTransformer: Any = transformer_lens.HookedTransformer  # type: ignore[attr-defined]
except ImportError:  # removed in TransformerLens 4
    HookedTransformer = None


def bridge_class() -> Any:
    """TransformerLens' `TransformerBridge`, whose module alone takes as long to import as torch."""
    from transformer_lens.model_bridge import TransformerBridge

    return TransformerBridge


@dataclass(frozen=True)
class KeyValues:
    """The keys and values of positions that are already computed.

    Attributes:
        layers: keys and values of each layer from the first, each `(batch, heads, pos, d_head)`.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]

    @property
    def bytes(self) -> int:
        """How much memory they take."""
        return sum(tensor.numel() * tensor.element_size() for pair in self.layers for tensor in pair)

    def row(self, number: int, real: Bool[Tensor, " pos"]) -> "KeyValues":
        """Those of one batch row, without padding."""
        at = slice(number, number + 1)
        return KeyValues(tuple((k[at, :, real.to(k.device)], v[at, :, real.to(v.device)]) for k, v in self.layers))

    @staticmethod
    def gathered(by_row: Sequence["KeyValues | None"], past: int) -> "KeyValues":
        """What comes before each row of a batch, padded on the left to `past` positions.

        Args:
            by_row: of one row each; None where nothing comes before. At least one comes.
        """
        example = next(beginning for beginning in by_row if beginning is not None)
        if all(beginning is example for beginning in by_row):
            size = (len(by_row), -1, -1, -1)
            return KeyValues(tuple((k.expand(size), v.expand(size)) for k, v in example.layers))
        layers = []
        for layer, pair in enumerate(example.layers):
            both = []
            for part, tensor in enumerate(pair):
                whole = tensor.new_zeros(len(by_row), tensor.shape[1], past, tensor.shape[3])
                for i, beginning in enumerate(by_row):
                    if beginning is not None:
                        values = beginning.layers[layer][part]
                        whole[i, :, past - values.shape[2] :] = values[0]
                both.append(whole)
            layers.append((both[0], both[1]))
        return KeyValues(tuple(layers))


class Runner(ABC):
    """Runs the network inside a hooked model; hooks fire as in TransformerLens' own forward pass.

    Attributes:
        network: the module that holds the weights.
        copies_stream: whether what a hook returns at `resid_mid` reaches the MLP alone, not the stream that is added.
        bare: whether texts without padding are run without a mask, as some networks take a mask of ones for more.
        direct: whether wrappers without hooks are left out, which must give the same.
    """

    network: nn.Module
    copies_stream: bool = False
    bare: bool = False
    direct: bool = False

    @abstractmethod
    def run(
        self,
        tokens: Int[Tensor, "batch pos"],
        attended: Bool[Tensor, "batch past_and_pos"],
        cache: Any = None,
        *,
        logits: bool = False,
    ) -> Float[Tensor, "batch d_vocab"] | None:
        """Run `tokens` after the positions in `cache`, and add their keys and values to it.

        Args:
            attended: which positions, the cached ones first, are tokens rather than padding. A token's position is the
                number of tokens before it, so it does not matter where the padding is.
            cache: from `new_cache`; without one, keys and values are not kept.
            logits: whether to run the unembedding, at the last position only.
        """

    @abstractmethod
    def last_logits(
        self,
        tokens: Int[Tensor, "batch pos"],
        attended: Bool[Tensor, "batch past_and_pos"],
        cache: Any = None,
        *,
        last: int,
    ) -> Float[Tensor, "batch last d_vocab"]:
        """Logits in float32 at the last `last` of the positions of `tokens`; the other arguments are those of `run`."""

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Inside, no hook is set or removed, so that what depends on hooks is worked out once for many passes."""
        yield

    def idle_hooks(self) -> Collection[int]:
        """The ids of hooks by which TransformerLens keeps what nobody has asked for."""
        return ()

    def branching_logits(
        self,
        tokens: Int[Tensor, "batch pos"],
        seen: Bool[Tensor, "batch pos past_and_pos"],
        positions: Int[Tensor, "batch pos"],
        cache: Any = None,
        *,
        last: int,
    ) -> Float[Tensor, "batch last d_vocab"]:
        """Logits in float32 at the last `last` of `tokens`, which may be of several texts with one beginning.

        Args:
            seen: which positions, the cached ones first, each token attends to, itself among them.
            positions: the position of each token in its text.

        Raises:
            NotImplementedError: where the network takes no such mask.
        """
        raise NotImplementedError("attention to given positions alone")

    @abstractmethod
    def bare_logits(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """What the network gives at every position of texts without padding, called as by itself."""

    @abstractmethod
    def new_cache(self, past: KeyValues | None = None, *, batch: int = 1) -> Any:
        """An empty cache, or one that begins with `past`."""

    @abstractmethod
    def generation_cache(self, *, batch: int) -> Any:
        """An empty cache of the model's own kind, with its sliding windows and states."""

    @abstractmethod
    def key_values(self, cache: Any) -> KeyValues:
        """The keys and values in a cache, of the layers that have run."""

    @abstractmethod
    def keep_rows(self, cache: Any, rows: Int[Tensor, " kept"]) -> bool:
        """Drop all other batch rows; if the cache cannot do that, return False and change nothing."""

    @property
    @abstractmethod
    def embedding(self) -> Tensor:
        """The token embedding's weights."""

    @property
    @abstractmethod
    def embedding_module(self) -> nn.Module:
        """The module that holds them."""


class BridgeRunner(Runner):
    """The transformers network inside a `TransformerBridge` (TransformerLens 3 and 4)."""

    copies_stream = True

    def __init__(self, hooked: Any) -> None:
        self.network = hooked.original_model
        network: Any = self.network
        decoder = network.get_decoder()
        # ModernBERT calls its output projection `decoder`.
        self._decoder = decoder if isinstance(decoder, PreTrainedModel) else network.base_model
        self._takes = {module: _taken_by(module) for module in (network, self._decoder)}
        # A bridge's own modules show their originals' attributes, but not as buffers of theirs.
        self._rotary = [one for one in network.modules() if any(name.endswith("inv_freq") for name in one._buffers)]
        self._original = Lengths.of(network).original
        self._wrapped = Direct(network)
        self._windowed = _has_windows(network.config)
        self._held = False

    def run(
        self,
        tokens: Int[Tensor, "batch pos"],
        attended: Bool[Tensor, "batch past_and_pos"],
        cache: Any = None,
        *,
        logits: bool = False,
    ) -> Float[Tensor, "batch d_vocab"] | None:
        if not logits:
            self._called(self._decoder, tokens, attended, cache)
            return None
        return self._called(self.network, tokens, attended, cache, logits_to_keep=1).logits[:, -1].float()

    @contextmanager
    def holding(self) -> Iterator[None]:
        if self._held or not self.direct:
            yield
            return
        with self._wrapped.running():
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def _called(self, module: Any, tokens: Tensor, attended: Tensor, cache: Any, **more: Any) -> Any:
        past = attended.shape[1] - tokens.shape[1]
        if self._original is not None and (not past or int(attended.sum(1).max()) <= self._original):
            for rotary in self._rotary:
                _forget_lengths(rotary)
        given = {"use_cache": cache is not None, **more}
        if past or not (self.bare and bool(attended.all())):
            given |= {"attention_mask": attended.long(), "position_ids": _positions(attended)[:, -tokens.shape[1] :]}
        if cache is not None:
            given["past_key_values"] = cache
        takes = self._takes[module]
        with self._wrapped.running() if self.direct and not self._held else nullcontext():
            return module(input_ids=tokens, **{k: v for k, v in given.items() if takes is None or k in takes})

    def last_logits(
        self,
        tokens: Int[Tensor, "batch pos"],
        attended: Bool[Tensor, "batch past_and_pos"],
        cache: Any = None,
        *,
        last: int,
    ) -> Float[Tensor, "batch last d_vocab"]:
        return self._called(self.network, tokens, attended, cache, logits_to_keep=last).logits[:, -last:].float()

    def idle_hooks(self) -> Collection[int]:
        return self._wrapped.idle_hooks()

    def branching_logits(
        self,
        tokens: Int[Tensor, "batch pos"],
        seen: Bool[Tensor, "batch pos past_and_pos"],
        positions: Int[Tensor, "batch pos"],
        cache: Any = None,
        *,
        last: int,
    ) -> Float[Tensor, "batch last d_vocab"]:
        network: Any = self.network
        if self._windowed or self._original is not None:
            raise NotImplementedError(
                "a sliding window, or frequencies that depend on length, beside a mask of its own"
            )
        takes = self._takes[network]
        if takes is not None and not {"attention_mask", "position_ids"} <= takes:
            raise NotImplementedError("a network that takes no positions")
        # Added to attention's scores; the least number that is no infinity, as by transformers itself.
        dtype = self.embedding.dtype
        mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)
        given: dict[str, Any] = {"attention_mask": mask[:, None], "position_ids": positions, "logits_to_keep": last}
        given["use_cache"] = cache is not None
        if cache is not None:
            given["past_key_values"] = cache
        with self._wrapped.running() if self.direct and not self._held else nullcontext():
            taken = {name: value for name, value in given.items() if takes is None or name in takes}
            return network(input_ids=tokens, **taken).logits[:, -last:].float()

    def bare_logits(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        network: Any = self.network
        return network(input_ids=tokens).logits.float()

    def new_cache(self, past: KeyValues | None = None, *, batch: int = 1) -> DynamicCache:
        # Without a configuration every layer keeps all its keys, so that a row's beginning can be taken out again. A
        # sliding window is still applied, by the mask.
        cache = DynamicCache()
        for keys, values in past.layers if past is not None else ():
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values  # `update` would copy them once more
            cache.layers.append(layer)
        return cache

    def generation_cache(self, *, batch: int) -> DynamicCache:
        network: Any = self.network
        return DynamicCache(config=network.config.get_text_config(decoder=True))

    def key_values(self, cache: DynamicCache) -> KeyValues:
        pairs: list[tuple[Tensor, Tensor]] = []
        for layer in cache.layers:
            keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
            if not isinstance(keys, Tensor) or not isinstance(values, Tensor):
                raise ValueError(f"{type(layer).__name__} holds no keys and values")
            pairs.append((keys, values))
        return KeyValues(tuple(pairs))

    def keep_rows(self, cache: DynamicCache, rows: Int[Tensor, " kept"]) -> bool:
        if not hasattr(cache, "batch_select_indices"):
            return False
        cache.batch_select_indices(rows)
        return True

    @property
    def embedding(self) -> Tensor:
        module: Any = self.embedding_module
        return module.weight

    @property
    def embedding_module(self) -> nn.Module:
        network: Any = self.network
        return network.get_input_embeddings()


class HookedRunner(Runner):
    """A `HookedTransformer` (TransformerLens 3 and before)."""

    def __init__(self, hooked: Any) -> None:
        self.network = hooked
        self._hooked = hooked

    def run(
        self,
        tokens: Int[Tensor, "batch pos"],
        attended: Bool[Tensor, "batch past_and_pos"],
        cache: Any = None,
        *,
        logits: bool = False,
    ) -> Float[Tensor, "batch d_vocab"] | None:
        residual = self._residual(tokens, attended, cache)
        return self._unembedded(residual[:, -1:])[:, -1] if logits else None

    def _residual(self, tokens: Tensor, attended: Tensor, cache: Any) -> Float[Tensor, "batch pos d_model"]:
        """The residual stream after the last block."""
        if cache is not None:
            cache.previous_attention_mask = attended[:, : -tokens.shape[1]].int()
        hooked, fresh = self._hooked, attended[:, -tokens.shape[1] :].int()
        return hooked(tokens, attention_mask=fresh, past_kv_cache=cache, stop_at_layer=hooked.cfg.n_layers)

    def _unembedded(self, residual: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_vocab"]:
        hooked = self._hooked
        if hooked.cfg.normalization_type is not None:
            residual = hooked.ln_final(residual)
        unembedded = hooked.unembed(residual).float()
        cap = hooked.cfg.output_logits_soft_cap
        return unembedded if cap is None or cap <= 0 else cap * torch.tanh(unembedded / cap)

    def last_logits(
        self,
        tokens: Int[Tensor, "batch pos"],
        attended: Bool[Tensor, "batch past_and_pos"],
        cache: Any = None,
        *,
        last: int,
    ) -> Float[Tensor, "batch last d_vocab"]:
        return self._unembedded(self._residual(tokens, attended, cache)[:, -last:])

    def bare_logits(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        return self._hooked(tokens, prepend_bos=False).float()

    def new_cache(self, past: KeyValues | None = None, *, batch: int = 1) -> Any:
        cache = TransformerLensKeyValueCache.init_cache(self._hooked.cfg, self.embedding.device, batch)
        for entry, (keys, values) in zip(cache.entries, past.layers if past is not None else (), strict=False):
            entry.past_keys, entry.past_values = keys.transpose(1, 2), values.transpose(1, 2)
        return cache

    def generation_cache(self, *, batch: int) -> Any:
        return self.new_cache(batch=batch)

    def key_values(self, cache: Any) -> KeyValues:
        run = [entry for entry in cache.entries if entry.past_keys.shape[1]]
        return KeyValues(tuple((e.past_keys.transpose(1, 2), e.past_values.transpose(1, 2)) for e in run))

    def keep_rows(self, cache: Any, rows: Int[Tensor, " kept"]) -> bool:
        for entry in cache.entries:
            entry.past_keys, entry.past_values = entry.past_keys[rows], entry.past_values[rows]
        cache.previous_attention_mask = cache.previous_attention_mask[rows]
        return True

    @property
    def embedding(self) -> Tensor:
        return self._hooked.embed.W_E

    @property
    def embedding_module(self) -> nn.Module:
        return self._hooked.embed


def _has_windows(config: Any) -> bool:
    """Whether some layer attends to the nearest positions alone."""
    config = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
    kinds = getattr(config, "layer_types", None) or ()
    windows = ("sliding_window", "attention_chunk_size", "window_size", "local_attention")
    return any(kind != "full_attention" for kind in kinds) or any(getattr(config, name, None) for name in windows)


def _taken_by(module: nn.Module) -> frozenset[str] | None:
    """The arguments that a module's forward pass takes; None if it takes any."""
    parameters = inspect.signature(module.forward).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return None
    return frozenset(parameters)


def _forget_lengths(rotary: Any) -> None:
    """Set a dynamic rotary embedding back to what it is before it has seen any text.

    It remembers the longest text, and would give its frequencies to shorter ones that come later.
    """
    for name, frequencies in list(rotary._buffers.items()):
        prefix, _, rest = name.rpartition("inv_freq")
        original = getattr(rotary, f"{prefix}original_inv_freq", None)
        if not rest and not prefix.endswith(("original_", "long_")) and isinstance(original, Tensor):
            rotary._buffers[name] = original.to(frequencies.device).clone()
            setattr(rotary, f"{prefix}max_seq_len_cached", rotary.original_max_seq_len)


def _positions(attended: Bool[Tensor, "batch pos"]) -> Int[Tensor, "batch pos"]:
    return (attended.long().cumsum(1) - 1).clamp(min=0)
