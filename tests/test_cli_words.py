"""Whatever users call things: what is printed reads as it was given, and an error that nobody foresaw is one line."""

import json
import sys
from pathlib import Path

import pytest

from workbench import cli

NAMES = ("Mut [/b]", "[bold]x[/bold] :smile:", "a\x1b[31mb", "naïve 開放性 '\"")
PAIRS = [{"high": "I talk all day.", "low": "I keep quiet."}, {"high": "What a party!", "low": "What a noise."}]


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS), encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_markup_is_printed_as_it_is(workbench, tmp_path: Path, name: str) -> None:
    shown = name.replace("\x1b", "\\x1b")
    status, out, err = workbench("locate", "--pairs", "pairs.jsonl", "--trait", name, "--out", f"x/{name}")
    assert (status, err) == (0, "")
    assert f"Written to x/{shown}: " in out
    assert f"{shown}, rule dual" in out
    assert "\x1b" not in out
    assert (tmp_path / "x" / name / "located.json").is_file()
    status, out, err = workbench("steer", f"x/{name}/increase.safetensors", f"Hello {name}", "--json")
    assert status == 0
    assert json.loads(out)["answers"][0]["prompt"] == f"Hello {name}"
    assert shown.split()[0] in err


@pytest.mark.parametrize("name", ["../../up", "a/b", ".", "x" * 300, "\n", "[/b]"])
def test_a_default_folder_is_one_folder_of_runs(workbench, tmp_path: Path, name: str) -> None:
    status, out, _ = workbench("locate", "--pairs", "pairs.jsonl", "--trait", name)
    assert status == 0
    (made,) = (tmp_path / "runs").iterdir()
    assert (made / "located.json").is_file()
    assert f"Written to runs/{made.name}: " in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl", "runs"]


@pytest.mark.parametrize("name", ["none [/b].jsonl", "none\n.jsonl", "none\x1b[2J", "none\udcff", ":smile:", "n" * 400])
def test_a_mistake_with_any_name_is_one_line(workbench, tmp_path: Path, name: str) -> None:
    for arguments in (("locate", "--pairs", name), ("study", name, "--out", "x"), ("steer", name, "Hello?")):
        status, out, err = workbench(*arguments)
        assert (status, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert "\x1b" not in err
        assert err.encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]


@pytest.mark.parametrize("out", [".", "", ".."])
def test_the_working_folder_is_never_replaced(workbench, tmp_path: Path, out: str) -> None:
    status, _, err = workbench("locate", "--pairs", "pairs.jsonl", "--out", out)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "holds the folder that this runs in. Choose another output folder" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]


def test_what_fails_leaves_no_new_folder(workbench, tmp_path: Path) -> None:
    status, _, _ = workbench("locate", "--pairs", "pairs.jsonl", "--min-d", "1e9", "--out", "new/deep/x")
    assert status == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]


class Panic(BaseException):
    """What a library in another language raises."""


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("'NoneType' object has\nno attribute 'x'"),
        KeyError("mid [/b]"),
        IndexError("list index out of range"),
        RecursionError("maximum recursion depth exceeded"),
        AssertionError(),
        NotImplementedError("no kernel"),
        ZeroDivisionError("division by zero"),
        TypeError("'int' object is not subscriptable"),
        Panic("called `Option::unwrap()`"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_nobody_foresaw_is_one_line_and_a_file(
    workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("workbench.cli.machine._browser", fail)
    status, out, err = workbench("doctor")
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith(f"workbench: an error that it did not foresee: {type(error).__name__}")
    assert "please report it with that file" in line
    (kept,) = (tmp_path / "state").rglob("error-*.txt")
    assert str(kept) in line
    told = kept.read_text()
    assert "Traceback (most recent call last)" in told
    assert "'doctor'" in told


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "there is not enough memory: an allocation failed. Ask for less at a time."),
        (RuntimeError("no device"), "no device"),
        (ValueError("two\n  lines"), "two lines"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_what_a_user_can_change_keeps_no_file(
    workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("workbench.cli.machine._browser", fail)
    assert workbench("doctor") == (2, "", f"workbench: {line}\n")
    assert not (tmp_path / "state").exists()


def test_without_a_place_for_the_file_the_line_says_how_to_see_it(
    workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("no folder")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "state"))
    monkeypatch.setattr("workbench.cli.machine._browser", lambda: {}["x"])
    status, _, err = workbench("doctor")
    assert status == 1
    assert err.endswith("Set WORKBENCH_TRACEBACK=1 to see its traceback, and please report it with that.\n")
