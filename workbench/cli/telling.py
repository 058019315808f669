"""What a command prints: a progress bar, one line, or one JSON object."""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, with the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on a line of standard output."""
    sys.stdout.write(json.dumps(_plain(content), ensure_ascii=False, default=str) + "\n")


def _plain(value: Any) -> Any:
    """The same with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(line: str) -> None:
    """Print one line on standard error, whatever line breaks the text has."""
    typer.echo(" ".join(line.split()), err=True)
