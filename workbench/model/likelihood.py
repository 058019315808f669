"""Log-probabilities of given answers, edited as they would be if the model were generating them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.contrast.prompt import Prompt
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_length, pad_left

_MOST_LOGITS = 2**28  # logits of one batch held at once: 1 GiB of float32


@dataclass(frozen=True)
class Judged:
    """What a model makes of one answer, on the CPU.

    Attributes:
        logs: natural log-probability of each token, given all before it, in float32.
        likeliest: whether each token is the likeliest one there, as greedy decoding would take it.
    """

    logs: Float[Tensor, " token"]
    likeliest: Bool[Tensor, " token"]


@dataclass(frozen=True)
class _Fed:
    """Tokens to compute once: a prompt and what follows it, and the alternatives that are read from them."""

    prompt: int
    tokens: list[int]
    alternatives: list[int]


def log_likelihoods(
    model: Model,
    prompts: Sequence[Sequence[int]],
    alternatives: Sequence[Sequence[Sequence[int]]],
    *,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> list[list[Float[Tensor, " token"]]]:
    """Natural log-probability of each token of each alternative answer to each prompt, given all before it.

    As `judge_answers`, of which this is one half.

    Returns:
        for each prompt and alternative, a float32 value a token, on the CPU.

    Raises:
        ValueError: as `judge_answers`.
    """
    judged = judge_answers(model, prompts, alternatives, max_tokens=max_tokens, max_rows=max_rows)
    return [[one.logs for one in several] for several in judged]


def answer_likelihoods(model: Model, prompts: Sequence[str | Prompt], answers: Sequence[str]) -> list[float]:
    """How likely each answer is after its prompt, as the model's own words.

    Args:
        prompts: one for each answer; plain strings are questions in a chat.

    Returns:
        The mean natural log-probability per token of each answer, 0 at most; the token that would end it is not judged.

    Raises:
        ValueError: if prompts and answers differ in number, or an answer has no tokens.
    """
    if len(prompts) != len(answers):
        raise ValueError(f"Each answer needs its prompt, but {len(answers)} answers met {len(prompts)} prompts.")
    tokens: list[list[int]] = [list(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in answers]  # type: ignore[call-overload]
    logs = log_likelihoods(model, model.tokens(prompts), [[ids] for ids in tokens])
    return [float(one.double().mean()) for [one] in logs]


@torch.inference_mode()
def judge_answers(
    model: Model,
    prompts: Sequence[Sequence[int]],
    alternatives: Sequence[Sequence[Sequence[int]]],
    *,
    ends: Sequence[int] | None = None,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> list[list[Judged]]:
    """Log-probability and rank of each token of each alternative answer to each prompt, given all before it.

    Every position says which step of the answer it is, so an edit acts as in generation: with scope `generated`
    on the prompt's last position and on the answer's own. Rows are padded on the left and padding is masked. An
    alternative whose tokens, but for the last, begin another of the same prompt costs nothing more.

    Args:
        prompts: token ids up to where the judged tokens begin.
        alternatives: for each prompt, token ids of the answers to judge.
        ends: for each prompt, the place of its last position as hooks see it, counted over prompt and answer
            from 0; by default its last token. A greater one judges tokens that still belong to the prompt, a
            negative one says that all of the prompt belongs to the answer already.
        max_tokens, max_rows: bounds of one batch, padding counted.

    Returns:
        for each prompt, what the model makes of its alternatives.

    Raises:
        ValueError: if a prompt has no list of alternatives or no tokens, or an alternative no tokens.
    """
    if len(prompts) != len(alternatives):
        raise ValueError(f"{len(prompts)} prompts need as many lists of answers, but {len(alternatives)} arrived.")
    for place, several in enumerate(alternatives):
        if not prompts[place]:
            raise ValueError(f"A prompt needs a token to judge the first of an answer by, but prompt {place} has none.")
        if not all(several):
            raise ValueError(f"An answer to judge needs tokens, but prompt {place} has one without any. Leave it out.")
    fed = [one for place, (p, a) in enumerate(zip(prompts, alternatives, strict=True)) for one in _fed(place, p, a)]
    lasts = [len(prompt) - 1 for prompt in prompts] if ends is None else list(ends)
    found: list[dict[int, Judged]] = [{} for _ in alternatives]
    longest = max((len(answer) for several in alternatives for answer in several), default=1)
    vocabulary = int(model.hooked.cfg.d_vocab)
    rows = max(1, min(max_rows, _MOST_LOGITS // (longest * vocabulary)))
    for batch in batches_by_length([len(one.tokens) for one in fed], max_tokens=max_tokens, max_rows=rows):
        _judge(model, [fed[place] for place in batch], prompts, alternatives, lasts, found)
    return [[judged[which] for which in range(len(judged))] for judged in found]


def _fed(place: int, prompt: Sequence[int], alternatives: Sequence[Sequence[int]]) -> list[_Fed]:
    """What must be computed of one prompt; the last token of an answer is judged, never fed."""
    kept: list[_Fed] = []
    for which in sorted(range(len(alternatives)), key=lambda i: -len(alternatives[i])):
        tokens = [*prompt, *alternatives[which][:-1]]
        holder = next((one for one in kept if one.tokens[: len(tokens)] == tokens), None)
        if holder is None:
            kept.append(_Fed(place, tokens, [which]))
        else:
            holder.alternatives.append(which)
    return kept


def _judge(
    model: Model,
    batch: Sequence[_Fed],
    prompts: Sequence[Sequence[int]],
    alternatives: Sequence[Sequence[Sequence[int]]],
    lasts: Sequence[int],
    found: list[dict[int, Judged]],
) -> None:
    tokens, real = pad_left([one.tokens for one in batch], model.pad_token)
    width = tokens.shape[1]
    steps = torch.full_like(tokens, -1)
    for i, one in enumerate(batch):
        first = -lasts[one.prompt]
        steps[i, width - len(one.tokens) :] = torch.arange(first, first + len(one.tokens))
    tokens, real, steps = (tensor.to(model.device) for tensor in (tokens, real, steps))
    under_way = Pass("prompt", real, torch.tensor([one.prompt for one in batch]), steps)
    last = max(1 + len(one.tokens) - len(prompts[one.prompt]) for one in batch)
    with model.passing(under_way):
        logits = model.runner.last_logits(tokens, real, last=last)
    top = logits.argmax(-1)
    for i, (row, one) in enumerate(zip(logits.log_softmax(-1), batch, strict=True)):
        start = last - 1 - (len(one.tokens) - len(prompts[one.prompt]))
        for which in one.alternatives:
            answer = torch.tensor(alternatives[one.prompt][which], device=row.device)
            at = torch.arange(start, start + len(answer), device=row.device)
            found[one.prompt][which] = Judged(row[at, answer].cpu(), (top[i, at] == answer).cpu())
