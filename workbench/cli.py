"""`workbench`: the command line, thin over the package's public names."""

import json
import math
import os
import platform
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
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
from workbench.select.rules import RULES, RuleSettings
from workbench.study.located import locate_trait, whole_folder, write_located
from workbench.vocabulary import SITES

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

RANKED_BY = ("cohens_d", "mean_difference", "write_norm")
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
DeviceMap = Annotated[str | None, typer.Option(help="Spread the model over devices: auto, balanced, sequential.")]
Pairs = Annotated[
    Path | None,
    typer.Option(
        help="Pairs from a jsonl, csv or parquet file, or a PersonalityBench folder; by default the embedded "
        "model's bank for it and the built-in bank for every other model."
    ),
]


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
    _study(wb.StudyConfig(seed=seed, temperature=1.0), out, as_json)


@app.command(
    help="Run the study that a TOML file asks for, or finish one that was stopped; then write its report. --example "
    "prints a small complete file to begin with.\n\n"
    "Example: workbench study --example > study.toml && workbench study study.toml --out runs/mine"
)
def study(
    config: Annotated[Path | None, typer.Argument(help="The study's configuration, a TOML file.")] = None,
    out: Annotated[Path | None, typer.Option(help="The study's folder.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print an example of FILE, and stop.")] = False,
    as_json: Json = False,
) -> None:
    if example:
        typer.echo(wb.StudyConfig.example().toml(explained=True), nl=False)
        return
    if config is None or out is None:
        raise ValueError("A study needs its FILE and --out FOLDER; `workbench study --example` prints a file.")
    _study(wb.StudyConfig.read(config), out, as_json)


def _study(config: wb.StudyConfig, out: Path, as_json: bool) -> None:
    with _heeding_ctrl_c() as check, _progress() as progress:
        task = progress.add_task("loading the model", total=1.0)

        def report(label: str, share: float) -> None:
            check()
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
    pairs: Pairs = None,
    n: Annotated[int, typer.Option("--n", min=2, help="Pairs drawn from a bank.")] = 400,
    quantile: Annotated[float, typer.Option(help="q of tau_q: |s| must exceed its layer's q-quantile.")] = 0.995,
    min_d: Annotated[float, typer.Option("--min-d", help="tau_d: |Cohen's d| must exceed it.")] = 0.8,
    layers: Annotated[str | None, typer.Option(help="Layers, e.g. 12-31 or 0,2,5-7; all by default.")] = None,
    rule: Annotated[str, typer.Option(help=f"{', '.join(RULES)}.")] = "dual",
    within: Annotated[str, typer.Option(help="Where tau_q is taken and k counted: layer or model.")] = "layer",
    by: Annotated[str, typer.Option(help=f"What top-k ranks by: {', '.join(RANKED_BY)}.")] = "cohens_d",
    k: Annotated[int | None, typer.Option("-k", "--k", min=1, help="How many neurons top-k takes.")] = None,
    alpha: Annotated[float, typer.Option(help="The false-discovery rate of the fdr rule.")] = 0.05,
    weighted: Annotated[bool, typer.Option("--weighted", help="Weight the edits by the rank of |d|.")] = False,
    cluster: Annotated[
        list[str] | None,
        typer.Option(
            help="What intervals allow for: description, question (may be repeated) or none; by default "
            "descriptions, where they are known and take less than 1 GB."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder; by default runs/locate-TRAIT.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pairs.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    device_map: DeviceMap = None,
    as_json: Json = False,
) -> None:
    wanted = _layers(layers)
    asked = RuleSettings(quantile, min_d, within, by, k, alpha)
    if rule not in RULES:
        raise ValueError(f"There is no rule {rule!r}. Choose one of {', '.join(RULES)}.")
    if rule == "top-k" and k is None:
        raise ValueError("The top-k rule needs --k, the number of neurons, but none arrived.")
    if by not in RANKED_BY:
        raise ValueError(f"top-k ranks by one of {', '.join(RANKED_BY)}, but {by!r} arrived.")
    contrast = _contrast(trait, model, pairs, n, seed)
    folder = out or Path("runs") / f"locate-{contrast.trait.casefold()}"
    captured = folder.with_name(f".{folder.name}-capture")
    with _kept_when_stopped(captured), whole_folder(folder) as temporary:
        loaded = _load(model, dtype, device, device_map)
        with _continuing(captured) as check, _progress() as progress:
            task = progress.add_task(f"{contrast.trait}: activations", total=None)

            def advance(done: int, total: int) -> None:
                check()
                progress.update(task, completed=done, total=total)

            located = locate_trait(
                loaded,
                contrast,
                rule=rule,
                layers=wanted,
                weighted=weighted,
                clusters=None if cluster is None else [kind for kind in cluster if kind != "none"],
                folder=captured,
                progress=advance,
                **asdict(asked),
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
    help="Read activations into a folder: moments by pole, and what else is asked for. A run that was stopped, "
    "however it was, continues when it is run again; --plan says what it would take and stops.\n\n"
    "Example: workbench capture --trait Openness --site hook_post --site resid_post --cluster description "
    "--out runs/openness"
)
def capture(
    out: Annotated[Path, typer.Option(help="The capture's folder.")],
    trait: Annotated[str | None, typer.Option(help="A Big Five trait, or the name of the pairs' own trait.")] = None,
    model: ModelName = "testbed",
    pairs: Pairs = None,
    n: Annotated[int, typer.Option("--n", min=2, help="Pairs drawn from a bank.")] = 400,
    site: Annotated[list[str], typer.Option(help=f"{', '.join(SITES)}; may be repeated.")] = ["hook_post"],  # noqa: B006
    position: Annotated[
        str, typer.Option(help="last, mean, all, response, response_mean, or an index into the prompt.")
    ] = "last",
    layers: Annotated[str | None, typer.Option(help="Layers, e.g. 12-31 or 0,2,5-7; all by default.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep every row, in files.")] = False,
    keep_dtype: Annotated[str, typer.Option(help="Type of kept rows: float32, or model for the model's own.")] = (
        "float32"
    ),
    cluster: Annotated[
        list[str] | None, typer.Option(help="description or question: keep its moments apart; may be repeated.")
    ] = None,
    positive: Annotated[bool, typer.Option("--positive", help="Count the rows above zero.")] = False,
    sample: Annotated[int, typer.Option(help="Rows of each pole kept in a uniform sample, for quantiles.")] = 0,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens computed in one batch.")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray for many machines.")] = "local",
    address: Annotated[str | None, typer.Option(help="The Ray cluster's address.")] = None,
    workers: Annotated[int | None, typer.Option(help="How many Ray workers.")] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what it would take, and stop.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pairs.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    device_map: DeviceMap = None,
    as_json: Json = False,
) -> None:
    settings = wb.CaptureSettings(
        layers=_layers(layers),
        position=int(position) if position.removeprefix("-").isdigit() else position,
        keep=keep,
        keep_dtype=keep_dtype,
        clusters=tuple(cluster or ()),
        positive=positive,
        sample=sample,
        max_tokens=max_tokens,
        engine=engine,
        address=address,
        workers=workers,
    )
    contrast = _contrast(trait, model, pairs, n, seed)
    loaded = _load(model, dtype, device, device_map)
    planned = wb.plan_capture(loaded, contrast, sites=site, settings=settings)
    console = Console(stderr=as_json)
    console.print(str(planned), soft_wrap=True, highlight=False)
    if not only_plan:
        with _continuing(out) as check, _progress() as progress:
            task = progress.add_task(f"{contrast.trait}: activations", total=planned.plan.prompts)

            def advance(done: int, total: int) -> None:
                check()
                progress.update(task, completed=done, total=total)

            tallies = wb.capture_sites(loaded, contrast, sites=site, settings=settings, folder=out, progress=advance)
        for tally in tallies.values():
            console.print(repr(tally), soft_wrap=True, highlight=False)
        console.print(f"Written to [bold]{out}[/]", soft_wrap=True)
    if as_json:
        plan = planned.plan
        content = {"prompts": plan.prompts, "tokens": plan.tokens, "computed": plan.computed}
        _print_json(
            content | {"memory": planned.memory, "disk": planned.disk, "folder": None if only_plan else str(out)}
        )


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


def _load(model: str, dtype: Dtype, device: str | None, device_map: str | None = None) -> wb.Model:
    return wb.load_model(model, dtype=getattr(torch, dtype.value), device=device, device_map=device_map)


class _Stopped(Exception):
    """Ctrl-C, with a line that says how to continue."""


@contextmanager
def _heeding_ctrl_c() -> Iterator[Callable[[], None]]:
    """Ctrl-C that cannot get lost: a call of what is yielded raises it again.

    Python drops an exception that strikes within a finaliser or a library's callback.
    """
    pressed = False

    def press(*signalled: object) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _continuing(folder: Path) -> Iterator[Callable[[], None]]:
    """On Ctrl-C say that what is done is kept in a folder; what is yielded raises one that got lost."""
    try:
        with _heeding_ctrl_c() as check:
            yield check
    except KeyboardInterrupt:
        raise _Stopped(f"stopped. What is done is kept in {folder}; run the same command again to continue.") from None


@contextmanager
def _kept_when_stopped(folder: Path) -> Iterator[None]:
    """Keep a folder of unfinished work after a stop; remove it after an end or an error."""
    try:
        yield
    except _Stopped:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


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
    except _Stopped as stop:
        _say(f"workbench: {stop}")
        sys.exit(_STOPPED)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
        _say(f"workbench: {reason}")
        sys.exit(2)
    except (ValueError, TypeError, FloatingPointError, RuntimeError, MemoryError, ImportError) as error:
        _say(f"workbench: {error or type(error).__name__}")
        sys.exit(2)
    if status == _STOPPED:
        _say("workbench: stopped. A study continues where it stopped when it is run again.")
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
