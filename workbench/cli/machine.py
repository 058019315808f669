"""What this machine and installation have."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from rich.table import Table

import workbench as wb
from workbench.cli.application import app
from workbench.cli.options import Json
from workbench.cli.telling import print_json, terminal
from workbench.printable import printable

Full = Annotated[bool, typer.Option(help="Ask it through TransformerLens as well, whose imports take several seconds.")]


@app.command(
    help="Print what this machine and installation have, and check that the embedded model answers.\n\n"
    "Example: workbench doctor"
)
def doctor(full: Full = False, as_json: Json = False) -> None:
    import torch

    from workbench.testbed.alone import answer_alone

    facts: dict[str, str] = {"workbench": wb.__version__, "python": platform.python_version()}
    for package in ("torch", "transformer-lens", "transformers", "plotly", "kaleido", "dash", "ipywidgets"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    facts["browser"] = _browser() or "none: images cannot be drawn, html can; plotly_get_chrome gets one"
    facts["device"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    facts["threads"] = str(torch.get_num_threads())
    question = "What is 12 + 30?"
    facts["embedded model"] = f"answers {answer_alone(question)!r} to {question!r}"
    if full:
        hooked = wb.load_model("testbed").generate(question, max_new_tokens=8)[0]
        facts["hooked by TransformerLens"] = f"answers {hooked!r}"
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, printable(value))
    terminal(stderr=as_json).print(table)
    if as_json:
        print_json(facts)


def _browser() -> str | None:
    """The Chromium that draws images: the one that BROWSER_PATH names, or one on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, names)), None)
