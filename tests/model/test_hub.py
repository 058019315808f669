"""Names of the hub where the hub does not answer: a line in seconds, or what the cache holds."""

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from threading import Thread

import pytest
from huggingface_hub import constants

import workbench as wb
from tests.model.test_quantised import NF4, configured
from workbench.model import hub


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and no word from the user that the machine is offline."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "PATIENCE", 1.0)
    return tmp_path / "cache"


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    return address


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub that takes connections and never replies."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        yield address


def cached(cache: Path, checkpoint: Path, name: str) -> Path:
    """A checkpoint in the cache, as a download leaves it."""
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    return Path(copytree(checkpoint, place / "snapshots" / ("0" * 40)))


@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_a_hub_that_does_not_answer_is_told_in_seconds(online: Path, kind: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(kind)
    began = time.monotonic()
    with pytest.raises(FileNotFoundError, match=f"no model 'some/model': .* the hub at {address} does not answer"):
        wb.load_model("some/model")
    assert time.monotonic() - began < 5


def test_what_is_cached_is_loaded_without_the_hub(online: Path, dead: str, checkpoint: Path) -> None:
    cached(online, checkpoint, "some/model")
    with pytest.warns(UserWarning, match="The hub does not answer .*: some/model is loaded from the cache"):
        loaded = wb.load_model("some/model")
    assert loaded.fingerprint == wb.load_model(checkpoint).fingerprint
    assert constants.HF_HUB_OFFLINE is False


def test_a_quantised_model_of_the_hub_is_refused_before_it_is_loaded(
    online: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(cached(online, checkpoint, "some/model"), {"quantization_config": NF4})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="some/model holds weights quantised by bitsandbytes in 4 bits"):
        wb.load_model("some/model")


def test_a_hub_that_says_no_is_quoted(online: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("x-error-code", "RepoNotFound")
            self.send_header("content-length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", constants.ENDPOINT + "/{repo_id}/resolve/{revision}/{filename}"
    )
    try:
        with pytest.raises(FileNotFoundError, match="no model 'some/model': .* the hub did not give it") as told:
            wb.load_model("some/model")
    finally:
        server.shutdown()
        server.server_close()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["runs/one/model", "./model", "a model"])
def test_what_can_be_no_name_is_a_missing_folder(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no folder '{name}' here, and it is no name of the hub"):
        wb.load_model(name)
