"""The HTTP beneath a judge: errors in a form of their own are given the form that the client knows."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from workbench.score.judge.address import is_here

CONNECT = 8.0
"""Seconds to wait for a connection, which takes far less where anything listens."""

_BY_CODE = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded_error": 503,
    "server_error": 500,
    "internal_error": 500,
    "api_error": 500,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "model_not_found": 404,
}
_TOO_LONG = 1e9  # a number of seconds above this is a date
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def http_client(openai: Any, address: str) -> Any:
    """The HTTP client for an address: proxies of the environment are used, except for this machine's own servers."""
    return openai.DefaultHttpxClient(trust_env=not is_here(address), event_hooks={"response": [name_errors]})


def name_errors(response: Any) -> None:
    """Give an error in a reply of status 200 its own status, and a limit of the rate its `retry-after`.

    The client then treats both as it treats every error: it waits and asks again, or raises. Where the account has
    nothing left, it does not ask again.
    """
    if response.status_code == 200:
        response.read()
        status = status_within(response.content)
        if status is not None:
            response.status_code = status
    if response.status_code == 429 and b"insufficient_quota" in response.read():
        response.headers["x-should-retry"] = "false"
    elif response.status_code == 429 and not {"retry-after", "retry-after-ms"} & set(response.headers):
        seconds = seconds_to_reset(response.headers, now=time.time())
        if seconds is not None:
            response.headers["retry-after"] = f"{max(seconds, 0.001):.3f}"


def status_within(content: bytes) -> int | None:
    """The HTTP status of the error that a body holds instead of a completion; None if it holds none.

    Example:
        >>> status_within(b'{"error": {"code": 429, "message": "slow down"}}')
        429
        >>> status_within(b'{"choices": [], "error": null}')
    """
    try:
        body = json.loads(content)
    except ValueError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    if not error or body.get("choices"):
        return None
    codes = [error.get(name) for name in ("code", "status", "type")] if isinstance(error, dict) else []
    for code in codes:
        if isinstance(code, int | str) and str(code).isdigit() and 400 <= int(code) < 600:
            return int(code)
        if isinstance(code, str) and code in _BY_CODE:
            return _BY_CODE[code]
    return 400


def seconds_to_reset(headers: Mapping[str, str], *, now: float) -> float | None:
    """How long a server's `x-ratelimit-reset` headers ask to wait; None if they do not say.

    A server with several limits says of each when it is reset; those count of which nothing remains, or else all. A
    value is a duration (`1m3.5s`, `20ms`), seconds, or a date in seconds or milliseconds.

    Example:
        >>> headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m3.5s"}
        >>> seconds_to_reset(headers | {"x-ratelimit-reset-requests": "9m"}, now=0.0)
        63.5
    """
    resets = {name.lower(): value for name, value in headers.items() if "ratelimit-reset" in name.lower()}
    spent = [name for name in resets if headers.get(name.replace("reset", "remaining"), "").strip() in ("0", "0.0")]
    waits = [wait for name in spent or resets if (wait := _seconds(resets[name], now)) is not None]
    return max(waits) if waits else None


def _seconds(text: str, now: float) -> float | None:
    written = text.strip()
    try:
        number = float(written)
    except ValueError:
        parts = _DURATION.findall(written)
        if not parts or "".join(number + unit for number, unit in parts) != written:
            return None
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    if number > _TOO_LONG * 1000:
        number /= 1000
    return max(number - now, 0.0) if number > _TOO_LONG else max(number, 0.0)
