"""One command line run in this process as in a process of its own: how it ended, what it printed, what it left."""

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import workbench as wb
from workbench import cli

REMARKS = ("workbench: warning: ", "prompts: ", "loading ", "nothing is selected; asking ", "Images need ")
"""How lines begin that a command prints on standard error and that are no error."""

PLAN = " tokens computed; "
"""What a capture's plan says, with --json on standard error."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status.
        out: what it printed on standard output.
        errors: the lines on standard error, its remarks left out.
        made, lost: the files and folders that it made and removed in its folder.
    """

    status: int
    out: str
    errors: list[str]
    made: list[str]
    lost: list[str]


def run(arguments: Sequence[str], folder: Path, state: Path) -> Ended:
    """Run `workbench ARGUMENTS` in a folder; tracebacks that it keeps go to `state`."""
    before = _held(folder)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    environment = {"XDG_STATE_HOME": str(state), "OPENAI_API_KEY": "none", "COLUMNS": "100"}
    with (
        mock.patch.object(sys, "argv", ["workbench", *arguments]),
        mock.patch.object(sys, "stdout", streams[0]),
        mock.patch.object(sys, "stderr", streams[1]),
        mock.patch.dict(os.environ, environment),
        _inside(folder),
    ):
        try:
            cli.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    after = _held(folder)
    errors = [line for line in err.split("\n") if line.strip() and not line.startswith(REMARKS) and PLAN not in line]
    return Ended(status, out, errors, sorted(after - before), sorted(before - after))


@contextmanager
def embedded(model: wb.Model) -> Iterator[None]:
    """Commands take this model where they ask for the embedded one, instead of loading it again; no study runs."""
    load: Callable[..., wb.Model] = wb.load_model

    def loaded(name: Any = "testbed", **settings: Any) -> wb.Model:
        return model if str(name) == "testbed" and not settings.get("template") else load(name, **settings)

    def checked(config: wb.StudyConfig, folder: Path, **settings: Any) -> None:
        from workbench.study.plan import Plan

        Plan.of(config).check()
        raise ValueError("The study could run.")

    with mock.patch.object(wb, "load_model", loaded), mock.patch.object(wb, "run_study", checked):
        yield


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _held(folder: Path) -> set[str]:
    return {os.fsdecode(os.path.relpath(path, folder)) for path in folder.rglob("*")}


def fresh_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder of a case's own."""
    return tempfile.TemporaryDirectory(prefix="fuzz-")
