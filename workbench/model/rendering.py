"""Turns prompts into token ids; every floor renders prompts here, so that all render them alike."""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from workbench.contrast.prompt import Prompt
from workbench.model.template import CLOCK, DAY, apply_template, asks_the_day, checked_variables
from workbench.model.text import rendered_tokens, text_tokens, without_bos


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


def rendering_of(tokenizer: PreTrainedTokenizerBase, variables: Mapping[str, Any] | None = None) -> Rendering:
    """How `render` turns chat prompts into text with this tokenizer."""
    if not tokenizer.chat_template:
        return Rendering.PLAIN
    return Rendering.TEMPLATE if takes_system(tokenizer, variables) else Rendering.SYSTEM_BEFORE_USER


def takes_system(tokenizer: PreTrainedTokenizerBase, variables: Mapping[str, Any] | None = None) -> bool:
    """Whether the chat template renders a system prompt; some templates refuse it and some drop it silently."""
    if not tokenizer.chat_template:
        return False
    probe = [{"role": "system", "content": "QQSYSTEMQQ"}, {"role": "user", "content": "Hello."}]
    try:
        return "QQSYSTEMQQ" in str(apply_template(tokenizer, probe, variables or {}, tokenize=False))
    except ValueError:
        return False


def render(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Prompt], variables: Mapping[str, Any] | None = None
) -> list[list[int]]:
    """Token ids of each prompt, up to where the answer begins.

    A chat prompt is written by the tokenizer's template, its special tokens included, and none is added. If the
    template takes no system prompt, it goes in front of the user's turn, with a blank line between. Without a template,
    a chat prompt becomes `system`, blank line, `user`, newline. Raw texts get the special tokens that the tokenizer
    adds by itself. BOS begins a prompt once, even if its text brings one. A template that asks for the day is told
    26 July 2024, so that a prompt is the same on any day; the variable `strftime_now` sets another.

    Args:
        variables: what the template is given besides, e.g. `{"enable_thinking": False}`; a prompt's own come before
            these. Raw texts take none.

    Raises:
        ValueError: for a prompt that renders to no tokens, or that the template refuses; for a variable that
            the template does not read, or that the workbench sets itself.
    """
    given = checked_variables(tokenizer, variables)
    kinds: dict[str, Rendering] = {}
    texts: dict[bool, list[str]] = {True: [], False: []}
    templated = []
    for prompt in prompts:
        own = {**given, **checked_variables(tokenizer, prompt.template)}
        if prompt.chat and repr(own) not in kinds:
            kinds[repr(own)] = rendering_of(tokenizer, own)
        kind = kinds[repr(own)] if prompt.chat else Rendering.PLAIN
        templated.append(kind is not Rendering.PLAIN)
        texts[templated[-1]].append(_text_of(tokenizer, prompt, kind, own))
    ids = {True: iter(rendered_tokens(tokenizer, texts[True])), False: iter(text_tokens(tokenizer, texts[False]))}
    rendered = [next(ids[each]) for each in templated]
    for prompt, tokens in zip(prompts, rendered, strict=True):
        if not tokens:
            raise ValueError(f"A prompt must have tokens, but {prompt.user!r} renders to none.")
    return rendered


def render_conversation(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Mapping[str, str]],
    variables: Mapping[str, Any] | None = None,
    *,
    open_turn: bool = True,
) -> str:
    """The text that the chat template makes of a conversation, special tokens included.

    `rendered_tokens` tokenises it; a single user's turn then gives what `render` makes of the same prompt. If the
    template takes no system prompt, it goes in front of the first user's turn.

    Args:
        messages: turns with `role` and `content`.
        variables: as in `render`.
        open_turn: whether the text ends where an answer begins. Otherwise the last turn, which is the assistant's, is
            left open so that it can be continued.

    Raises:
        ValueError: if the tokenizer has no chat template, or it refuses the conversation.
    """
    if not tokenizer.chat_template:
        raise ValueError("A conversation needs a chat template, but the tokenizer has none. Use chat=False.")
    given = checked_variables(tokenizer, variables)
    ending = {"add_generation_prompt": open_turn, "continue_final_message": not open_turn}
    return _conversation(tokenizer, messages, rendering_of(tokenizer, given), given, **ending)


def remarks(tokenizer: PreTrainedTokenizerBase, variables: Mapping[str, Any]) -> list[str]:
    """What a reader should know of how chat prompts are rendered here, a line each; nothing where all is plain."""
    how = rendering_of(tokenizer, variables)
    lines = [str(how)] if how.is_fallback else []
    if how is Rendering.PLAIN:
        return lines
    set_here = {name: value for name, value in variables.items() if name != CLOCK}
    if set_here:
        lines.append(f"template variables {', '.join(f'{name}={json.dumps(each)}' for name, each in set_here.items())}")
    if asks_the_day(tokenizer):
        day = variables.get(CLOCK, DAY.isoformat())
        lines.append(f"the chat template asks for the day and is told {day} on any day; {CLOCK} sets another")
    if _opens_thinking(tokenizer, variables):
        lines.append("the chat template opens the answer with <think>, so that thinking comes first")
    return lines


def _opens_thinking(tokenizer: PreTrainedTokenizerBase, variables: Mapping[str, Any]) -> bool:
    try:
        text = render_conversation(tokenizer, [{"role": "user", "content": "Hello."}], variables)
    except ValueError:
        return False
    return text.rstrip().endswith("<think>")


def _system_in_front(messages: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The messages with a leading system prompt moved into the first user's turn, followed by a blank line."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return list(messages)
    first = {**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def _conversation(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Mapping[str, str]],
    rendering: Rendering,
    variables: Mapping[str, Any],
    **settings: Any,
) -> str:
    """The text that the chat template makes of messages."""
    turns = [{**turn, "content": without_bos(tokenizer, turn["content"])} for turn in messages]
    turns = _system_in_front(turns) if rendering is Rendering.SYSTEM_BEFORE_USER else turns
    asked = str(messages[-1]["content"])
    return str(apply_template(tokenizer, turns, variables, asked=asked, tokenize=False, **settings))


def _text_of(
    tokenizer: PreTrainedTokenizerBase, prompt: Prompt, rendering: Rendering, variables: Mapping[str, Any]
) -> str:
    """The text of a prompt: what the template writes, or else plain text."""
    if not prompt.chat:
        return prompt.user
    if rendering is not Rendering.PLAIN:
        return _conversation(tokenizer, prompt.messages, rendering, variables, add_generation_prompt=True)
    return "\n\n".join(without_bos(tokenizer, turn["content"]) for turn in prompt.messages) + "\n"


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
