"""Batched generation with a key-value cache, whose answers do not depend on how prompts are batched."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from workbench.model.loop import Loop
from workbench.model.passing import Pass
from workbench.model.rendering import pad_left
from workbench.model.runner import KeyValues, Runner

_COMPACT_BELOW = 0.7  # finished rows are dropped from the batch once less than this share of it is unfinished


@dataclass(frozen=True)
class Decoder:
    """What generation needs of a model.

    Attributes:
        runner: the forward pass.
        device: where token ids go.
        pad_token: the token that pads shorter prompts.
        stop_tokens: the tokens that end an answer.
        passing: announces a forward pass to the hooks for as long as it lasts.
        loop: what holds of its forward pass.
        begun: gives the keys and values of each prompt's beginning, all but its last token, where they are shared with
            other runs; None where the prompts are to be computed.
    """

    runner: Runner
    device: torch.device
    pad_token: int
    stop_tokens: frozenset[int]
    passing: Callable[[Pass], AbstractContextManager[None]]
    loop: Loop
    begun: Callable[[Sequence[Sequence[int]]], "list[KeyValues] | None"] = lambda prompts: None


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Raises:
        ValueError: for a temperature that is negative or not finite, or fewer than one new token.
    """

    max_new_tokens: int
    temperature: float
    seed: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"The temperature is a number from 0 up, but {self.temperature} arrived.")
        if self.max_new_tokens < 1:
            raise ValueError(f"At least 1 new token is needed, but {self.max_new_tokens} arrived.")

    def draws(self, stream: int) -> Float[Tensor, " step"]:
        """The uniform numbers, one a step, that choose the tokens of a prompt with this stream."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + stream) % 2**63)
        return torch.rand(self.max_new_tokens, generator=generator, dtype=torch.float64)

    def choose(self, logits: Float[Tensor, "batch d_vocab"], draw: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Each row's next token: the likeliest, or where the cumulative probability passes its draw."""
        if self.temperature == 0:
            return logits.argmax(-1)
        cumulative = torch.softmax(logits.double() / self.temperature, -1).cumsum(-1)
        point = draw.to(cumulative.device) * cumulative[:, -1]
        chosen = torch.searchsorted(cumulative, point[:, None], right=True)[:, 0]
        return chosen.clamp(max=logits.shape[-1] - 1)


@dataclass(frozen=True)
class Until:
    """Texts that end an answer, besides the model's stop tokens.

    Attributes:
        texts: none of them empty.
        tokenizer: decodes the answer's tokens.

    Raises:
        ValueError: for an empty text.
    """

    texts: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase

    def __post_init__(self) -> None:
        if not all(self.texts):
            raise ValueError(f"A text that ends an answer has at least 1 character, but {self.texts} arrived.")

    def reached(self, answer: Sequence[int]) -> bool:
        """Whether the answer's last token completes one of the texts."""
        # A token holds at least a byte, so this many hold the longest text; one more, as decoding may drop the first
        # one's space.
        tail = 1 + max(len(text.encode()) for text in self.texts)
        ending = str(self.tokenizer.decode(list(answer[-tail:])))
        return any(text in ending for text in self.texts)


@torch.inference_mode()
def generate(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    streams: Sequence[int] | None = None,
    until: Until | None = None,
    max_tokens: int,
    max_rows: int,
) -> list[list[int]]:
    """The new token ids of each prompt.

    A stop token is not part of the answer; the tokens of a text that ends it (`until`) are.

    Raises:
        ValueError: with both lengths, if a prompt and its answer need more positions than there are.
    """
    answers: list[list[int]] = [[] for _ in prompts]
    lengths, new = [len(ids) for ids in prompts], sampling.max_new_tokens
    decoder.loop.check(lengths, new)
    for batch in decoder.loop.batches(lengths, answer=new, max_tokens=max_tokens, max_rows=max_rows):
        draws = torch.stack([sampling.draws(row if streams is None else streams[row]) for row in batch])
        with decoder.runner.holding():
            _generate_batch(decoder, prompts, batch, sampling, draws, until, answers)
    return answers


def _generate_batch(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    batch: list[int],
    sampling: Sampling,
    draws: Float[Tensor, "batch step"],
    until: Until | None,
    answers: list[list[int]],
) -> None:
    text, real = pad_left([prompts[row] for row in batch], decoder.pad_token)
    text, real = text.to(decoder.device), real.to(decoder.device)
    width = text.shape[1]
    rows = torch.tensor(batch)
    stops = torch.tensor(sorted(decoder.stop_tokens), device=decoder.device)
    finished = torch.zeros(len(batch), dtype=torch.bool, device=decoder.device)
    caches, lengths = decoder.loop.caches, decoder.loop.lengths
    begun = decoder.begun([prompts[row] for row in batch]) if caches else None
    if begun is not None:
        cache = decoder.runner.new_cache(KeyValues.gathered(begun, width - 1), batch=len(batch))
    else:
        cache = decoder.runner.generation_cache(batch=len(batch)) if caches else None
    for step in range(sampling.max_new_tokens):
        if step == 0 and begun is not None:
            last = torch.zeros((len(text), 1), dtype=torch.int64, device=decoder.device)
            tokens, under_way = text[:, -1:], Pass("prompt", real[:, -1:], rows, last)
        elif step == 0:
            tokens, under_way = text, Pass("prompt", real, rows)
        elif not caches or lengths.turns(text.shape[1] - 1):
            steps = torch.arange(1 - width, step + 1, device=decoder.device).expand(len(text), -1)
            tokens, under_way = text, Pass("prompt", real, rows, torch.where(real, steps, -1))
            cache = decoder.runner.generation_cache(batch=len(text)) if caches else None
        else:  # only the newest token of each row goes in; those of answers that have ended are padding
            tokens, under_way = text[:, -1:], Pass("decode", ~finished[:, None], rows)
        with decoder.passing(under_way):
            logits = decoder.runner.run(tokens, real, cache, logits=True)
        assert logits is not None
        chosen = sampling.choose(logits, draws[:, step])
        finished |= torch.isin(chosen, stops)
        done = finished.tolist()
        for i, (row, token) in enumerate(zip(rows.tolist(), chosen.tolist(), strict=True)):
            if not done[i]:
                answers[row].append(token)
                if until is not None and until.reached(answers[row]):
                    finished[i] = True
        if bool(finished.all()):
            return
        keep = torch.ones_like(finished)
        unfinished = (~finished).nonzero()[:, 0]
        few = len(unfinished) < _COMPACT_BELOW * len(finished)
        if few and (cache is None or decoder.runner.keep_rows(cache, unfinished)):
            keep = ~finished
        text = torch.cat([text[keep], chosen[keep][:, None]], 1)
        real = torch.cat([real[keep], torch.ones_like(real[keep][:, :1])], 1)
        rows, draws, finished = rows[keep.cpu()], draws[keep.cpu()], finished[keep]
