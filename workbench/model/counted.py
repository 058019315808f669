"""A model that counts its forward passes instead of computing them, so that what a run will cost is known before it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from workbench.contrast.prompt import Prompt
from workbench.model.branching import branches
from workbench.model.model import Model
from workbench.model.runner import KeyValues, Runner

_SAMPLED = 6  # prompts of a run whose answers are generated, to see how long they are
_LIKELY = 50.0  # of a logit: the token that is chosen


@dataclass(frozen=True)
class Shape:
    """The size of one forward pass.

    Attributes:
        rows: of the batch.
        new: positions that are computed in each row, padding counted.
        past: positions before them whose keys and values are there.
        last: at how many positions the unembedding is run.
        tokens: how many of the new positions are tokens rather than padding.
        phase: `prompt` or `decode`.
    """

    rows: int
    new: int
    past: int
    last: int
    tokens: int
    phase: str


@dataclass
class _Cache:
    """How many rows and positions a cache would hold, and at which step each row's answer ends."""

    rows: int
    length: int
    ends: Tensor
    step: int = 0


@dataclass
class CountingRunner(Runner):
    """Stands in for a model's runner: answers end where those that were sampled do, and every token is as likely.

    Attributes:
        real: the runner that it stands for.
        heads: by layer, the heads and their width of keys and of values.
        stop: a token that ends an answer; None where none does.
        shapes: every pass so far.
        lengths: of answers, by what is generated; see `counting`.
    """

    real: Runner
    model: Model
    heads: list[tuple[tuple[int, int], tuple[int, int]]]
    stop: int | None
    shapes: list[Shape] = field(default_factory=list)
    lengths: Tensor = field(default_factory=lambda: torch.tensor([2**40]))

    def __post_init__(self) -> None:
        self.network: nn.Module = self.real.network
        self.copies_stream, self.bare, self.direct = self.real.copies_stream, self.real.bare, self.real.direct
        self._vocabulary = int(self.real.embedding.shape[0])

    def _count(self, tokens: Tensor, attended: int, last: int) -> None:
        under_way = self.model.current
        real = tokens.numel() if under_way is None else max(int(under_way.real.sum()), 1)
        phase = "prompt" if under_way is None else under_way.phase
        rows, new = tokens.shape
        if under_way is not None:
            self.model.begun -= 1  # no hook runs in it, which is no fault of the hooks
        self.shapes.append(Shape(rows, new, attended - new, last, real if real > 1 else tokens.numel(), phase))

    def run(self, tokens: Tensor, attended: Tensor, cache: Any = None, *, logits: bool = False) -> Tensor | None:
        self._count(tokens, attended.shape[1], int(logits))
        if cache is not None:
            cache.length += tokens.shape[1]
        if not logits:
            return None
        found = self._logits(len(tokens), 1)[:, 0].clone()
        if cache is not None and self.stop is not None:
            found[cache.ends <= cache.step, self.stop] = 2 * _LIKELY
            cache.step += 1
        return found

    def last_logits(self, tokens: Tensor, attended: Tensor, cache: Any = None, *, last: int) -> Tensor:
        self._count(tokens, attended.shape[1], last)
        return self._logits(len(tokens), last)

    def branching_logits(
        self, tokens: Tensor, seen: Tensor, positions: Tensor, cache: Any = None, *, last: int
    ) -> Tensor:
        self._count(tokens, seen.shape[-1], last)
        return self._logits(len(tokens), last)

    def bare_logits(self, tokens: Tensor) -> Tensor:
        self._count(tokens, tokens.shape[1], tokens.shape[1])
        return self._logits(len(tokens), tokens.shape[1])

    def _logits(self, rows: int, last: int) -> Tensor:
        logits = torch.zeros(self._vocabulary, device=self.embedding.device)
        logits[-1 if self.stop != self._vocabulary - 1 else 0] = _LIKELY
        return logits.expand(rows, last, -1)

    def new_cache(self, past: KeyValues | None = None, *, batch: int = 1) -> Any:
        length = 0 if past is None else past.layers[0][0].shape[2]
        ends = self.lengths.repeat(-(-batch // len(self.lengths)))[:batch]
        return _Cache(batch, length, ends.to(self.embedding.device))

    def generation_cache(self, *, batch: int) -> Any:
        return self.new_cache(batch=batch)

    def key_values(self, cache: Any) -> KeyValues:
        zero = torch.zeros((), dtype=self.embedding.dtype, device=self.embedding.device)
        made = [
            tuple(zero.expand(cache.rows, heads, cache.length, width) for heads, width in both) for both in self.heads
        ]
        return KeyValues(tuple((keys, values) for keys, values in made))

    def keep_rows(self, cache: Any, rows: Tensor) -> bool:
        cache.rows, cache.ends = len(rows), cache.ends[rows]
        return True

    def idle_hooks(self) -> Collection[int]:
        return self.real.idle_hooks()

    @property
    def embedding(self) -> Tensor:
        return self.real.embedding

    @property
    def embedding_module(self) -> nn.Module:
        return self.real.embedding_module


@contextmanager
def counting(model: Model, *, sample: bool = True) -> Iterator[CountingRunner]:
    """Inside, the model's passes are counted and give nothing: tokenising, batching and sharing are the real ones.

    Args:
        sample: whether a few answers of the first generation of each length are really generated, so that all end where
            these do; otherwise every answer is as long as it may be.

    Yields:
        what counts.
    """
    tokens = model.tokens([Prompt("What do you do at parties?")])[0]
    _settle(model, tokens)
    real, generate = model.runner, model.generate_tokens
    counted = CountingRunner(real, model, _heads_of(model, tokens), min(model.stop_tokens, default=None))
    known: dict[tuple[int, float], Tensor] = {}

    def sampled(prompts: Sequence[Any], **settings: Any) -> list[list[int]]:
        limit = int(settings.get("max_new_tokens", 32))
        kind = (limit, float(settings.get("temperature", 0.0)))
        if kind not in known and sample and len(prompts) and not model.per_row:
            model.runner = real
            few = list(prompts)[:: -(-len(prompts) // _SAMPLED)]
            chosen = {name: value for name, value in settings.items() if name not in ("streams",)}
            with torch.inference_mode():
                known[kind] = torch.tensor([len(answer) for answer in generate(few, **chosen)])
            model.runner = counted
        counted.lengths = known.get(kind, torch.tensor([limit]))
        return generate(prompts, **settings)

    model.runner = counted
    model.generate_tokens = sampled  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield counted
    finally:
        model.runner = real
        del model.generate_tokens


def _settle(model: Model, tokens: Sequence[int]) -> None:
    """What a model tries once, tried by its own passes."""
    _ = model.loop
    branches(model, tokens)


@torch.inference_mode()
def _heads_of(model: Model, tokens: Sequence[int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    ids = torch.tensor([list(tokens)[:2]], device=model.device)
    if not model.loop.caches:
        return [((1, 1), (1, 1))] * model.n_layers
    cache = model.runner.new_cache(batch=1)
    model.runner.run(ids, torch.ones_like(ids, dtype=torch.bool), cache)
    kept = model.runner.key_values(cache)
    return [((k.shape[1], k.shape[3]), (v.shape[1], v.shape[3])) for k, v in kept.layers]
