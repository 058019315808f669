"""A finished study on the command line: its page, a port in use, Ctrl-C, and mistakes in one line."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import workbench as wb
from tests.cli_process import run_alone
from workbench.cli import main

pytest.importorskip("dash", reason="the page needs the extra explore")


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = wb.StudyConfig(
        traits=("Extraversion",),
        pairs=20,
        quantile=0.99,
        quantiles=(),
        arms=("DPN-LE", "random"),
        gammas=(1.0,),
        outcomes=("answers", "capability"),
        search_questions=1,
        draws=2,
        test_questions=2,
        items_per_task=1,
        patching_pairs=6,
        permutations=19,
        resamples=100,
    )
    return wb.run_study(config, tmp_path_factory.mktemp("cli") / "study", model=model).folder


def started(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", "explore", *arguments, "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_it_serves_loopback_alone_until_ctrl_c(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = started(str(study), "--port", "0")
    try:
        assert running.stderr is not None
        lines = [running.stderr.readline(), running.stderr.readline()]
        found = re.search(r"(http://127\.0\.0\.1:(\d+)/)", lines[-1])
        assert found is not None, lines
        assert status(found[1]) == 200
        assert status(found[1], Host="evil.example") == 403
        with socket.socket() as other:  # another of this machine's addresses is still free at that port
            other.bind(("127.0.0.2", int(found[2])))
        said = mistaken(monkeypatch, capsys, str(study), "--port", found[2])
        assert said == f"workbench: Port {found[2]} is in use. Choose another with --port, or 0 for any that is free.\n"
        running.send_signal(signal.SIGINT)
        begun = time.monotonic()
        out, rest = running.communicate(timeout=20)
        assert time.monotonic() - begun < 10
    finally:
        running.kill()
    assert running.returncode == 0
    assert out == ""
    assert rest == "stopped.\n"


def mistaken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `workbench explore` says of a mistake, which ends it with status 2."""
    monkeypatch.setattr(sys, "argv", ["workbench", "explore", *arguments, "--no-browser"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no study in nowhere: it has no manifest.json and study.toml."),
        (["nowhere", "--port", "70000"], "A port lies from 0 to 65535, but 70000 arrived."),
        (["nowhere", "--host", "0.0.0.0"], "No such option: --host"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = mistaken(monkeypatch, capsys, *arguments)
    assert told.startswith(f"workbench: {said}")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(("command", "what"), [("figures", "figure"), ("tables", "table")])
def test_an_unknown_name_is_one_line_and_imports_no_library(study: Path, command: str, what: str) -> None:
    before = sorted(study.rglob("*"))
    ended = run_alone(command, str(study), "--only", "pie", cwd=study.parent)
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert f"has no {what} 'pie'; " in ended.err
    assert ended.imported == ()
    assert sorted(study.rglob("*")) == before


def test_tables_are_written_without_torch(study: Path, tmp_path: Path) -> None:
    ended = run_alone("tables", str(study), "--only", "equal-dose", "--out", "here", cwd=tmp_path)
    assert (ended.status, ended.imported) == (0, ())
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["equal-dose.csv", "equal-dose.tex"]
