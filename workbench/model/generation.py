"""Batched generation with a key-value cache, whose answers do not depend on how prompts are batched."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_length, pad_left

_COMPACT_BELOW = 0.7  # share of unfinished rows under which finished ones are dropped from the batch


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
        """The uniform numbers that decide the tokens of a prompt on this stream."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + stream) % 2**63)
        return torch.rand(self.max_new_tokens, generator=generator, dtype=torch.float64)

    def choose(self, logits: Float[Tensor, "batch d_vocab"], draw: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Each row's next token: the likeliest, or by inverting the distribution function at its draw."""
        if self.temperature == 0:
            return logits.argmax(-1)
        cumulative = torch.softmax(logits.double() / self.temperature, -1).cumsum(-1)
        point = draw.to(cumulative.device) * cumulative[:, -1]
        chosen = torch.searchsorted(cumulative, point[:, None], right=True)[:, 0]
        return chosen.clamp(max=logits.shape[-1] - 1)


@dataclass(frozen=True)
class Until:
    """Texts that end an answer, beside the tokens that do.

    Attributes:
        texts: none of them empty.
        tokenizer: what the answer's tokens are read with.
    """

    texts: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase

    def __post_init__(self) -> None:
        if not all(self.texts):
            raise ValueError(f"A text that ends an answer has at least 1 character, but {self.texts} arrived.")

    def reached(self, answer: Sequence[int]) -> bool:
        """Whether the answer's last token completes one of the texts."""
        # A token is at least a byte, so this many hold the longest text; one more, as the first may lose its space.
        tail = 1 + max(len(text.encode()) for text in self.texts)
        said = str(self.tokenizer.decode(list(answer[-tail:])))
        return any(text in said for text in self.texts)


@torch.inference_mode()
def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    streams: Sequence[int] | None = None,
    until: Until | None = None,
    max_tokens: int,
    max_rows: int,
) -> list[list[int]]:
    """New token ids of each prompt, without the token that ended the answer, but with those of a text that did."""
    answers: list[list[int]] = [[] for _ in prompts]
    lengths = [len(ids) + sampling.max_new_tokens for ids in prompts]
    for batch in batches_by_length(lengths, max_tokens=max_tokens, max_rows=max_rows):
        draws = torch.stack([sampling.draws(row if streams is None else streams[row]) for row in batch])
        _generate_batch(model, prompts, batch, sampling, draws, until, answers)
    return answers


def _generate_batch(
    model: Model,
    prompts: Sequence[Sequence[int]],
    batch: list[int],
    sampling: Sampling,
    draws: Float[Tensor, "batch step"],
    until: Until | None,
    answers: list[list[int]],
) -> None:
    tokens, real = pad_left([prompts[row] for row in batch], model.pad_token)
    tokens, real = tokens.to(model.device), real.to(model.device)
    rows = torch.tensor(batch)
    stops = torch.tensor(sorted(model.stop_tokens), device=model.device)
    finished = torch.zeros(len(batch), dtype=torch.bool, device=model.device)
    cache = model.runner.generation_cache(batch=len(batch))
    for step in range(sampling.max_new_tokens):
        # After the prompt, only the newest token of each row goes in.
        fresh = real if step == 0 else torch.ones_like(real[:, :1])
        with model.passing(Pass("prompt" if step == 0 else "decode", fresh, rows)):
            logits = model.runner.run(tokens, real, cache, logits=True)
        assert logits is not None
        chosen = sampling.choose(logits, draws[:, step])
        finished |= torch.isin(chosen, stops)
        done = finished.tolist()
        for place, (row, token) in enumerate(zip(rows.tolist(), chosen.tolist(), strict=True)):
            if not done[place]:
                answers[row].append(token)
                if until is not None and until.reached(answers[row]):
                    finished[place] = True
        if bool(finished.all()):
            return
        keep = torch.ones_like(finished)
        left = (~finished).nonzero()[:, 0]
        if len(left) < _COMPACT_BELOW * len(finished) and model.runner.keep_rows(cache, left):
            keep = ~finished
        tokens = chosen[keep][:, None]
        real = torch.cat([real[keep], torch.ones_like(real[keep][:, :1])], 1)
        rows, draws, finished = rows[keep.cpu()], draws[keep.cpu()], finished[keep]
