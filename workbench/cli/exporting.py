"""Edits out to other tools, and other tools' files in."""

from pathlib import Path
from typing import Annotated, Any

import typer

import workbench as wb
from workbench.cli.application import app
from workbench.cli.options import (
    Adapter,
    AnyWeights,
    Device,
    Dtype,
    Json,
    ModelName,
    Precision,
    Template,
    check_edit,
    load_asked,
    steering_asked,
)
from workbench.cli.telling import print_json, say_where, terminal
from workbench.export.exporting import WRITERS, check_format
from workbench.vocabulary import HOOK_PRE, Scope

_AT_EVERY_POSITION = ("hf", "gguf", "lm-eval")


@app.command(
    help="Write an edit for another tool: a stock checkpoint (hf), a llama.cpp control vector (gguf), a file for "
    "lm-evaluation-harness' steered models (lm-eval), or DPN-LE's or NPTI's own files. What the other tool cannot do "
    "exactly is refused, with the reason.\n\n"
    "Example: workbench export runs/extraversion/increase.safetensors --to hf --out runs/extraverted"
)
def export(
    edit: Annotated[Path, typer.Argument(help="An edit, or another tool's steering file or folder.")],
    to: Annotated[str, typer.Option(help=f"{', '.join(WRITERS)}.")],
    out: Annotated[Path, typer.Option(help="A folder for hf, dpn-le and npti; a .gguf or .pt file for the others.")],
    model: ModelName = "testbed",
    adapter: Adapter = None,
    gamma: Annotated[float | None, typer.Option(help="The dose; by default the edit's own.")] = None,
    scope: Annotated[Scope, typer.Option(help="Positions that the file must stand for; most know only all.")] = "all",
    capture: Annotated[
        Path | None,
        typer.Option(help="For npti: a capture at hook_pre with --positive and --sample, which holds its values."),
    ] = None,
    any_weights: AnyWeights = False,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    template: Template = None,
    as_json: Json = False,
) -> None:
    check_format(to, has_tally=capture is not None)
    check_edit(edit, gamma)
    if capture is not None and not capture.is_dir():
        raise FileNotFoundError(f"There is no folder {capture}.")
    tally = None if capture is None else wb.load_capture(capture).get(HOOK_PRE.name)
    if capture is not None and tally is None:
        raise ValueError(f"NPTI's values are read at hook_pre, but the capture in {capture} is of other sites.")
    loaded = load_asked(model, dtype, device, adapter=adapter, template=template)
    steering = steering_asked(edit, loaded, gamma, any_weights=any_weights)
    settings: dict[str, Any] = {"scope": scope} if to in _AT_EVERY_POSITION else {}
    if to == "hf":
        settings["any_weights"] = any_weights
    if to == "npti":
        settings["tally"] = tally
    written = wb.export.export_edit(loaded, steering, out, to=to, **settings)
    console = terminal(stderr=as_json)
    say_where(console, f"{steering!r}\nWritten for {to} to ", Path(written))
    if as_json:
        print_json({"to": to, "path": str(written), "edit": repr(steering), "gamma": steering.gamma})
