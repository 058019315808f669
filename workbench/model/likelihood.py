"""Log-probabilities of given answers; edits act on them as if the model were generating them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.contrast.prompt import Prompt
from workbench.model.beginnings import beginnings, shareable
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_cost, pad_left
from workbench.model.runner import KeyValues

_MOST_LOGITS = 2**28  # logits of one batch in memory at once: 1 GiB of float32


@dataclass(frozen=True)
class Judged:
    """How likely a model finds one answer, on the CPU.

    Attributes:
        logs: natural log-probability of each token, given all tokens before it, in float32.
        likeliest: whether each token is the likeliest one, which greedy decoding would choose.
    """

    logs: Float[Tensor, " token"]
    likeliest: Bool[Tensor, " token"]


@dataclass(frozen=True)
class _Fed:
    """Tokens that are computed once: a prompt and what follows it, and the alternatives that are judged from them."""

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
    fed = [
        tokens
        for number, (prompt, answers) in enumerate(zip(prompts, alternatives, strict=True))
        for tokens in _fed(number, prompt, answers)
    ]
    lasts = [len(prompt) - 1 for prompt in prompts] if ends is None else list(ends)
    judged: list[dict[int, Judged]] = [{} for _ in alternatives]
    longest = max((len(answer) for answers in alternatives for answer in answers), default=1)
    rows = max(1, min(max_rows, _MOST_LOGITS // (longest * int(model.hooked.cfg.d_vocab))))
    asked = _Asked(model, prompts, alternatives, lasts, judged)
    loop = model.loop
    loop.check([len(prompt) for prompt in prompts], [max(map(len, each), default=0) for each in alternatives])
    long = {each.prompt for each in fed if loop.lengths.group(len(each.tokens))}
    several = [number for number, n in Counter(each.prompt for each in fed).items() if n > 1 and number not in long]
    for numbers in shareable(model, prompts, several, max_tokens=max_tokens):
        before = beginnings(model, prompts, numbers, lasts)
        following = [each for each in fed if each.prompt in before]
        lengths = [len(each.tokens) - len(prompts[each.prompt]) + 1 for each in following]
        for batch in batches_by_cost(lengths, max_tokens=max_tokens, max_rows=rows):
            asked.after(before, [following[i] for i in batch])
    whole = [each for each in fed if each.alternatives[0] not in judged[each.prompt]]
    lengths = [len(each.tokens) for each in whole]
    for batch in loop.batches(lengths, max_tokens=max_tokens, max_rows=rows, cut=batches_by_cost):
        asked.whole([whole[i] for i in batch])
    return [[of_prompt[which] for which in range(len(of_prompt))] for of_prompt in judged]


def _fed(number: int, prompt: Sequence[int], alternatives: Sequence[Sequence[int]]) -> list[_Fed]:
    """What must be computed for one prompt; the last token of an answer is judged but never computed."""
    fed: list[_Fed] = []
    for which in sorted(range(len(alternatives)), key=lambda i: -len(alternatives[i])):
        tokens = [*prompt, *alternatives[which][:-1]]
        containing = next((each for each in fed if each.tokens[: len(tokens)] == tokens), None)
        if containing is None:
            fed.append(_Fed(number, tokens, [which]))
        else:
            containing.alternatives.append(which)
    return fed


@dataclass(frozen=True)
class _Asked:
    """What was asked, and the answers judged so far."""

    model: Model
    prompts: Sequence[Sequence[int]]
    alternatives: Sequence[Sequence[Sequence[int]]]
    lasts: Sequence[int]
    judged: list[dict[int, Judged]]

    def whole(self, batch: Sequence[_Fed]) -> None:
        """Compute prompts and answers whole, padded on the left."""
        tokens, real = pad_left([fed.tokens for fed in batch], self.model.pad_token)
        width = tokens.shape[1]
        steps = torch.full_like(tokens, -1)
        for i, fed in enumerate(batch):
            first = -self.lasts[fed.prompt]
            steps[i, width - len(fed.tokens) :] = torch.arange(first, first + len(fed.tokens))
        last = max(1 + self._extra(fed) for fed in batch)
        starts = [last - 1 - self._extra(fed) for fed in batch]
        self._keep(batch, starts, self._logits(batch, tokens, real, steps, None, last))

    def after(self, before: Mapping[int, KeyValues], batch: Sequence[_Fed]) -> None:
        """Compute each prompt's last token and its answers after the prompt's beginning."""
        pasts = [len(self.prompts[fed.prompt]) - 1 for fed in batch]
        past, width = max(pasts), 1 + max(self._extra(fed) for fed in batch)
        tokens = torch.full((len(batch), width), self.model.pad_token)
        steps = torch.full_like(tokens, -1)
        # Padding goes before the past and after the new tokens, so that a sliding window never counts padding.
        attended = torch.zeros(len(batch), past + width, dtype=torch.bool)
        for i, (fed, start) in enumerate(zip(batch, pasts, strict=True)):
            new = fed.tokens[start:]
            tokens[i, : len(new)] = torch.tensor(new)
            steps[i, : len(new)] = torch.arange(start, start + len(new)) - self.lasts[fed.prompt]
            attended[i, past - start : past + len(new)] = True
        gathered = KeyValues.gathered([before[fed.prompt] for fed in batch], past)
        logits = self._logits(batch, tokens, attended, steps, gathered, width)
        self._keep(batch, [0] * len(batch), logits)

    def _extra(self, fed: _Fed) -> int:
        """How many tokens follow the prompt."""
        return len(fed.tokens) - len(self.prompts[fed.prompt])

    def _logits(
        self, batch: Sequence[_Fed], tokens: Tensor, attended: Tensor, steps: Tensor, past: KeyValues | None, last: int
    ) -> Float[Tensor, "batch last d_vocab"]:
        model = self.model
        tokens, attended, steps = (tensor.to(model.device) for tensor in (tokens, attended, steps))
        real = attended[:, -tokens.shape[1] :]
        under_way = Pass("prompt", real, torch.tensor([fed.prompt for fed in batch]), steps)
        cache = None if past is None else model.runner.new_cache(past, batch=len(batch))
        with model.passing(under_way):
            return model.runner.last_logits(tokens, attended, cache, last=last)

    def _keep(self, batch: Sequence[_Fed], starts: Sequence[int], logits: Float[Tensor, "batch last d_vocab"]) -> None:
        """Keep the log-probabilities of each row's answers, the first token of which is judged at the row's start."""
        top = logits.argmax(-1)
        for i, (row, fed, start) in enumerate(zip(logits.log_softmax(-1), batch, starts, strict=True)):
            for which in fed.alternatives:
                answer = torch.tensor(self.alternatives[fed.prompt][which], device=row.device)
                at = torch.arange(start, start + len(answer), device=row.device)
                self.judged[fed.prompt][which] = Judged(row[at, answer].cpu(), (top[i, at] == answer).cpu())
