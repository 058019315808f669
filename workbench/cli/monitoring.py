"""The command that follows a trait along texts."""

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
from workbench.cli.telling import print_json, say_lines, say_where, terminal
from workbench.textfile import read_json, read_text

_DATA, _FIGURES = (".csv", ".parquet"), (".html", ".svg", ".pdf", ".png")


@app.command(
    help="Follow a trait along texts, token by token: each token's projection on an edit's direction, beside random "
    "neurons and neutral texts.\n\n"
    "Example: workbench monitor runs/extraversion 'I love a loud party!' --out party.html"
)
def monitor(
    edit: Annotated[
        Path,
        typer.Argument(
            help="An edit, a folder from locate, a selection (.csv or .parquet with columns layer, neuron, pole), or "
            "another tool's steering file."
        ),
    ],
    texts: Annotated[list[str] | None, typer.Argument(help="One or more texts.")] = None,
    model: ModelName = "testbed",
    adapter: Adapter = None,
    chat: Annotated[bool, typer.Option("--chat", help="Each text is a user's turn, not raw text.")] = False,
    system: Annotated[str | None, typer.Option(help="A system prompt, with --chat.")] = None,
    answer: Annotated[str | None, typer.Option(help="What follows the only text, with --chat.")] = None,
    conversation: Annotated[
        Path | None, typer.Option(help="A JSON list of turns with role and content, instead of texts.")
    ] = None,
    neutral: Annotated[
        Path | None, typer.Option(help="Neutral texts, one a line; by default passages that come with the package.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="How many random controls.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the random controls.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help=f"The heat map ({', '.join(_FIGURES)}) or its table ({', '.join(_DATA)}).")
    ] = None,
    any_weights: AnyWeights = False,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    template: Template = None,
    as_json: Json = False,
) -> None:
    check_edit(edit, None)
    watched = _asked(texts or [], chat, system, answer, conversation)
    if out is not None and out.suffix not in (*_DATA, *_FIGURES):
        raise ValueError(f"--out ends in one of {', '.join((*_FIGURES, *_DATA))}, but {str(out)!r} arrived.")
    quiet = None if neutral is None else [line for line in read_text(neutral).split("\n") if line.strip()]
    if quiet == []:
        raise ValueError(f"{neutral} holds no neutral texts. Write one a line.")

    from workbench.report.terminal import monitoring_table, tokens_text

    loaded = load_asked(model, dtype, device, adapter=adapter, template=template)
    read, effects = _read(edit, loaded, any_weights=any_weights)
    found = wb.monitor(loaded, watched, read, effects=effects, neutral=quiet, draws=draws, seed=seed)
    frame = found.frame()
    console = terminal(stderr=as_json)
    say_lines(console, f"{found!r}\nalong {found.read}\nnull: {found.provenance['null']}")
    console.print(tokens_text(frame))
    console.print(monitoring_table(found.summary()))
    if out is not None:
        if out.suffix in _DATA:
            wb.plots.save_data(frame, out)
        else:
            wb.plots.save_figure(wb.plots.token_heat_map(frame, trait=None), out)
        say_where(console, "Written to ", out)
    if as_json:
        told = {"trait": found.trait, "provenance": found.provenance, "tokens": frame.to_dict("records")}
        print_json(told | {"out": None if out is None else str(out)})


def _asked(
    texts: list[str], chat: bool, system: str | None, answer: str | None, conversation: Path | None
) -> list[Any]:
    """The texts to monitor."""
    if (conversation is None) == (not texts):
        raise ValueError("Monitoring needs texts or --conversation, and not both.")
    if (system is not None or answer is not None) and not chat:
        raise ValueError("--system and --answer go with --chat, which was not given.")
    if answer is not None and len(texts) != 1:
        raise ValueError(f"--answer follows one text, but {len(texts)} arrived.")
    if not all(text.strip() for text in texts):
        raise ValueError("A text needs words, but an empty one arrived.")
    if conversation is not None:
        turns = read_json(conversation)
        kinds = [isinstance(turn, dict) and {"role", "content"} <= set(turn) for turn in turns or ()]
        if not isinstance(turns, list) or not kinds or not all(kinds):
            raise ValueError(f"{conversation} is a JSON list of turns, each with role and content; this is none.")
        return [turns]
    if not chat:
        return list(texts)
    prompts = [wb.Prompt(text, system) for text in texts]
    return [(prompts[0], answer)] if answer is not None else list(prompts)


def _read(path: Path, model: "wb.Model", *, any_weights: bool) -> tuple[Any, "wb.Effects | None"]:
    """What a path holds: an edit with the effects that it was made from, a selection, or another tool's edit."""
    if path.is_dir() and (path / "increase.safetensors").is_file() and (path / "tally.safetensors").is_file():
        effects = wb.effect_sizes(wb.Tally.load(path / "tally.safetensors"))
        return steering_asked(path / "increase.safetensors", model, None, any_weights=any_weights), effects
    if path.suffix in _DATA:
        from workbench.select.selection import read_selection

        return read_selection(path), None
    return steering_asked(path, model, None, any_weights=any_weights), None
