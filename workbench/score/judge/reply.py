"""Read the rating from a judge's reply, strictly: a reply that is not plainly one rating counts as none."""

import json
import re
from typing import Any

from workbench.score.items.numbers import plain_digits

RATING_SCHEMA: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "rating",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"rating": {"type": "integer", "enum": [1, 2, 3, 4, 5]}},
            "required": ["rating"],
            "additionalProperties": False,
        },
    },
}
"""The `response_format` that asks for one whole number from 1 to 5."""

_THOUGHT = re.compile(
    r"\s*(?:<(?P<tag>think|thinking|thought|reasoning)>.*?</(?P=tag)>|\[THINK\].*?\[/THINK\])"
    r"|.*</(?:think|thinking|thought|reasoning)>",  # some servers leave out the tag that opens
    re.DOTALL,
)
_OPENED = re.compile(r"\s*(?:<(?:think|thinking|thought|reasoning)>|\[THINK\])")
_THINKING = {"thinking", "reasoning", "redacted_thinking"}
_FENCE = re.compile(r"```(?:json)?\s*(?P<inside>.*?)\s*```", re.DOTALL)
_PLAIN = re.compile(
    r"(?:rating\s*[:=]\s*)?(?P<digit>[1-5])(?:\.0+)?(?:\s*(?:/|out of)\s*5(?:\.0+)?)?\.?", re.IGNORECASE
)
_MARKS = re.compile(r"\*\*|__|`|(?<!\w)[*_]|[*_](?!\w)")
"""Marks of emphasis in Markdown."""


def parse_rating(reply: str) -> int | None:
    """The rating that a reply gives.

    A rating is a JSON object whose `rating` is a whole number from 1 to 5, or the number alone, also as `Rating: 4`,
    `4/5`, `4 out of 5` or `4.0`, with or without emphasis, in digits of any script. A model's thoughts before it are
    skipped: text between tags such as `<think>`, or up to a closing one.

    Returns:
        The rating; None for anything else: several numbers, ranges, fractions, other scales, words, numbers outside 1
        to 5.

    Example:
        >>> (
        ...     parse_rating('{"rating": 4.0}'),
        ...     parse_rating("Rating: **4**"),
        ...     parse_rating("4/5"),
        ...     parse_rating("4 out of 5"),
        ... )
        (4, 4, 4, 4)
        >>> parse_rating("4 or 5"), parse_rating("3-4"), parse_rating("4.5"), parse_rating("4/10")
        (None, None, None, None)
    """
    text = without_thoughts(reply)
    fenced = _FENCE.fullmatch(text)
    text = fenced["inside"] if fenced else text
    if text.startswith("{"):
        try:
            content = json.loads(text, object_pairs_hook=_without_repeats)
        except ValueError:
            return None
        value = content.get("rating")
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value) if value in (1, 2, 3, 4, 5) else None
        text = value.strip() if isinstance(value, str) else ""
    match = _PLAIN.fullmatch(_MARKS.sub("", plain_digits(text)).strip(" \t\n\"'"))
    return int(match["digit"]) if match else None


def without_thoughts(reply: str) -> str:
    """The part of a reply that follows the model's thoughts; nothing if they were cut off.

    Example:
        >>> without_thoughts("<think>2 or 5?</think> 4"), without_thoughts("2 or 5?</think>4"), without_thoughts("4")
        ('4', '4', '4')
        >>> without_thoughts("<think>2 or")
        ''
    """
    match = _THOUGHT.match(reply)
    if match is not None:
        return reply[match.end() :].strip()
    return "" if _OPENED.match(reply) else reply.strip()


def text_of(content: Any) -> tuple[str, str | None]:
    """The text of a message's content, and the refusal within it, if any: content is a text or a list of parts.

    Example:
        >>> text_of([{"type": "thinking", "thinking": "2?"}, {"type": "text", "text": "4"}])
        ('4', None)
    """
    if content is None or isinstance(content, str):
        return content or "", None
    parts = [each if isinstance(each, dict) else vars(each) if hasattr(each, "__dict__") else {"text": str(each)}
             for each in (content if isinstance(content, list) else [content])]  # fmt: skip
    refusals = [str(part["refusal"]) for part in parts if part.get("refusal")]
    texts = [str(part.get("text") or "") for part in parts if part.get("type") not in _THINKING]
    return "".join(texts), " ".join(refusals) or None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("an entry comes twice")
    return dict(pairs)
