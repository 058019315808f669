"""Whether a Ray cluster is there, found out in seconds: Ray itself asks a dead address for minutes."""

import os
import socket
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from threading import Thread
from typing import Any

PATIENCE = 8.0
"""Seconds in which a cluster must take a connection and greet."""
RAY_ADDRESS = "RAY_ADDRESS"
_CLIENT_PORT = 10_001
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""The beginning of HTTP/2, which Ray's servers speak: its preface, and empty settings."""
_SETTINGS = 4


@dataclass(frozen=True)
class Cluster:
    """An address that was asked for.

    Attributes:
        address: as `ray.init` takes it; None for a local cluster that is started for the run.
        given: where the address comes from, in words.
        is_left_over: whether a cluster that ran here wrote it, rather than a person.
    """

    address: str | None
    given: str = ""
    is_left_over: bool = False


def reach_cluster(address: str | None) -> str | None:
    """The address to give to `ray.init`, after something that can be Ray has answered there.

    Args:
        address: `HOST:PORT`, `ray://HOST:PORT`, `auto` or `local`; by default that of RAY_ADDRESS, then the cluster
            that was last started on this machine, then none, for a local one.

    Raises:
        ConnectionError: if nothing answers there within `PATIENCE` seconds, or something else than Ray.
        ValueError: if it is no address.
    """
    cluster = _asked(address)
    if cluster.address in (None, "local", "auto"):
        return cluster.address
    place = _host_and_port(cluster)
    if place is None:
        return cluster.address
    problem = _problem(*place)
    if problem is None:
        return cluster.address
    if cluster.is_left_over and address is None:
        warnings.warn(
            f"{cluster.given} names a Ray cluster at {cluster.address}, but {problem}: a local one is started. "
            "`ray stop` removes the file.",
            stacklevel=2,
        )
        return "local"
    raise ConnectionError(
        f"No Ray cluster answers at {cluster.address}, from {cluster.given}: {problem}. Start it there with `ray start "
        f"--head`, give another address, or leave it out{_unset(cluster)} for a local cluster."
    )


def _asked(address: str | None) -> Cluster:
    """The address by Ray's own rule, and where it comes from."""
    if address not in (None, "", "auto"):
        return Cluster(address, "the address that was given")
    if os.environ.get(RAY_ADDRESS):
        return Cluster(os.environ[RAY_ADDRESS].strip(), f"the environment variable {RAY_ADDRESS}")
    folder = (
        os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or ("/tmp" if os.name == "posix" else gettempdir())
    )
    file = Path(folder) / "ray" / "ray_current_cluster"
    try:
        last = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        last = ""
    return Cluster(last, str(file), True) if last else Cluster(address or None)


def _unset(cluster: Cluster) -> str:
    return f" and unset {RAY_ADDRESS}" if RAY_ADDRESS in cluster.given else ""


def _host_and_port(cluster: Cluster) -> tuple[str, int] | None:
    """Where to connect; None for kinds of address that only Ray understands."""
    scheme, mark, rest = str(cluster.address).rpartition("://")
    if mark and scheme != "ray":
        return None
    place = rest.partition("/")[0].partition("?")[0]
    host, colon, port = place.rpartition(":")
    if mark and not colon:
        host, port = place, str(_CLIENT_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(
            f"A Ray address is HOST:PORT, ray://HOST:PORT, auto or local, but {cluster.address!r} arrived from "
            f"{cluster.given}."
        )
    return host, int(port)


def _problem(host: str, port: int) -> str | None:
    """What speaks against a Ray cluster at a port; None if it can be one."""
    found: list[str | None] = []
    asking = Thread(target=lambda: found.append(_greeted(host, port)), daemon=True)
    asking.start()
    asking.join(PATIENCE)  # a name that nobody resolves can take longer than any connection
    return found[0] if found else f"no answer within {PATIENCE:g} s"


def _greeted(host: str, port: int) -> str | None:
    try:
        with socket.create_connection((host, port), timeout=PATIENCE - 1) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return None
            connection.sendall(_GREETING)
            answer = b""
            while len(answer) < 9 and (part := connection.recv(9 - len(answer))):
                answer += part
    except OSError as error:
        return f"{error.strerror or error}"
    return None if len(answer) == 9 and answer[3] == _SETTINGS else "what listens there is no Ray"


def check_cluster(address: str | None) -> None:
    """Refuse an address where no cluster answers, before anything is computed; a process that is connected needs none.

    Raises:
        ConnectionError, ValueError: as `reach_cluster`.
    """
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `joined` will tell
            reach_cluster(address)


def joined(ray: Any, address: str | None) -> None:
    """Connect Ray to the cluster at an address, or start a local one.

    Raises:
        ConnectionError: if there is none, or Ray cannot join it; one line.
        ValueError: if it is no address.
    """
    place = reach_cluster(address)
    try:
        ray.init(address=place, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError, ImportError, TimeoutError) as error:
        where = "A local Ray cluster cannot be started" if place in (None, "local") else f"Ray at {place} is not joined"
        raise ConnectionError(f"{where}: {' '.join(str(error).split())[:300].rstrip('.')}.") from error
