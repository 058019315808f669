"""What came back of a request: its only choice, its usage, or why there is none."""

from typing import Any

from workbench.score.judge.refusing import is_web_page, message_in

NO_CONNECTION = "no connection"


class WebPage(ValueError):
    """A web page came where a completion was expected: the address is not that of an endpoint."""


def only_choice(completion: Any) -> Any:
    """The reply in a completion.

    Raises:
        WebPage: if it is a web page.
        ValueError: if the completion holds none.
    """
    if is_web_page(completion):
        raise WebPage(message_in(completion))
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise ValueError(repr(completion))
    return choices[0]


def usage_of(completion: Any) -> dict[str, Any] | None:
    """How many tokens a completion took, if it says so."""
    usage = getattr(completion, "usage", None)
    if usage is None:
        return None
    return {name: getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")}


def is_elsewhere(error: Exception) -> bool:
    """Whether an error says that the address holds no such endpoint, or not this model."""
    return isinstance(error, WebPage) or getattr(error, "status_code", None) in (404, 405)


def is_spent(error: Exception) -> bool:
    """Whether an error says that the account has nothing left to ask with."""
    return getattr(error, "status_code", None) == 402 or getattr(error, "code", None) == "insufficient_quota"


def reason(error: Exception, late: str) -> str:
    """An error in one line: the server's own message where there is one.

    Args:
        late: what is said of a reply that did not come in time.
    """
    import openai

    if isinstance(error, openai.APITimeoutError):
        return late
    if isinstance(error, openai.APIConnectionError):
        return why_unconnected(error)
    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}, {message_in(error.body or error.response.text) or 'without a message'}"
    return f"a reply that is no chat completion ({message_in(str(error))})"


def why_unconnected(error: BaseException) -> str:
    """Why there was no connection, as far as its causes say."""
    deepest = error
    while deepest.__cause__ is not None and str(deepest.__cause__):
        deepest = deepest.__cause__
    return f"{NO_CONNECTION} ({message_in(str(deepest))})"
