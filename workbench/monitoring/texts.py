"""What is monitored: raw texts, prompts, prompts with answers and conversations, as tokens that know their part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from workbench.contrast.prompt import Prompt
from workbench.model.model import Model
from workbench.model.rendering import Rendering
from workbench.model.text import rendered_tokens, token_texts

Conversation: TypeAlias = Sequence[Mapping[str, str]]
"""Turns with `role` and `content`."""

TEMPLATE = "template"
"""The part of tokens that nobody wrote: those of the chat template and special ones."""


@dataclass(frozen=True)
class WatchedText:
    """One text as the model reads it.

    Attributes:
        tokens: token ids.
        texts: what each token adds to the text.
        parts: whose each token is: `text` of a raw text; the role of its turn, `system`, `user`, `assistant` or
            another, in a chat; `prompt` where turns cannot be told apart; `template` for all other tokens.
        start: how many tokens come before the answer; 0 in a raw text.
    """

    tokens: list[int]
    texts: list[str]
    parts: list[str]
    start: int

    @property
    def content(self) -> list[bool]:
        """Which tokens somebody wrote. The first of all is left out: models park large activations there."""
        return [part != TEMPLATE and position > 0 for position, part in enumerate(self.parts)]


def watched_texts(model: Model, texts: Any) -> list[WatchedText]:
    """Each text as the model reads it.

    Args:
        texts: one, or a list: a string is raw text; a `Prompt` is rendered as everywhere; a tuple is a prompt (a string
            in it is a user's turn) and the answer that follows; a list of turns with `role` and `content` is a
            conversation.

    Raises:
        ValueError: for none, an empty one, or one of another kind.
    """
    several = _several(texts)
    if not several:
        raise ValueError("Monitoring needs at least 1 text, but none arrived.")
    return [_watched(model, text) for text in several]


def _several(texts: Any) -> list[Any]:
    if isinstance(texts, str | Prompt | tuple) or _is_conversation(texts):
        return [texts]
    return list(texts)


def _is_conversation(text: Any) -> bool:
    return isinstance(text, Sequence) and not isinstance(text, str) and bool(text) and isinstance(text[0], Mapping)


def _watched(model: Model, text: Any) -> WatchedText:
    if isinstance(text, str):
        text = Prompt(text, chat=False)
    if isinstance(text, Prompt) and not text.chat:
        ids = model.tokens(text)[0]
        special = set(model.tokenizer.all_special_ids)
        return WatchedText(ids, _texts(model, ids), [TEMPLATE if each in special else "text" for each in ids], 0)
    if isinstance(text, Prompt):
        return _of_prompt(model, text, "")
    if isinstance(text, tuple) and len(text) == 2 and isinstance(text[0], str | Prompt) and isinstance(text[1], str):
        asked, answer = text
        return _of_prompt(model, asked if isinstance(asked, Prompt) else Prompt(asked), answer)
    if _is_conversation(text):
        return _of_conversation(model, text)
    raise ValueError(
        f"A text to monitor is a string, a Prompt, a (prompt, answer) pair or a list of turns with role and content, "
        f"but {text!r:.80} arrived."
    )


def _of_prompt(model: Model, prompt: Prompt, answer: str) -> WatchedText:
    asked = model.tokens(prompt)[0]
    given = model.answer_tokens([answer])[0] if answer else []
    ids = [*asked, *given]
    texts = _texts(model, ids)
    turns = prompt.messages if prompt.chat else [{"role": "text", "content": prompt.user}]
    parts = _parts(model, asked, texts[: len(asked)], turns) + ["assistant"] * len(given)
    return WatchedText(ids, texts, parts, len(asked))


def _of_conversation(model: Model, turns: Conversation) -> WatchedText:
    for turn in turns:
        if not isinstance(turn.get("role"), str) or not isinstance(turn.get("content"), str):
            raise ValueError(
                f"A turn of a conversation has a role and a content, both texts, but {turn!r:.80} arrived."
            )
    if not any(turn["content"].strip() for turn in turns):
        raise ValueError("A conversation needs a text, but all its turns are empty.")
    answered = turns[-1]["role"] == "assistant"
    if model.rendering is Rendering.PLAIN:
        ids = model.tokens(Prompt("\n\n".join(turn["content"] for turn in turns), chat=False))[0]
    else:
        ids = rendered_tokens(model.tokenizer, [model.conversation(turns, open_turn=not answered)])[0]
    texts = _texts(model, ids)
    parts = _parts(model, ids, texts, turns)
    start = len(ids)
    if answered:
        while start and parts[start - 1] == "assistant":
            start -= 1
    return WatchedText(ids, texts, parts, start)


def _texts(model: Model, ids: Sequence[int]) -> list[str]:
    if not ids:
        raise ValueError("A text to monitor has tokens, but one renders to none.")
    return token_texts(model.tokenizer, ids)


def _parts(model: Model, ids: Sequence[int], texts: Sequence[str], turns: Conversation) -> list[str]:
    """Whose each token is, found by looking for the turns one after the other in the tokens' text.

    Case and spaces are passed over, as some tokenizers and templates change them.
    """
    owner: list[int] = []  # of each character that counts, the token that it stands in
    compact: list[str] = []
    for number, text in enumerate(texts):
        for sign in _compact(text):
            compact.append(sign)
            owner.append(number)
    whole, cursor = "".join(compact), 0
    parts = [TEMPLATE] * len(ids)
    special = set(model.tokenizer.all_special_ids)
    for turn in turns:
        wanted = _compact(turn["content"])
        at = whole.find(wanted, cursor)
        if not wanted:
            continue
        if at < 0:
            return [TEMPLATE if each in special else "prompt" for each in ids]
        first, last = owner[at], owner[at + len(wanted) - 1]
        while first and not texts[first - 1]:  # tokens that make a character together
            first -= 1
        parts[first : last + 1] = [str(turn["role"])] * (last + 1 - first)
        cursor = at + len(wanted)
    return parts


def _compact(text: str) -> str:
    return "".join(sign for sign in text.lower() if not sign.isspace())
