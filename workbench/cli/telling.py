"""What a command prints: a progress bar, lines and tables, or one JSON object.

Names, paths and texts come from users and files, so nothing that is printed is taken for markup.
"""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from workbench.printable import one_line, printable


def terminal(*, stderr: bool = False) -> Console:
    """A console that prints strings as they are: brackets are no markup, `:smile:` is no picture."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def say_lines(console: Console, text: object, *, style: str = "") -> None:
    """Print a text whose lines the terminal alone may break."""
    console.print(Text(printable(text), style=style), soft_wrap=True)


def say_where(console: Console, *parts: object) -> None:
    """Print a line of texts and paths, the paths in bold."""
    shown = [(printable(part, keep=""), "bold") if isinstance(part, Path) else printable(part) for part in parts]
    console.print(Text.assemble(*shown), soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, with the time left; nothing where that is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left", markup=False),
        TimeRemainingColumn(),
    )
    console = terminal(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
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
    """Print one line on standard error, whatever line breaks and control characters the text has."""
    typer.echo(one_line(line), err=True)
