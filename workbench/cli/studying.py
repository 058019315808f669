"""Commands on studies: run one, write its report and its figures."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

import workbench as wb
from workbench.cli.application import app
from workbench.cli.options import Adapter, Json, ModelName, Template, default_folder, parsed_variables
from workbench.cli.stopping import Stopped, heeding_ctrl_c
from workbench.cli.telling import print_json, progress_bar, say, say_where, terminal
from workbench.printable import printable
from workbench.report.formats import FIGURE_FORMATS, TABLE_FORMATS, in_order
from workbench.vocabulary import BIG_FIVE


@app.command(
    help="Test DPN-LE's whole claim on a model, in both directions, with controls: on the embedded model all five "
    "traits, on any other Extraversion, or those of --traits.\n\n"
    "Example: workbench demo --model smollm2 --traits all --out runs/smollm2"
)
def demo(
    model: ModelName = "testbed",
    adapter: Adapter = None,
    traits: Annotated[
        list[str] | None,
        typer.Option(help="A built-in concept, a concept's TOML file, or all of the Big Five: all."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The study's folder; a run that was stopped continues there. By default runs/demo, and for another "
            "model runs/ and its name."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the pairs, the answers and the intervals.")] = 0,
    template: Template = None,
    as_json: Json = False,
) -> None:
    asked: dict[str, Any] = {} if traits is None else {"traits": BIG_FIVE if "all" in traits else tuple(traits)}
    asked |= {"template": parsed_variables(template)} if template else {}
    if adapter is not None:
        asked["adapter"] = str(adapter)
    folder = out or default_folder("demo" if model == "testbed" else Path(model).stem)
    _study(wb.StudyConfig.for_model(model, seed=seed, **asked), folder, as_json)


@app.command(
    help="Run the study that a TOML file asks for, or finish one that was stopped; then write its report. --example "
    "prints a small complete file to begin with.\n\n"
    "Example: workbench study --example > study.toml && workbench study study.toml --out runs/mine"
)
def study(
    config: Annotated[Path | None, typer.Argument(help="The study's configuration, a TOML file.")] = None,
    out: Annotated[Path | None, typer.Option(help="The study's folder.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print an example of FILE, and stop.")] = False,
    template: Template = None,
    as_json: Json = False,
) -> None:
    if example:
        typer.echo(wb.StudyConfig.example().toml(explained=True), nl=False)
        return
    if config is None or out is None:
        raise ValueError("A study needs its FILE and --out FOLDER; `workbench study --example` prints a file.")
    asked = wb.StudyConfig.read(config)
    if template:
        asked = asked.model_copy(update={"template": {**asked.template, **parsed_variables(template)}})
    _study(asked, out, as_json)


def _study(config: "wb.StudyConfig", out: Path, as_json: bool) -> None:
    """Run a study with a progress bar, write its report and print its summary."""
    with heeding_ctrl_c() as check, progress_bar() as progress:
        task = progress.add_task("loading the model", total=1.0)

        def report(label: str, share: float) -> None:
            check()
            progress.update(task, description=label, completed=share)

        done = wb.run_study(config, out, progress=report)
        progress.update(task, description="writing the report", completed=1.0)
        page = wb.report.write_study_report(done)

    from workbench.report.terminal import print_study

    console = terminal(stderr=as_json)
    print_study(done, console)
    beside = "".join(f"  ·  {name}: {out / name}" for name in ("tables", "edits") if (out / name).is_dir())
    say_where(console, "\nReport: ", page, printable(beside, keep=""))
    if as_json:
        print_json(
            {
                "folder": str(out),
                "report": str(page),
                "gamma": done.gamma,
                "twins": done.twins,
                "left_out": done.left_out,
                "stand_ins": done.stand_ins,
                "findings": [finding.entry() for finding in done.findings],
                "equal_dose": done.tables["equal_dose"].to_dict("records"),
                "equal_shift": done.tables["equal_shift"].to_dict("records"),
            }
        )


@app.command(help="Write a finished study's report again.\n\nExample: workbench report runs/demo")
def report(folder: Annotated[Path, typer.Argument(help="The study's folder.")], as_json: Json = False) -> None:
    done = wb.load_study(folder)

    from workbench.report.terminal import print_study

    page = wb.report.write_study_report(done)
    console = terminal(stderr=as_json)
    print_study(done, console)
    say_where(console, "\nReport: ", page)
    if as_json:
        print_json({"report": str(page), "findings": [finding.entry() for finding in done.findings]})


@app.command(
    help="Write a study's figures as files, each beside its data, and a page that shows them.\n\n"
    "Example: workbench figures runs/demo --only effect-map --format pdf --width 85mm"
)
def figures(
    folder: Annotated[Path, typer.Argument(help="The study's folder.")],
    out: Annotated[Path | None, typer.Option(help="Where to; by default FOLDER/figures.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A figure's name; may be repeated.")] = None,
    format: Annotated[
        list[str],
        typer.Option(help=f"{', '.join(FIGURE_FORMATS)}, or all, which leaves out what cannot be drawn here."),
    ] = ["html"],  # noqa: B006
    width: Annotated[str, typer.Option(help="Width on paper, e.g. 85mm.")] = "170mm",
    as_json: Json = False,
) -> None:
    text = width.removesuffix("mm").strip()
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]*)?", text) or float(text) < 20:
        raise ValueError(f"The width is 20mm or more, e.g. 85mm, but {width!r} arrived.")
    formats = in_order("Figures", FIGURE_FORMATS if "all" in format else format, FIGURE_FORMATS)
    try:
        done = wb.load_study(folder)
        written = wb.report.write_figures(
            done,
            out or folder / "figures",
            only=only,
            formats=formats,
            width_mm=float(text),
            warn=_say_pages_alone if "all" in format else None,
        )
    except KeyboardInterrupt:
        raise Stopped("stopped. Files that were written are whole; run the same command again for the rest.") from None
    _print_files(written, as_json)


@app.command(
    help="Write a study's tables as CSV and LaTeX, under the names and with the numbers of its report.\n\n"
    "Example: workbench tables runs/demo --only equal-dose --format tex --out paper/tables"
)
def tables(
    folder: Annotated[Path, typer.Argument(help="The study's folder.")],
    out: Annotated[Path | None, typer.Option(help="Where to; by default FOLDER/tables.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A table's name; may be repeated.")] = None,
    format: Annotated[list[str], typer.Option(help=f"{', '.join(TABLE_FORMATS)}, or all.")] = ["all"],  # noqa: B006
    as_json: Json = False,
) -> None:
    formats = in_order("Tables", TABLE_FORMATS if "all" in format else format, TABLE_FORMATS)
    done = wb.load_study(folder)
    _print_files(wb.report.write_tables(done, out or folder / "tables", only=only, formats=formats), as_json)


def _say_pages_alone(reason: str) -> None:
    """Say why there are no images, once the pages are written."""
    say(f"{reason} All figures are written as .html alone.")


def _print_files(written: list[Path], as_json: bool) -> None:
    """Print the paths, a line each or as JSON."""
    if as_json:
        print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        typer.echo(printable(path, keep=""))
