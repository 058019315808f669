"""Log-probabilities of given answers; edits act on them as if the model were generating them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.contrast.prompt import Prompt
from workbench.model.judging import Asked, Judged
from workbench.model.model import Model


def log_likelihoods(
    model: Model,
    prompts: Sequence[Sequence[int]],
    alternatives: Sequence[Sequence[Sequence[int]]],
    *,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> list[list[Float[Tensor, " token"]]]:
    """Natural log-probability of each token of each alternative answer to each prompt, given all before it.

    This is the first half of what `judge_answers` returns.

    Returns:
        for each prompt and alternative, a float32 value for each token, on the CPU.

    Raises:
        ValueError: as `judge_answers`.
    """
    judged = judge_answers(model, prompts, alternatives, max_tokens=max_tokens, max_rows=max_rows)
    return [[answer.logs for answer in of_prompt] for of_prompt in judged]


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
    tokens = [[ids] for ids in model.answer_tokens(answers)]
    logs = log_likelihoods(model, model.tokens(prompts), tokens)
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
    """How likely each token of each alternative answer to each prompt is, given all tokens before it.

    Hooks are told which step of the answer each position is, so that an edit acts as in generation: with scope
    `generated`, on the prompt's last position and on those of the answer. Rows are padded on the left and padding is
    masked. An alternative is free if its tokens, without the last, begin another alternative of the same prompt.

    Args:
        prompts: token ids up to where the judged tokens begin.
        alternatives: for each prompt, token ids of the answers to judge.
        ends: for each prompt, the index over prompt and answer, from 0, of the position that hooks treat as the
            prompt's last; by default its last token. If it is greater, the first judged tokens count as prompt; if it
            is negative, all of the prompt counts as answer.
        max_tokens, max_rows: bounds of one batch, padding counted.

    Returns:
        for each prompt, one result for each of its alternatives.

    Raises:
        ValueError: if a prompt has no list of alternatives or no tokens, an alternative has no tokens, or both together
            need more positions than there are.
    """
    if len(prompts) != len(alternatives):
        raise ValueError(f"{len(prompts)} prompts need as many lists of answers, but {len(alternatives)} arrived.")
    for number, answers in enumerate(alternatives):
        if not prompts[number]:
            raise ValueError(f"A prompt needs at least 1 token before an answer, but prompt {number} has none.")
        if not all(answers):
            raise ValueError(f"An answer to judge needs tokens, but prompt {number} has one without any. Leave it out.")
    lasts = [len(prompt) - 1 for prompt in prompts] if ends is None else list(ends)
    judged: list[dict[int, Judged]] = [{} for _ in alternatives]
    loop = model.loop
    loop.check([len(prompt) for prompt in prompts], [max(map(len, each), default=0) for each in alternatives])
    asked = Asked(model, prompts, alternatives, lasts, judged, max_tokens, max_rows)
    asked.judge()
    return [[of_prompt[which] for which in range(len(of_prompt))] for of_prompt in judged]
