"""The command that writes what a paper has to say of a study."""

from pathlib import Path
from typing import Annotated

import typer

import workbench as wb
from workbench.cli.application import app
from workbench.cli.options import Json
from workbench.cli.telling import print_json, say_where, terminal
from workbench.report.formats import CITATION_FORMATS
from workbench.whole import write_whole


@app.command(
    help="Write what a paper has to say of a finished study: a methods section with settings, hashes and versions, "
    "statistics with their sources, a table of its limits, and BibTeX.\n\n"
    "Example: workbench cite runs/demo --format latex --out paper/methods.tex"
)
def cite(
    folder: Annotated[Path, typer.Argument(help="The study's folder.")],
    format: Annotated[str, typer.Option(help=f"{' or '.join(CITATION_FORMATS)}.")] = CITATION_FORMATS[0],
    out: Annotated[Path | None, typer.Option(help="A file to write; by default it is printed.")] = None,
    as_json: Json = False,
) -> None:
    if format not in CITATION_FORMATS:
        raise ValueError(f"--format is {' or '.join(CITATION_FORMATS)}, but {format!r} arrived.")
    done = wb.load_study(folder)
    found = wb.cite(done)
    text = found.markdown() if format == CITATION_FORMATS[0] else found.latex()
    if out is not None:
        write_whole(out, text)
        say_where(terminal(stderr=as_json), "Written to ", out)
    elif not as_json:
        typer.echo(text, nl=False)
    if as_json:
        told = {
            "methods": found.methods,
            **{name: getattr(found, name).to_dict("records") for name in ("settings", "statistics", "limits")},
            "bibtex": found.references,
        }
        print_json(told | {"out": None if out is None else str(out)})
