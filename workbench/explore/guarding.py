"""What a page on this machine answers, and to whom: this machine's own browser, and nobody else."""

from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LARGEST = 1_000_000  # bytes of a request


def guard(server: Flask, script_hashes: Callable[[], list[str]]) -> None:
    """Refuse requests that another site or host sends, and tell browsers to load nothing from elsewhere.

    A page of another site can have a browser send requests here, and can have its own name point here (DNS rebinding):
    the Host header then is not this machine's, or the Origin header not this page's.

    Args:
        script_hashes: gives the hashes of the page's inline scripts, once it is whole.
    """
    server.config["MAX_CONTENT_LENGTH"] = _LARGEST
    hashes: list[str] = []

    @server.before_request
    def from_here() -> None:
        if _name_of(request.headers.get("Host", "")) not in LOOPBACK:
            _refuse("This page answers to 127.0.0.1 and localhost alone.")
        origin = request.headers.get("Origin")
        elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("Host")
        sent_by = request.headers.get("Sec-Fetch-Site", "none")
        # A link from elsewhere may open the page itself, but call nothing of it.
        opens = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
        if elsewhere or (sent_by not in ("same-origin", "none") and not opens):
            _refuse("This page takes no requests from other sites.")

    @server.after_request
    def closed(response: Response) -> Response:
        if not hashes:
            hashes.extend(script_hashes())
        response.headers.update(
            {
                "Content-Security-Policy": "; ".join(
                    (
                        "default-src 'none'",
                        f"script-src 'self' {' '.join(hashes)}",
                        "style-src 'self' 'unsafe-inline'",  # plotly and Dash style elements one by one
                        "img-src 'self' data: blob:",
                        "font-src 'self' data:",
                        "connect-src 'self'",
                        "base-uri 'none'",
                        "form-action 'none'",
                        "frame-ancestors 'none'",
                    )
                ),
                "X-Content-Type-Options": "nosniff",
                "X-Frame-Options": "DENY",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
            }
        )
        return response


def _refuse(why: str) -> NoReturn:
    abort(Response(f"{why}\n", 403, mimetype="text/plain"))


def _name_of(host: str) -> str:
    """A Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
