"""Prompts computed once, up to their last token, for all the answers that are judged after them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from workbench.model.loop import NARROW_TOLERANCE, TOLERANCE
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.runner import KeyValues

_LEAST = 3
"""Prompts shorter than this are not shared: a pass of their own would cost more than it saves."""

_HELD = 4096  # tokens whose keys and values are held at once


def shareable(
    model: Model, prompts: Sequence[Sequence[int]], several: Sequence[int], *, max_tokens: int
) -> Iterator[list[int]]:
    """Numbers of prompts to compute once, a chunk whose keys and values fit in memory at a time.

    Args:
        several: numbers of the prompts that more than one row continues.
    """
    worth = sorted((number for number in several if len(prompts[number]) >= _LEAST), key=lambda n: len(prompts[n]))
    if not worth or not continues(model, prompts[worth[-1]]):
        return
    most = min(max_tokens, _HELD)
    chunk: list[int] = []
    for number in worth:
        if chunk and (len(chunk) + 1) * len(prompts[number]) > most:
            yield chunk
            chunk = []
        chunk.append(number)
    yield chunk


@torch.inference_mode()
def beginnings(
    model: Model, prompts: Sequence[Sequence[int]], numbers: Sequence[int], lasts: Sequence[int], *, tail: int = 1
) -> dict[int, KeyValues]:
    """The keys and values of some prompts without their last `tail` tokens, in one pass.

    Args:
        lasts: for each prompt, the index of the position that hooks treat as its last.
    """
    lengths = [len(prompts[number]) - tail for number in numbers]
    tokens = torch.full((len(numbers), max(lengths)), model.pad_token)
    steps = torch.full_like(tokens, -1)
    real = torch.zeros(tokens.shape, dtype=torch.bool)
    for i, (number, length) in enumerate(zip(numbers, lengths, strict=True)):
        tokens[i, :length] = torch.tensor(prompts[number][:length])
        steps[i, :length] = torch.arange(length) - lasts[number]
        real[i, :length] = True
    real = real.to(model.device)
    cache = model.runner.new_cache(batch=len(numbers))
    with model.passing(Pass("prompt", real, torch.tensor(list(numbers)), steps.to(model.device))):
        model.runner.run(tokens.to(model.device), real, cache)
    computed = model.runner.key_values(cache)
    return {number: computed.row(i, real[i]) for i, number in enumerate(numbers)}


def continues(model: Model, prompt: Sequence[int]) -> bool:
    """Whether the model gives the same logits after a prompt's kept beginning; tested once for each model.

    No position of the test counts as a token for hooks, so that edits neither act in it nor count it.
    """
    if model.shares_beginnings is None and not (model.loop.caches and model.loop.pads):
        model.shares_beginnings = False
    if model.shares_beginnings is None:
        try:
            error = _difference(model, prompt)
        except (TypeError, AttributeError, ValueError, LookupError, NotImplementedError, RuntimeError):
            error = float("inf")  # its cache cannot be continued
        model.shares_beginnings = error <= TOLERANCE.get(model.dtype, NARROW_TOLERANCE)
    return model.shares_beginnings


@torch.inference_mode()
def _difference(model: Model, prompt: Sequence[int]) -> float:
    """How far the logits after a kept beginning differ from those of a whole pass, as a share of their size."""
    tokens = torch.tensor([list(prompt)], device=model.device)
    attended = torch.ones_like(tokens, dtype=torch.bool)
    cache = model.runner.new_cache(batch=1)
    with _unseen(model, attended):
        whole = model.runner.last_logits(tokens, attended, last=1)
    with _unseen(model, attended[:, :-1]):
        model.runner.run(tokens[:, :-1], attended[:, :-1], cache)
    kept = model.runner.key_values(cache)
    if len(kept.layers) < model.n_layers:
        return float("inf")
    # Two rows continue it, as several answers will.
    both = KeyValues.gathered([kept, kept], tokens.shape[1] - 1)
    with _unseen(model, attended[:, -1:].expand(2, -1)):
        after = model.runner.last_logits(
            tokens[:, -1:].expand(2, -1), attended.expand(2, -1), model.runner.new_cache(both, batch=2), last=1
        )
    return float((after - whole).norm(dim=-1).max() / whole.norm().clamp(min=1e-12))


def _unseen(model: Model, attended: Tensor) -> AbstractContextManager[None]:
    rows = torch.zeros(len(attended), dtype=torch.int64)
    return model.passing(
        Pass("prompt", torch.zeros_like(attended), rows, torch.full_like(attended, -1, dtype=torch.int64))
    )
