"""The command that opens a page on a finished study."""

import os
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

import workbench as wb
from workbench.cli.application import app
from workbench.cli.stopping import heeding_ctrl_c
from workbench.cli.telling import say

_PATIENCE = 3.0  # seconds that an answer under way may take to end


@app.command(
    help="Open a page on a finished study: click a neuron to see what it does, move q, tau_d, layers and gamma, and "
    "ask the model a question, steered and not. The page is served to this machine alone, until Ctrl-C.\n\n"
    "Example: workbench explore runs/demo --port 8050"
)
def explore(
    folder: Annotated[Path, typer.Argument(help="The study's folder.")],
    port: Annotated[int, typer.Option(help="Where the page is served, on 127.0.0.1; 0 takes any free port.")] = 8050,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    from workbench.explore.serving import check_port, listening

    check_port(port)
    if find_spec("dash") is None:
        raise ImportError("The page needs dash. Install it with: pip install 'dpn-workbench[explore]'.")
    study = wb.load_study(folder)
    with listening(port) as serving:  # a port that is taken is reported before the model is loaded
        from workbench.explore.page import explore_page

        say(f"loading {study.config.model} …")
        explorer = wb.explore.Explorer.of_study(study)
        page = explore_page(explorer, name=str(folder))
        say(f"{folder} at {serving.address}  (Ctrl-C stops it)")
        if browser:
            # Some browsers return only when they are closed.
            Thread(target=webbrowser.open, args=(serving.address,), daemon=True).start()
        with heeding_ctrl_c():
            serving.serve(page.server)
    say("stopped.")
    if not explorer.idle(_PATIENCE, stay=True):
        os._exit(0)  # an answer that takes long is cut off instead of waited for
