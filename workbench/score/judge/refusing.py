"""What a server says when it refuses a request: its own words in one line, and the parameter that it does not take."""

import re
from collections.abc import Collection, Iterator
from typing import Any

_SHORT = 200
_DUMMIES = {"sk-no-key-required", "no-key-required", "no-api-key", "not-needed", "dummy-key", "placeholder"}
"""Texts of eight characters and more that people give to servers without keys."""
_LEAST_KEY = 8

_CODES = {"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden", "unrecognized_argument"}
_NOT_TAKEN = re.compile(
    r"(?:not|n't) (?:be )?(?:supported|support|permitted|allowed|accepted|accept)|unsupported|unrecogni[sz]ed|unknown|"
    r"unexpected|deprecated|extra inputs|only (?:the )?default",
    re.IGNORECASE,
)
_ONE_VALUE = re.compile(
    r"(?:must be|should be|has to be)(?: exactly| equal to| set to)? 1(?:\.0)?(?![\d.]*\d)|only 1(?:\.0)? is|"
    r"strictly positive",
    re.IGNORECASE,
)
"""How servers say that a temperature has one value only, or may not be 0."""
_INSTEAD = re.compile(r"\bmax_\w+")


def message_in(body: Any) -> str:
    """A server's own message, in one line: from an error object of any known shape, a web page, or a text."""
    if isinstance(body, dict):
        for name in ("message", "detail", "error", "msg"):
            if body.get(name):
                return message_in(body[name])
        return _line(str(body))
    if isinstance(body, list):
        return "; ".join(filter(None, map(_entry, body)))[:_SHORT]
    text = str(body or "")
    if is_web_page(text):
        title = re.search(r"<(title|h1)[^>]*>(.*?)</\1>", text, re.IGNORECASE | re.DOTALL)
        return f"a web page, {_line(title[2])!r}" if title and title[2].strip() else "a web page"
    return _line(text)


def is_web_page(text: object) -> bool:
    """Whether a reply is HTML."""
    return isinstance(text, str) and bool(re.match(r"\s*(?:<!doctype html|<html|<head|<body)", text, re.IGNORECASE))


def refused_parameter(body: Any, sent: Collection[str]) -> str | None:
    """The name among `sent` that an error says is not taken, or not with this value; None if it says neither.

    Example:
        >>> body = {"message": "Unsupported parameter: 'max_tokens' is not supported with this model.", "param": None}
        >>> refused_parameter(body, ["temperature", "max_tokens"])
        'max_tokens'
        >>> refused_parameter({"message": "max_tokens is too large: 99999."}, ["max_tokens"])
    """
    text = message_in(body)
    codes = {str(each.get(name)) for each in _parts(body) for name in ("code", "type")}
    named = [str(place) for each in _parts(body) for place in _places(each)]
    named += [match[0] for match in re.finditer(r"\w+", text)]
    found = next((name for name in named if name in sent), None)
    if found is None:
        return None
    taken = not (codes & _CODES or _NOT_TAKEN.search(text))
    return None if taken and not (found == "temperature" and _ONE_VALUE.search(text)) else found


def other_limit(body: Any, refused: str) -> str | None:
    """The parameter that a server wants in place of a limit that it refuses; None if it names none."""
    return next((name for name in _INSTEAD.findall(message_in(body)) if name != refused), None)


def without_keys(text: str, keys: Collection[str]) -> str:
    """A text in which each key stands as `***`, where it is a whole word; words that are no key are left.

    Example:
        >>> without_keys("max tokens, key sk-1234567890", ["x", "sk-1234567890"])
        'max tokens, key ***'
    """
    for key in keys:
        if is_key(key):
            text = re.sub(rf"(?<![\w-]){re.escape(key)}(?![\w-])", "***", text)
    return text


def is_key(text: str) -> bool:
    """Whether a text can be a key, rather than what is given to servers without keys."""
    return len(text) >= _LEAST_KEY and text.lower() not in _DUMMIES and len(set(text)) > 2


def _parts(body: Any) -> Iterator[dict[str, Any]]:
    """Every object within an error."""
    for each in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _parts(each)
    if isinstance(body, dict):
        yield body


def _places(part: dict[str, Any]) -> list[Any]:
    location = part.get("loc")
    return [str(part.get("param") or "").partition(".")[0], *(location if isinstance(location, list) else ())]


def _entry(part: Any) -> str:
    if not isinstance(part, dict):
        return message_in(part)
    place = ".".join(map(str, part["loc"])) if isinstance(part.get("loc"), list) else ""
    return f"{place}: {message_in(part)}" if place else message_in(part)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= _SHORT else line[:_SHORT].rsplit(" ", 1)[0] + " ...").rstrip(".")
