"""Whether a checkpoint is the edited model: equal in float32, and in shorter types equal up to rounding."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.applying import edited
from workbench.edit.edit import AnyEdit
from workbench.model.loading import load_again
from workbench.model.model import Model

TOLERANCE = 1e-4
"""Largest difference of logits in float32, as a share of their spread."""
MOST_ROUNDING = 1.5
"""In shorter types, a checkpoint's error against float32 may be this many times the hooked model's own."""


@dataclass(frozen=True)
class Expected:
    """What the hooked, edited model computes on one prompt and its own greedy continuation.

    Attributes:
        tokens: the prompt and what followed it.
        prompt: how many of them are the prompt.
        logits: computed in the model's own number type, kept as float32 on the CPU.
        exact: the logits of a float32 copy of the same weights; None where the model is in float32 itself.
    """

    tokens: Int[Tensor, " pos"]
    prompt: int
    logits: Float[Tensor, "pos d_vocab"]
    exact: Float[Tensor, "pos d_vocab"] | None = None


@dataclass(frozen=True)
class Agreement:
    """How a checkpoint agrees with the hooked, edited model.

    Attributes:
        max_logit_difference: largest difference between their logits, over every position of all prompts.
        logit_spread: standard deviation of the hooked model's logits.
        greedy_tokens: how many new tokens were compared.
        greedy_ties: how many of them differ, each being one of two tokens that rounding can swap; 0 in float32.
        rounding: root mean square error of the hooked model's logits against float32; None in float32.
        error: root mean square error of the checkpoint's logits against float32; None in float32.
        prompts: how many prompts of text and of random tokens were compared.
    """

    max_logit_difference: float
    logit_spread: float
    greedy_tokens: int
    greedy_ties: int
    rounding: float | None
    error: float | None
    prompts: int


@torch.no_grad()
def expected(model: Model, edit: AnyEdit, prompts: Sequence[str], new_tokens: int) -> list[Expected]:
    """What the edited model computes on texts and on four rows of random tokens, each alone and unpadded."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = min(len(model.tokenizer), model.runner.embedding.shape[0])
    drawn = torch.randint(vocabulary, (4, 24), generator=generator).tolist()
    chat = bool(getattr(model.tokenizer, "chat_template", None))
    computed = []
    with edited(model, edit, scope="all"):
        for tokens in [*model.tokens(list(prompts), chat=chat), *drawn]:
            ids = torch.tensor([tokens], device=model.device)
            for _ in range(new_tokens):  # the whole sequence anew at each step, so that no cache is involved
                ids = torch.cat([ids, model.hooked(ids)[:, -1:].argmax(-1)], dim=1)
            computed.append(Expected(ids[0].cpu(), len(tokens), model.hooked(ids)[0].float().cpu()))
    if model.dtype in (torch.float32, torch.float64):
        return computed
    full = _in_float32(model)
    with edited(full, edit, scope="all"):
        exact = [full.hooked(one.tokens[None].to(full.device))[0].float().cpu() for one in computed]
    del full
    gc.collect()  # a hooked model refers to itself, and another copy of the weights is loaded next
    return [replace(one, exact=logits) for one, logits in zip(computed, exact, strict=True)]


def _in_float32(model: Model) -> Model:
    """The same rounded weights, computed with in float32."""
    recipe = dict(model.recipe or {}) | {"dtype": "float32"}
    if recipe.get("device_map") is None:
        recipe["device"] = model.device
    full = load_again(recipe)
    for parameter in full.network.parameters():
        parameter.copy_(parameter.to(model.dtype))
    return full


def agreement(
    logits: Callable[[Int[Tensor, "1 pos"]], Float[Tensor, "1 pos d_vocab"]],
    wanted: Sequence[Expected],
    *,
    dtype: torch.dtype,
) -> Agreement:
    """How a checkpoint agrees with the edited model; one that is not the edited model is refused.

    In float32 every greedy token must be equal, and no logit may differ by more than `TOLERANCE` of their spread. In a
    shorter type the order of a sum alone changes its rounding, so both are compared with the same weights in float32:
    the checkpoint's root mean square error may be at most `MOST_ROUNDING` times the hooked model's, and a greedy token
    may differ only where the two tokens' float32 logits are so close that an error of this size can swap them.

    Raises:
        ValueError: with the place or the size of the difference, and what is allowed.
    """
    worst, spread, compared, ties = 0.0, 0.0, 0, 0
    ours_squared = theirs_squared = 0.0
    count = 0
    for one in wanted:
        theirs = logits(one.tokens[None])[0].float().cpu()
        worst = max(worst, float((one.logits - theirs).abs().max()))
        spread = max(spread, float(one.logits.std()))
        chosen = theirs.argmax(-1)[one.prompt - 1 : -1]
        mine = one.tokens[one.prompt :]
        compared += len(mine)
        for step in (chosen != mine).nonzero()[:, 0].tolist():
            if not _is_tie(one, one.prompt - 1 + step, int(mine[step]), int(chosen[step])):
                raise ValueError(
                    f"The baked checkpoint is not the edited model: greedy token {step} of a prompt is "
                    f"{int(chosen[step])} instead of {int(mine[step])} (logits differ by up to {worst:.2g}), which is "
                    f"more than rounding in {dtype}."
                )
            ties += 1
        if one.exact is not None:
            ours_squared += float((one.logits - one.exact).double().square().sum())
            theirs_squared += float((theirs - one.exact).double().square().sum())
            count += one.exact.numel()
    if not count:
        bound = TOLERANCE * max(spread, 1e-6)
        if worst > bound:
            raise ValueError(
                f"The baked checkpoint is not the edited model to rounding: logits differ by up to {worst:.2g}, where "
                f"{bound:.2g} is allowed in {dtype}."
            )
        return Agreement(worst, spread, compared, ties, None, None, len(wanted))
    rounding, error = (ours_squared / count) ** 0.5, (theirs_squared / count) ** 0.5
    if error > MOST_ROUNDING * rounding:
        raise ValueError(
            f"The baked checkpoint is not the edited model to rounding: its logits are {error:.2g} from float32 (root "
            f"mean square), where {dtype} puts the hooked model {rounding:.2g} off and {MOST_ROUNDING:g} times that is "
            "allowed. Load the model in float32."
        )
    return Agreement(worst, spread, compared, ties, rounding, error, len(wanted))


def _is_tie(one: Expected, at: int, mine: int, chosen: int) -> bool:
    """Whether two tokens' float32 logits are so close that a checkpoint within bounds may swap them."""
    if one.exact is None:
        return False
    error = float((one.logits - one.exact).abs().max())
    return abs(float(one.exact[at, mine] - one.exact[at, chosen])) <= 2 * MOST_ROUNDING * error
