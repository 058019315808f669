"""The application that every command is added to, and how it ends: a mistake prints one line, and so does a stop."""

import os
import sys
from io import TextIOWrapper

import typer

from workbench.cli.failing import MISTAKE, end
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
    """Run the command line.

    A mistake prints one line and exits with 2, an error that nobody foresaw prints one line and exits with 1, Ctrl-C
    prints one line and exits with 130.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack some of the signs that are printed
    if os.environ.get("WORKBENCH_TRACEBACK"):
        app()
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        say(f"workbench: {error.format_message()}")
        sys.exit(MISTAKE)
    except (typer.Abort, KeyboardInterrupt):
        status = STOPPED
    except Stopped as stop:
        say(f"workbench: {stop}")
        sys.exit(STOPPED)
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a library's panic is no Exception
        sys.exit(end(error))
    if status == STOPPED:
        say("workbench: stopped. A study continues where it stopped when it is run again.")
    sys.exit(status if isinstance(status, int) else 0)
