"""Ray addresses where nothing listens, or something else: told in seconds, with where the address comes from."""

import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

import workbench as wb
from workbench import cli
from workbench.model import reaching
from workbench.model.reaching import joined, reach_cluster


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(reaching, "PATIENCE", 1.5)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))


@pytest.fixture
def dead() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """A port that answers a greeting with the bytes of the list, or with nothing."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                for answer in answers:
                    connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", answers
        for connection in held:
            connection.close()


SETTINGS = bytes((0, 0, 6, 4, 0, 0, 0, 0, 0)) + bytes(6)


def left_over(folder: Path, address: str) -> Path:
    file = folder / "ray" / "ray_current_cluster"
    file.parent.mkdir(exist_ok=True)
    file.write_text(address + "\n", encoding="utf-8")
    return file


def test_what_is_asked_for_is_what_ray_gets(listening: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address, answers = listening
    answers.append(SETTINGS)
    assert [reach_cluster(each) for each in (None, "local", "auto", address, f"ray://{address}")] == [
        None,
        "local",
        "auto",
        address,
        f"ray://{address}",
    ]
    left_over(tmp_path, address)
    assert reach_cluster(None) == reach_cluster("auto") == address
    monkeypatch.setenv("RAY_ADDRESS", f"ray://{address}")
    assert reach_cluster(None) == reach_cluster("auto") == f"ray://{address}"
    assert reach_cluster("local") == "local"
    monkeypatch.setenv("RAY_ADDRESS", "anyscale://project")
    assert reach_cluster(None) == "anyscale://project"


def test_a_dead_address_is_told_with_where_it_comes_from(
    dead: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for address in (dead, f"ray://{dead}"):
        with pytest.raises(ConnectionError, match=f"at {address}, from the address that was given: Connection refused"):
            reach_cluster(address)
    file = left_over(tmp_path, dead)
    with pytest.warns(UserWarning, match=f"{file} names a Ray cluster at {dead}, but Connection refused: a local one"):
        assert reach_cluster(None) == "local"
    with pytest.raises(ConnectionError, match=f"at {dead}, from {file}"):
        reach_cluster("auto")
    monkeypatch.setenv("RAY_ADDRESS", dead)
    for address in (None, "auto"):
        with pytest.raises(ConnectionError, match="from the environment variable RAY_ADDRESS.*and unset RAY_ADDRESS"):
            reach_cluster(address)
    with pytest.raises(ConnectionError, match="no-such-machine.invalid:6379"):
        reach_cluster("no-such-machine.invalid:6379")


@pytest.mark.parametrize("address", ["machine", "machine:port", ":6379", "machine:0", "machine:70000", "[::1]"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="A Ray address is HOST:PORT, ray://HOST:PORT, auto or local, but"):
        reach_cluster(address)


def test_what_listens_and_is_no_ray_is_told(listening: Any) -> None:
    address, answers = listening
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=f"at {address}, .*: (timed out|no answer within 1.5 s)"):
        reach_cluster(address)
    assert time.monotonic() - began < 3
    answers.append(b"-ERR unknown command\r\n")
    with pytest.raises(ConnectionError, match="what listens there is no Ray"):
        reach_cluster(address)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        with pytest.raises(ConnectionError, match="what listens there is no Ray"):
            reach_cluster(f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


def test_what_ray_says_is_one_line(dead: str) -> None:
    def init(**settings: Any) -> None:
        raise RuntimeError("Version mismatch:\n  the cluster has 1\n  this process has 2.")

    ray = SimpleNamespace(init=init)
    with pytest.raises(ConnectionError) as caught:
        joined(ray, None)
    said = "A local Ray cluster cannot be started: Version mismatch: the cluster has 1 this process has 2."
    assert str(caught.value) == said
    with pytest.raises(ConnectionError, match="No Ray cluster answers"):
        joined(ray, dead)


def test_the_command_line_and_a_study_ask_before_any_work(
    dead: str,
    model: wb.Model,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*arguments: Any, **settings: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(wb, "load_model", never)
    asked = ["capture", "--trait", "Openness", "--out", str(tmp_path / "out"), "--engine", "ray"]
    for given in (["--address", dead], []):
        monkeypatch.setenv("RAY_ADDRESS", "" if given else dead)
        monkeypatch.setattr(sys, "argv", ["workbench", *asked, *given])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        err = capsys.readouterr().err
        assert (ended.value.code, err.count("\n")) == (2, 1)
        assert f"workbench: No Ray cluster answers at {dead}" in err
    config = wb.StudyConfig(engine="ray", address=dead)
    with pytest.raises(ConnectionError, match=f"No Ray cluster answers at {dead}"):
        wb.run_study(config, tmp_path / "study", model=model)
    assert not (tmp_path / "study").exists()
