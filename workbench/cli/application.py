"""The application that every command is added to, and how it ends: a mistake prints one line, and so does a stop."""

import os
import sys

import typer

from workbench.cli.stopping import STOPPED, Stopped
from workbench.cli.telling import say

app = typer.Typer(
    name="workbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help=(
        "Find the MLP neurons that carry a trait in a language model, edit them, and test what they cause.\n\n"
        "[bold]Examples[/]\n\n"
        "  workbench demo\n\n"
        "  workbench locate --trait Extraversion --out runs/extraversion\n\n"
        "  workbench steer runs/extraversion/increase.safetensors 'What do you do at the party?' --gamma 1\n\n"
        "  workbench locate --model meta-llama/Meta-Llama-3-8B-Instruct --trait Openness --layers 12-31"
    ),
)


def main() -> None:
    """Run the command line. A mistake prints one line and exits with 2; Ctrl-C prints one line and exits with 130."""
    if os.environ.get("WORKBENCH_TRACEBACK"):
        app()
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        say(f"workbench: {error.format_message()}")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        status = STOPPED
    except Stopped as stop:
        say(f"workbench: {stop}")
        sys.exit(STOPPED)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
        say(f"workbench: {reason}")
        sys.exit(2)
    except (ValueError, TypeError, FloatingPointError, RuntimeError, MemoryError, ImportError) as error:
        first, *others = getattr(error, "lines", None) or [str(error) or type(error).__name__]
        say(f"workbench: {first}")
        for line in others:
            say(line)
        sys.exit(2)
    if status == STOPPED:
        say("workbench: stopped. A study continues where it stopped when it is run again.")
    sys.exit(status if isinstance(status, int) else 0)
