"""Commands on concepts: write a file to begin with, and check one."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.application import app
from workbench.cli.options import Device, Dtype, Json, Precision, load_asked
from workbench.cli.telling import print_json, say_lines, say_where, terminal
from workbench.concept.example import example_toml
from workbench.concept.named import concept_of
from workbench.whole import write_whole

concepts = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Write and check concepts: traits of your own, in one TOML file each.\n\n"
    "Example: workbench concept new Wordiness && workbench concept check wordiness.toml --model smollm2",
)
app.add_typer(concepts, name="concept")


@concepts.command(
    help="Write a commented concept's file to begin with.\n\nExample: workbench concept new Wordiness --out mine.toml"
)
def new(
    name: Annotated[str, typer.Argument(help="What the concept is called in tables and figures.")],
    out: Annotated[Path | None, typer.Option(help="The file; by default NAME.toml here.")] = None,
    as_json: Json = False,
) -> None:
    text = example_toml(name.strip())
    path = out or Path(f"{'-'.join(name.casefold().split())}.toml")
    if path.exists():
        raise ValueError(f"{path} is there already, and is not replaced. Name another file with --out.")
    write_whole(path, text)
    say_where(terminal(stderr=as_json), "Written to ", path, ". Change its texts, then: workbench concept check")
    if as_json:
        print_json({"file": str(path)})


@concepts.command(
    help="Check a concept: what its file lacks and what that costs; with --model also whether its poles are alike "
    "besides the concept, and how well they differ on the model. A mistake in the file is told with its line.\n\n"
    "Example: workbench concept check mine.toml --model smollm2"
)
def check(
    file: Annotated[str, typer.Argument(help="A concept's file or folder, or a built-in concept's name.")],
    model: Annotated[
        str | None, typer.Option("--model", help="'smollm2', a Hugging Face name, a checkpoint folder, or a GGUF file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the pairs and the intervals.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    as_json: Json = False,
) -> None:
    concept = concept_of(file)

    from workbench.score.concept_check import check_concept

    found = check_concept(concept, None if model is None else load_asked(model, dtype, device), seed=seed)
    say_lines(terminal(stderr=as_json), repr(found))
    if as_json:
        print_json(found.entry())
