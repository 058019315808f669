"""`workbench`: the command line, thin over the package's public names."""

import json
import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

import workbench as wb
from workbench.edit.applying import Scope
from workbench.report.study_figures import write_figures
from workbench.report.terminal import answers_table, print_study, selection_table
from workbench.study.located import locate_trait, whole_folder, write_located

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

_STOPPED = 130  # the exit status of a run that Ctrl-C ended

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, last and alone on standard output.")]
ModelName = Annotated[str, typer.Option("--model", help="'testbed', a Hugging Face name, or a checkpoint folder.")]


class Dtype(StrEnum):
    """Number types that a model may run in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


Precision = Annotated[Dtype, typer.Option("--dtype", help="Number type of the weights.")]
Device = Annotated[str | None, typer.Option(help="Where the model lives; CUDA where it is there, else the CPU.")]


@app.command(
    help="Test DPN-LE's whole claim on the embedded model: all five traits, both directions, with controls.\n\n"
    "Example: workbench demo --out runs/demo"
)
def demo(
    out: Annotated[Path, typer.Option(help="The study's folder; a run that was stopped continues there.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the pairs, the answers and the intervals.")] = 0,
    as_json: Json = False,
) -> None:
    _study(wb.StudyConfig(seed=seed), out, as_json)


@app.command(
    help="Run the study that a TOML file asks for, or finish one that was stopped; then write its report.\n\n"
    "Example: workbench study study.toml --out runs/mine"
)
def study(
    config: Annotated[Path, typer.Argument(help="The study's configuration; see StudyConfig.")],
    out: Annotated[Path, typer.Option(help="The study's folder.")],
    as_json: Json = False,
) -> None:
    _study(wb.StudyConfig.read(config), out, as_json)


def _study(config: wb.StudyConfig, out: Path, as_json: bool) -> None:
    with _progress() as progress:
        task = progress.add_task("loading the model", total=1.0)

        def report(label: str, share: float) -> None:
            progress.update(task, description=label, completed=share)

        done = wb.run_study(config, out, progress=report)
        progress.update(task, description="writing the report", completed=1.0)
        page = wb.write_study_report(done)
    console = Console(stderr=as_json)
    print_study(done, console)
    console.print(f"\nReport: [bold]{page}[/]  ·  tables: {out / 'tables'}  ·  edits: {out / 'edits'}", soft_wrap=True)
    if as_json:
        _print_json(
            {
                "folder": str(out),
                "report": str(page),
                "gamma": done.gamma,
                "twins": done.twins,
                "findings": [finding.__dict__ for finding in done.findings],
                "equal_dose": done.tables["equal_dose"].to_dict("records"),
                "equal_shift": done.tables["equal_shift"].to_dict("records"),
            }
        )


@app.command(
    help="Find a trait's neurons: effects, selection and edits, written to a folder.\n\n"
    "Example: workbench locate --trait Extraversion --pairs pairs.jsonl --out runs/extraversion"
)
def locate(
    trait: Annotated[str | None, typer.Option(help="A Big Five trait, or the name of the pairs' own trait.")] = None,
    model: ModelName = "testbed",
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Pairs from a jsonl, csv or parquet file, or a PersonalityBench folder; by default the embedded "
            "model's bank for it and the built-in bank for every other model."
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=2, help="Pairs drawn from a bank.")] = 400,
    quantile: Annotated[float, typer.Option(help="q of tau_q: |s| must exceed its layer's q-quantile.")] = 0.995,
    min_d: Annotated[float, typer.Option("--min-d", help="tau_d: |Cohen's d| must exceed it.")] = 0.8,
    layers: Annotated[str | None, typer.Option(help="Layers, e.g. 12-31 or 0,2,5-7; all by default.")] = None,
    rule: Annotated[str, typer.Option(help="dual, magnitude-only, d-only or broad.")] = "dual",
    weighted: Annotated[bool, typer.Option("--weighted", help="Weight the edits by the rank of |d|.")] = False,
    out: Annotated[Path | None, typer.Option(help="Output folder; by default runs/locate-TRAIT.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pairs.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    as_json: Json = False,
) -> None:
    wanted = _layers(layers)
    _check_numbers(quantile, min_d)
    contrast = _contrast(trait, model, pairs, n, seed)
    folder = out or Path("runs") / f"locate-{contrast.trait.casefold()}"
    with whole_folder(folder) as temporary:
        loaded = _load(model, dtype, device)
        with _progress() as progress:
            task = progress.add_task(f"{contrast.trait}: activations", total=None)
            located = locate_trait(
                loaded,
                contrast,
                rule=rule,
                quantile=quantile,
                min_d=min_d,
                layers=wanted,
                weighted=weighted,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        files = write_located(located, temporary)
    selection = located.selection
    console = Console(stderr=as_json)
    console.print(f"{selection!r}\nfrom {contrast!r}", soft_wrap=True, highlight=False)
    console.print(selection_table(selection))
    console.print(f"Written to [bold]{folder}[/]: {', '.join(files)}", soft_wrap=True)
    if as_json:
        _print_json(json.loads((folder / "located.json").read_text(encoding="utf-8")) | {"folder": str(folder)})


@app.command(
    help="Answer prompts with and without an edit, side by side.\n\n"
    "Example: workbench steer runs/extraversion/increase.safetensors 'What do you do at the party?' --gamma 0.75"
)
def steer(
    edit: Annotated[Path, typer.Argument(help="An edit that locate or a study wrote.")],
    prompts: Annotated[list[str], typer.Argument(help="One or more prompts.")],
    model: ModelName = "testbed",
    gamma: Annotated[float | None, typer.Option(help="The dose; by default the edit's own.")] = None,
    scope: Annotated[Scope, typer.Option(help="Which positions are edited; decode is as published.")] = "generated",
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most new tokens of each answer.")] = 64,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    as_json: Json = False,
) -> None:
    if gamma is not None and not math.isfinite(gamma):
        raise ValueError(f"gamma must be finite, but {gamma} arrived.")
    if not all(prompt.strip() for prompt in prompts):
        raise ValueError("A prompt needs text, but an empty one arrived.")
    steering = wb.Edit.load(edit)
    steering = steering if gamma is None else steering.with_gamma(gamma)
    loaded = _load(model, dtype, device)
    made_on = steering.provenance.get("model_fingerprint", loaded.fingerprint)
    if made_on != loaded.fingerprint:
        _say(f"warning: {edit.name} was made on weights {made_on[:12]}, but {model} has {loaded.fingerprint[:12]}.")
    asked = [wb.Prompt(prompt, system) for prompt in prompts]

    def answers() -> list[str]:
        return loaded.generate(asked, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)

    base = answers()
    with wb.edited(loaded, steering, scope=scope) as run:
        steered = answers()
    answered = zip(prompts, base, steered, strict=True)
    rows = [{"prompt": prompt, "base": before, "steered": after} for prompt, before, after in answered]
    console = Console(stderr=as_json)
    console.print(answers_table(f"{steering!r}, scope {scope}", rows), highlight=False)
    if as_json:
        _print_json({"answers": rows, "gamma": steering.gamma, "scope": scope, "edited_pairs": dict(run.pairs)})


@app.command(help="Write a finished study's report again.\n\nExample: workbench report runs/demo")
def report(folder: Annotated[Path, typer.Argument(help="The study's folder.")], as_json: Json = False) -> None:
    done = wb.load_study(folder)
    page = wb.write_study_report(done)
    console = Console(stderr=as_json)
    print_study(done, console)
    console.print(f"\nReport: [bold]{page}[/]", soft_wrap=True)
    if as_json:
        _print_json({"report": str(page), "findings": [finding.__dict__ for finding in done.findings]})


@app.command(
    help="Write a study's figures as files, each beside its data.\n\n"
    "Example: workbench figures runs/demo --only effect-map --format pdf --width 85mm"
)
def figures(
    folder: Annotated[Path, typer.Argument(help="The study's folder.")],
    out: Annotated[Path | None, typer.Option(help="Where to; by default FOLDER/figures.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A figure's name; may be repeated.")] = None,
    format: Annotated[str, typer.Option(help="html, svg, pdf or png.")] = "html",
    width: Annotated[str, typer.Option(help="Width on paper, e.g. 85mm.")] = "170mm",
) -> None:
    text = width.removesuffix("mm").strip()
    if not text.replace(".", "", 1).isdigit() or float(text) < 20:
        raise ValueError(f"The width is 20mm or more, e.g. 85mm, but {width!r} arrived.")
    written = write_figures(
        wb.load_study(folder), out or folder / "figures", only=only, format=format, width_mm=float(text)
    )
    for path in written:
        typer.echo(path)


@app.command(help="Say what this machine and installation have.\n\nExample: workbench doctor")
def doctor(as_json: Json = False) -> None:
    found: dict[str, str] = {"workbench": wb.__version__, "python": platform.python_version()}
    for package in ("torch", "transformer-lens", "transformers", "plotly", "kaleido"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["device"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    found["threads"] = str(torch.get_num_threads())
    answer = wb.load_model("testbed").generate("What is 12 + 30?", max_new_tokens=8)[0]
    found["embedded model"] = f"answers {answer!r} to 'What is 12 + 30?'"
    table = Table(show_header=False, box=None)
    for name, value in found.items():
        table.add_row(name, value)
    Console(stderr=as_json).print(table)
    if as_json:
        _print_json(found)


def _contrast(trait: str | None, model: str, pairs: Path | None, n: int, seed: int) -> wb.Contrast:
    if pairs is not None and not pairs.is_dir():
        return wb.Contrast.from_table(pairs, trait=trait)
    if trait is None:
        raise ValueError(f"A bank needs --trait, one of {', '.join(wb.BIG_FIVE)}.")
    if pairs is not None:
        return wb.Contrast.personalitybench(pairs, trait, n=n, seed=seed)
    bank = wb.Contrast.testbed if model == "testbed" else wb.Contrast.builtin
    return bank(trait, n=n, seed=seed)


def _load(model: str, dtype: Dtype, device: str | None) -> wb.Model:
    return wb.load_model(model, dtype=getattr(torch, dtype.value), device=device)


def _layers(text: str | None) -> list[int] | None:
    """Layers from `12-31` or `0,2,5-7`.

    Raises:
        ValueError: for anything else.
    """
    if text is None:
        return None
    wanted: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or (dash and int(last) < int(first)):
            raise ValueError(f"Layers are written like 12-31 or 0,2,5-7, but {text!r} arrived.")
        wanted += range(int(first), int(last or first) + 1)
    return wanted


def _check_numbers(quantile: float, min_d: float) -> None:
    """Refuse, before any model is loaded, what the selection would refuse after the capture."""
    if not 0 < quantile < 1:
        raise ValueError(f"The quantile lies strictly between 0 and 1, but {quantile} arrived.")
    if not (math.isfinite(min_d) and min_d >= 0):
        raise ValueError(f"min_d is a number from 0 up, but {min_d} arrived.")


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on standard error, with the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


def _print_json(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(_plain(content), ensure_ascii=False, default=str) + "\n")


def _plain(value: Any) -> Any:
    """JSON knows no NaN: None takes its place."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _say(line: str) -> None:
    typer.echo(" ".join(line.split()), err=True)


def main() -> None:
    """Run the command line: a mistake is one line and exit status 2, a stop is one line and 130."""
    if os.environ.get("WORKBENCH_TRACEBACK"):
        app()
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        _say(f"workbench: {error.format_message()}")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        status = _STOPPED
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
        _say(f"workbench: {reason}")
        sys.exit(2)
    except (ValueError, TypeError, FloatingPointError, RuntimeError) as error:
        _say(f"workbench: {error or type(error).__name__}")
        sys.exit(2)
    if status == _STOPPED:
        _say("workbench: stopped. A study continues where it stopped when it is run again.")
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
