"""Turns prompts into token ids; every floor renders prompts here, so that all render them alike."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Bool, Int
from jinja2 import TemplateError
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from workbench.contrast.prompt import Prompt

_DAY = "26 Jul 2024"


def as_prompts(prompts: str | Prompt | Sequence[str | Prompt], *, chat: bool) -> list[Prompt]:
    """`prompts` as a list of `Prompt`; `chat` says whether a plain string is a chat prompt or raw text."""
    if isinstance(prompts, str | Prompt):
        prompts = [prompts]
    return [prompt if isinstance(prompt, Prompt) else Prompt(prompt, chat=chat) for prompt in prompts]


class Rendering(StrEnum):
    """How chat prompts become tokens, in words."""

    TEMPLATE = "the chat template, system prompts included"
    SYSTEM_BEFORE_USER = (
        "the chat template, which takes no system prompt: it goes in front of the user's turn, a blank line between"
    )
    PLAIN = "no chat template: system prompt, blank line, user's turn, newline, as plain text"

    @property
    def is_fallback(self) -> bool:
        """Whether the tokenizer lacks a chat template, or its template takes no system prompt."""
        return self is not Rendering.TEMPLATE


def rendering_of(tokenizer: PreTrainedTokenizerBase) -> Rendering:
    """How `render` turns chat prompts into text with this tokenizer."""
    if not tokenizer.chat_template:
        return Rendering.PLAIN
    return Rendering.TEMPLATE if takes_system(tokenizer) else Rendering.SYSTEM_BEFORE_USER


def takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template renders a system prompt; some templates refuse it and some drop it silently."""
    probe = [{"role": "system", "content": "QQSYSTEMQQ"}, {"role": "user", "content": "Hello."}]
    try:
        return "QQSYSTEMQQ" in str(tokenizer.apply_chat_template(probe, tokenize=False))
    except (TemplateError, ValueError, TypeError):
        return False


def render(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Token ids of each prompt, up to where the answer begins.

    A chat prompt is rendered and tokenised in one step by the tokenizer's template, so that no special token is
    doubled. If the template takes no system prompt, it goes in front of the user's turn, with a blank line between.
    Without a template, a chat prompt becomes `system`, blank line, `user`, newline. Raw texts get the special tokens
    that the tokenizer adds by itself. Llama's templates from 3.1 on write a date, some of them today's; all are given
    the date that they use when there is no clock, so that a prompt is the same on any day.

    Raises:
        ValueError: for a prompt that renders to no tokens, or that the template refuses.
    """
    rendering = rendering_of(tokenizer)
    rendered = [_render_one(tokenizer, prompt, rendering) for prompt in prompts]
    for prompt, ids in zip(prompts, rendered, strict=True):
        if not ids:
            raise ValueError(f"A prompt must have tokens, but {prompt.user!r} renders to none.")
    return rendered


def render_conversation(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], *, open_turn: bool = True
) -> str:
    """The text that the chat template makes of a conversation, special tokens included.

    Tokenise it without adding special tokens; a single user's turn then gives what `render` makes of the same prompt.
    If the template takes no system prompt, it goes in front of the first user's turn.

    Args:
        messages: turns with `role` and `content`.
        open_turn: whether the text ends where an answer begins. Otherwise the last turn, which is the assistant's, is
            left open so that it can be continued.

    Raises:
        ValueError: if the tokenizer has no chat template, or it refuses the conversation.
    """
    if not tokenizer.chat_template:
        raise ValueError("A conversation needs a chat template, but the tokenizer has none. Use chat=False.")
    turns = [dict(message) for message in messages]
    ending = {"add_generation_prompt": open_turn, "continue_final_message": not open_turn}
    return str(_templated(tokenizer, turns, rendering_of(tokenizer), tokenize=False, **ending))


def _system_in_front(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with a leading system prompt moved into the first user's turn, followed by a blank line."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    first = {**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def _templated(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], rendering: Rendering, **settings: Any
) -> Any:
    """What the chat template makes of messages."""
    turns = _system_in_front(messages) if rendering is Rendering.SYSTEM_BEFORE_USER else messages
    try:
        return tokenizer.apply_chat_template(turns, date_string=_DAY, **settings)
    except TemplateError as error:
        raise ValueError(
            f"The chat template refuses {messages[-1]['content']!r}: {error}. Give raw texts with chat=False, or a "
            "tokenizer with another template."
        ) from error


def _render_one(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, rendering: Rendering) -> list[int]:
    if prompt.chat and rendering is not Rendering.PLAIN:
        encoded = _templated(
            tokenizer, prompt.messages, rendering, tokenize=True, add_generation_prompt=True, return_dict=True
        )
        return list(encoded["input_ids"])
    text = prompt.user
    if prompt.chat:
        text = "\n\n".join(filter(None, (prompt.system, prompt.user))) + "\n"
    encoded = tokenizer(text)
    return list(encoded["input_ids"])


def pad_left(rows: Sequence[Sequence[int]], pad: int) -> tuple[Int[Tensor, "batch pos"], Bool[Tensor, "batch pos"]]:
    """Token ids padded on the left, and which of them are real."""
    width = max(map(len, rows))
    tokens = torch.full((len(rows), width), pad, dtype=torch.int64)
    real = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, ids in enumerate(rows):
        tokens[i, width - len(ids) :] = torch.tensor(ids)
        real[i, width - len(ids) :] = True
    return tokens, real


def batches_by_length(lengths: Sequence[int], *, max_tokens: int, max_rows: int) -> list[list[int]]:
    """Row numbers in batches of similar length, longest first, each with at most `max_tokens` when padded.

    A row that is longer than `max_tokens` gets a batch of its own.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and len(batches[-1]) < max_rows and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= max_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def batches_by_cost(lengths: Sequence[int], *, max_tokens: int, max_rows: int, pass_cost: int = 64) -> list[list[int]]:
    """Row numbers in batches of similar length, longest first, chosen so that padding and passes cost least.

    A row that is longer than `max_tokens` gets a batch of its own.

    Args:
        pass_cost: what a pass costs besides the tokens that it computes, in tokens.

    Example:
        >>> batches_by_cost([9, 2, 2, 8], max_tokens=100, max_rows=10, pass_cost=5)
        [[0, 3], [1, 2]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])

    def cost(begin: int, end: int) -> int | None:
        size, width = end - begin, lengths[order[begin]]
        return None if size > 1 and (size > max_rows or size * width > max_tokens) else size * width + pass_cost

    return [order[begin:end] for begin, end in cheapest_runs(len(order), cost)]


def cheapest_runs(count: int, cost: Callable[[int, int], int | None]) -> list[tuple[int, int]]:
    """How to cut `count` things in a row into runs that cost least together: the first of each, and one past its last.

    Args:
        cost: of the run from `begin` to before `end`; None where it is not allowed, nor any longer one with that end.
            A run of one is always allowed. For each end it is called with `begin` falling from `end - 1`.
    """
    best: list[tuple[int, int]] = [(0, 0)]  # of the first i things: the least cost, and where the last run begins
    for end in range(1, count + 1):
        choices = []
        for begin in range(end - 1, -1, -1):
            price = cost(begin, end)
            if price is None:
                break
            choices.append((best[begin][0] + price, begin))
        best.append(min(choices))
    runs, end = [], count
    while end:
        runs.append((best[end][1], end))
        end = best[end][1]
    return runs[::-1]
