"""A page served on this machine's loopback address until Ctrl-C."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOST = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    """Answers without a line for each request."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


class Listener:
    """A loopback port that is taken, and whose requests wait until they are served.

    Attributes:
        address: of the page.
    """

    def __init__(self, taken: socket.socket) -> None:
        self._socket = taken
        self.port = int(taken.getsockname()[1])
        self.address = f"http://{HOST}:{self.port}/"
        self._made: BaseWSGIServer | None = None

    def serve(self, server: Flask) -> None:
        """Answer requests, each in a thread, until Ctrl-C, or `stop` from another thread."""
        # Werkzeug ends the process itself where a port is taken, so it is handed one that is bound already.
        self._made = make_server(
            HOST, self.port, server, threaded=True, request_handler=_Quiet, fd=self._socket.fileno()
        )
        try:
            self._made.serve_forever(poll_interval=0.1)
        finally:
            self._made.server_close()

    def stop(self) -> None:
        """Have `serve` return."""
        if self._made is not None:
            self._made.shutdown()


@contextmanager
def listening(port: int) -> Iterator[Listener]:
    """Take a port of 127.0.0.1; 0 takes any that is free.

    Raises:
        ValueError: for a number that is no port.
        OSError: if the port is in use, or may not be used.
    """
    check_port(port)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        if os.name == "posix":  # elsewhere it would share a port that is in use
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((HOST, port))
            taken.listen(64)
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise OSError(f"Port {port} {why}. Choose another with --port, or 0 for any that is free.") from None
        yield Listener(taken)


def check_port(port: int) -> None:
    """Refuse what is no port.

    Raises:
        ValueError: naming it.
    """
    if not 0 <= port < 65536:
        raise ValueError(f"A port lies from 0 to 65535, but {port} arrived.")
