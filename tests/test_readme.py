"""The README's snippet runs as printed, and its commands exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from workbench import cli

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_snippets_run_as_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for snippet in blocks("python"):
        exec(compile(snippet, "README.md", "exec"), names)
    said = capsys.readouterr().out
    assert said.startswith("Selection('Extraversion', dual,")
    assert "'prompt': 8" in said


def test_the_commands_and_their_options_exist() -> None:
    commands = get_command(cli.app).commands  # pyright: ignore[reportAttributeAccessIssue]
    used = [line.split() for block in blocks("bash") for line in block.replace("\\\n", " ").splitlines()]
    ours = [words for words in used if words[:1] == ["workbench"]]
    assert len(ours) == 20
    for words in ours:
        command = commands[words[1]]
        command = getattr(command, "commands", {}).get(words[2], command)
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_the_make_targets_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make ([a-z0-9]+)", TEXT)) - {"s"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (README.parent / target).is_file(), target
