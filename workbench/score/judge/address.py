"""Where an endpoint is: its address as people write it, as a client wants it, and as it is shown."""

import ipaddress
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_ENDS = ("/chat/completions", "/completions", "/responses", "/models")
"""Paths of single services, which people copy along with the base."""


def base_address(text: str) -> str:
    """The base URL of an endpoint, without the path of a single service and without a slash at its end.

    Without a scheme, a machine of one's own gets `http://` and any other `https://`. A query is kept.

    Raises:
        ValueError: if it names no machine, or has another scheme than http or https.

    Example:
        >>> base_address("localhost:8000/v1/chat/completions/")
        'http://localhost:8000/v1'
        >>> base_address("https://example.org/v1/?api-version=1")
        'https://example.org/v1?api-version=1'
    """
    written = text.strip()
    if "://" not in written:
        written = f"{'http' if is_here('http://' + written) else 'https'}://{written}"
    try:
        parts = urlsplit(written)
        known = bool(parts.hostname) and parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"An endpoint is written like http://localhost:8000/v1, but {text!r} arrived.")
    path = parts.path.rstrip("/")
    for end in _ENDS:
        path = path.removesuffix(end).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def with_version(address: str) -> str | None:
    """The address with `/v1` at its end, where most servers answer; None if it names a version already.

    Example:
        >>> with_version("http://localhost:8000"), with_version("http://localhost:8000/v1")
        ('http://localhost:8000/v1', None)
    """
    parts = urlsplit(address)
    last = parts.path.rpartition("/")[2]
    if last[:1] == "v" and last[1:2].isdigit():
        return None
    return urlunsplit((parts.scheme, parts.netloc, f"{parts.path}/v1", parts.query, ""))


def shown(address: str) -> str:
    """The address without user, password or query.

    Example:
        >>> shown("https://user:word@example.org/v1?key=secret")
        'https://example.org/v1'
    """
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_query(address: str) -> tuple[str, dict[str, str]]:
    """The address and its query apart."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), dict(parse_qsl(parts.query))


def is_here(address: str) -> bool:
    """Whether the address is of this machine, which no proxy reaches.

    Example:
        >>> is_here("http://127.0.0.1:8000/v1"), is_here("http://[::1]/v1"), is_here("https://example.org")
        (True, True, False)
    """
    try:
        host = (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    return number.is_loopback or number.is_unspecified
