"""Prompts computed once, up to their last token, for all the answers that are generated or judged after them."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import torch
from torch import Tensor

from workbench.model.loop import NARROW_TOLERANCE, TOLERANCE
from workbench.model.passing import Pass
from workbench.model.runner import KeyValues

Model: TypeAlias = Any
"""A `workbench.model.model.Model`, which itself asks for beginnings where it generates."""

LEAST = 3
"""Prompts shorter than this are not shared: a pass of their own would cost more than it saves."""

HELD = 4096  # tokens whose keys and values are held at once


def is_shareable(model: Model, prompt: Sequence[int]) -> bool:
    """Whether a prompt is long enough, and short enough, for its beginning to be shared by this model's runs."""
    return len(prompt) >= LEAST and not model.loop.lengths.group(len(prompt)) and continues(model, prompt)


def shareable(
    model: Model, prompts: Sequence[Sequence[int]], several: Sequence[int], *, max_tokens: int
) -> Iterator[list[int]]:
    """Numbers of prompts to compute once, a chunk whose keys and values fit in memory at a time.

    Args:
        several: numbers of the prompts that more than one row continues.
    """
    worth = sorted((number for number in several if len(prompts[number]) >= LEAST), key=lambda n: len(prompts[n]))
    if not worth or not continues(model, prompts[worth[-1]]):
        return
    yield from _chunks(prompts, worth, min(max_tokens, HELD))


@torch.inference_mode()
def beginnings(
    model: Model,
    prompts: Sequence[Sequence[int]],
    numbers: Sequence[int],
    lasts: Sequence[int],
    *,
    tail: int = 1,
    hidden: bool = False,
) -> dict[int, KeyValues]:
    """The keys and values of some prompts without their last `tail` tokens, in one pass.

    Args:
        lasts: for each prompt, the index of the position that hooks treat as its last.
        hidden: whether no position counts as a token for hooks, as what is shared by many runs is none of one's own.
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
    announced = torch.zeros_like(real) if hidden else real
    with model.passing(Pass("prompt", announced, torch.tensor(list(numbers)), steps.to(model.device))):
        model.runner.run(tokens.to(model.device), real, cache)
    computed = model.runner.key_values(cache)
    return {number: computed.row(i, real[i]) for i, number in enumerate(numbers)}


@torch.inference_mode()
def common_beginnings(model: Model, prompts: Sequence[Sequence[int]]) -> dict[tuple[int, ...], KeyValues]:
    """By prompt, the keys and values of all but its last token, as the model has them without any edit.

    Inside `Model.sharing` each is computed by itself, so that it is the same to the last bit whoever asks first, and
    kept for later calls; otherwise those that are asked for are computed together.
    """
    asked = list(dict.fromkeys(tuple(prompt) for prompt in prompts))
    if model.kept is None:
        found: dict[tuple[int, ...], KeyValues] = {}
        for numbers in _chunks(asked, sorted(range(len(asked)), key=lambda n: len(asked[n])), HELD):
            computed = beginnings(model, asked, numbers, [len(ids) for ids in asked], hidden=True)
            found |= {asked[number]: values for number, values in computed.items()}
        return found
    found = {}
    for prompt in asked:
        values = model.kept.get(prompt[:-1])
        if values is None:
            values = beginnings(model, [prompt], [0], [len(prompt)], hidden=True)[0]
            model.kept.put(prompt[:-1], values)
        found[prompt] = values
    return found


def begun(model: Model, prompts: Sequence[Sequence[int]]) -> list[KeyValues] | None:
    """Each prompt's beginning for a batch that goes on from there; None where the model shares none of them now."""
    if model.kept is None or not model.spares_beginnings or not all(is_shareable(model, ids) for ids in prompts):
        return None
    first, *others = list(dict.fromkeys(tuple(ids) for ids in prompts))
    found = common_beginnings(model, [first])
    # They are in memory beside the batch's own copy.
    if sum(map(len, [first, *others])) * found[first].bytes / (len(first) - 1) > model.kept.budget:
        return None
    found |= common_beginnings(model, others)
    return [found[tuple(ids)] for ids in prompts]


def _chunks(prompts: Sequence[Sequence[int]], numbers: Sequence[int], most: int) -> Iterator[list[int]]:
    """Numbers of prompts, ascending in length, in chunks of at most `most` tokens when padded."""
    chunk: list[int] = []
    for number in numbers:
        if chunk and (len(chunk) + 1) * len(prompts[number]) > most:
            yield chunk
            chunk = []
        chunk.append(number)
    if chunk:
        yield chunk


def continues(model: Model, prompt: Sequence[int]) -> bool:
    """Whether the model gives the same logits after a prompt's kept beginning; tested once for each model.

    No position of the test counts as a token for hooks, so that edits neither act in it nor count it. A prompt of fewer
    than `LEAST` tokens tells nothing of the model, and is not continued.
    """
    if len(prompt) < LEAST:
        return False
    if model.shares_beginnings is None and not (model.loop.caches and model.loop.pads):
        model.shares_beginnings = False
    if model.shares_beginnings is None:
        try:
            error = _difference(model, prompt)
        except (TypeError, AttributeError, ValueError, LookupError, NotImplementedError, RuntimeError):
            error = float("inf")  # its cache cannot be continued
        model.shares_beginnings = error <= tolerance_of(model)
    return model.shares_beginnings


@torch.inference_mode()
def _difference(model: Model, prompt: Sequence[int]) -> float:
    """How far the logits after a kept beginning differ from those of a whole pass, as a share of their size."""
    tokens = torch.tensor([list(prompt)], device=model.device)
    attended = torch.ones_like(tokens, dtype=torch.bool)
    cache = model.runner.new_cache(batch=1)
    with unseen(model, attended):
        whole = model.runner.last_logits(tokens, attended, last=1)
    with unseen(model, attended[:, :-1]):
        model.runner.run(tokens[:, :-1], attended[:, :-1], cache)
    kept = model.runner.key_values(cache)
    if len(kept.layers) < model.n_layers:
        return float("inf")
    # Two rows continue it, as several answers will.
    both = KeyValues.gathered([kept, kept], tokens.shape[1] - 1)
    with unseen(model, attended[:, -1:].expand(2, -1)):
        after = model.runner.last_logits(
            tokens[:, -1:].expand(2, -1), attended.expand(2, -1), model.runner.new_cache(both, batch=2), last=1
        )
    return float((after - whole).norm(dim=-1).max() / whole.norm().clamp(min=1e-12))


def tolerance_of(model: Model) -> float:
    """How far logits of two ways to compute the same may differ, as a share of their size."""
    return TOLERANCE.get(model.dtype, NARROW_TOLERANCE)


def unseen(model: Model, attended: Tensor) -> AbstractContextManager[None]:
    """A pass in which no position counts as a token for hooks, so that edits neither act in it nor count it."""
    rows = torch.zeros(len(attended), dtype=torch.int64)
    return model.passing(
        Pass("prompt", torch.zeros_like(attended), rows, torch.full_like(attended, -1, dtype=torch.int64))
    )
