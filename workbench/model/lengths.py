"""How long a text a model can take, and which lengths may share a batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

_ANEW = frozenset({"phi3", "phimoe", "phi4_multimodal"})  # transformers computes their texts anew at the limit


@dataclass(frozen=True)
class Lengths:
    """A model's limits, in tokens of a whole text, prompt and answer together.

    Attributes:
        most: how many positions there are, where they are a table; None where they are computed.
        trained: how long texts are that the model was made for, where longer ones run all the same; None if unknown.
        original: up to where rotary frequencies are the same for all texts; None if they always are.
        exact: whether each length beyond `original` has frequencies of its own (dynamic NTK), not all the same ones
            (longrope).
        anew: whether a text that grows beyond `original` is computed anew there, as transformers does for some models.
    """

    most: int | None = None
    trained: int | None = None
    original: int | None = None
    exact: bool = False
    anew: bool = False

    @classmethod
    def of(cls, network: nn.Module) -> "Lengths":
        """Those of a transformers network."""
        config: Any = getattr(network, "config", None)
        if config is not None and hasattr(config, "get_text_config"):
            config = config.get_text_config(decoder=True)
        written = _first(config, "max_position_embeddings", "n_positions", "n_ctx")
        tables = list(_tables(network))
        if tables:
            return cls(most=min(tables))
        rotary = any(name.rpartition(".")[2].endswith("inv_freq") for name, _ in network.named_buffers())
        if not rotary:
            return cls()
        originals, exact, stretched = [], False, 1.0
        for parameters in _rope_of(config):
            kind = str(parameters.get("rope_type") or parameters.get("type") or "default")
            if kind == "longrope" or "dynamic" in kind:
                limit = parameters.get("original_max_position_embeddings")
                limit = limit or getattr(config, "original_max_position_embeddings", None) or written
                originals += [int(limit)] if limit else []
                if kind != "longrope":
                    exact, stretched = True, float(parameters.get("factor") or 1.0)
        anew = getattr(config, "model_type", None) in _ANEW
        written = None if written is None else int(written * stretched)
        return cls(None, written, min(originals, default=None), exact, anew)

    @classmethod
    def of_hooked(cls, cfg: Any) -> "Lengths":
        """Those of a `HookedTransformer`, whose positions are always tables but for ALiBi."""
        alibi = getattr(cfg, "positional_embedding_type", "standard") == "alibi"
        return cls() if alibi else cls(most=int(cfg.n_ctx))

    def group(self, length: int, answer: int = 0) -> int:
        """A number that texts share which may be computed together.

        Args:
            length: tokens of the text so far.
            answer: how many more it may get.
        """
        if self.original is None or length + answer <= self.original:
            return 0
        return 1 if length > self.original and not self.exact else 1 + length

    def turns(self, before: int) -> bool:
        """Whether a text of `before` tokens is computed anew when it gets one more."""
        return self.anew and before == self.original


def _first(config: Any, *names: str) -> int | None:
    found = (getattr(config, name, None) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), None)


def _rope_of(config: Any) -> Iterator[dict[str, Any]]:
    """The settings of rotary positions: of all layers, or of each kind of layer."""
    for name in ("rope_parameters", "rope_scaling"):
        settings = getattr(config, name, None)
        if isinstance(settings, dict):
            yield settings
            yield from (each for each in settings.values() if isinstance(each, dict))


def _tables(network: nn.Module) -> Iterator[int]:
    """How many positions each table of positions has."""
    for path, module in network.named_modules():
        if isinstance(module, nn.Embedding) and any(map(_names_positions, path.split(".")[-2:])):
            yield module.num_embeddings - int(getattr(module, "offset", 0) or 0)
    for path, buffer in network.named_buffers():
        if path.rpartition(".")[2] in ("embed_positions", "pos_encoding") and buffer.ndim >= 2:
            yield int(buffer.shape[0])


def _names_positions(name: str) -> bool:
    return name == "wpe" or name.startswith(("pos_", "embed_pos", "position", "wpe"))
