"""Log-probabilities of given answers, edited as they would be if the model were generating them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_length, pad_left

_MOST_LOGITS = 2**28  # logits of one batch held at once: 1 GiB of float32


@dataclass(frozen=True)
class _Fed:
    """Tokens to compute once: a prompt and what follows it, and the alternatives that are read from them."""

    prompt: int
    tokens: list[int]
    alternatives: list[int]


@torch.inference_mode()
def log_likelihoods(
    model: Model,
    prompts: Sequence[Sequence[int]],
    alternatives: Sequence[Sequence[Sequence[int]]],
    *,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> list[list[Float[Tensor, " token"]]]:
    """Natural log-probability of each token of each alternative answer to each prompt, given all before it.

    Every position says which step of the answer it is, so an edit acts as in generation: with scope `generated`
    on the prompt's last position and on the answer's own. Rows are padded on the left and padding is masked. An
    alternative whose tokens, but for the last, begin another of the same prompt costs nothing more.

    Args:
        prompts: token ids up to where the answer begins.
        alternatives: for each prompt, token ids of the answers to judge.
        max_tokens, max_rows: bounds of one batch, padding counted.

    Returns:
        for each prompt and alternative, a float32 value a token, on the CPU.

    Raises:
        ValueError: if a prompt has no list of alternatives, or an alternative no tokens.
    """
    if len(prompts) != len(alternatives):
        raise ValueError(f"{len(prompts)} prompts need as many lists of answers, but {len(alternatives)} arrived.")
    for place, several in enumerate(alternatives):
        if not all(several):
            raise ValueError(f"An answer to judge needs tokens, but prompt {place} has one without any. Leave it out.")
    fed = [one for place, (p, a) in enumerate(zip(prompts, alternatives, strict=True)) for one in _fed(place, p, a)]
    found: list[list[Tensor]] = [[torch.empty(0) for _ in several] for several in alternatives]
    longest = max((len(answer) for several in alternatives for answer in several), default=1)
    vocabulary = int(model.hooked.cfg.d_vocab)
    rows = max(1, min(max_rows, _MOST_LOGITS // (longest * vocabulary)))
    for batch in batches_by_length([len(one.tokens) for one in fed], max_tokens=max_tokens, max_rows=rows):
        _judge(model, [fed[place] for place in batch], prompts, alternatives, found)
    return found


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
    found: list[list[Tensor]],
) -> None:
    tokens, real = pad_left([one.tokens for one in batch], model.pad_token)
    width = tokens.shape[1]
    steps = torch.full_like(tokens, -1)
    for i, one in enumerate(batch):
        first = 1 - len(prompts[one.prompt])
        steps[i, width - len(one.tokens) :] = torch.arange(first, first + len(one.tokens))
    tokens, real, steps = (tensor.to(model.device) for tensor in (tokens, real, steps))
    under_way = Pass("prompt", real, torch.tensor([one.prompt for one in batch]), steps)
    last = max(1 + len(one.tokens) - len(prompts[one.prompt]) for one in batch)
    with model.passing(under_way):
        logits = model.runner.last_logits(tokens, real, last=last)
    for row, one in zip(logits.log_softmax(-1), batch, strict=True):
        start = last - 1 - (len(one.tokens) - len(prompts[one.prompt]))
        for which in one.alternatives:
            answer = torch.tensor(alternatives[one.prompt][which], device=row.device)
            at = torch.arange(start, start + len(answer), device=row.device)
            found[one.prompt][which] = row[at, answer].cpu()
