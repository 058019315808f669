"""Run a published paper's protocol, and print its numbers beside what comes out."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import workbench as wb
from workbench.cli.application import app
from workbench.cli.options import Device, DeviceMap, Dtype, Json, Precision, default_folder, load_asked
from workbench.cli.stopping import continuing
from workbench.cli.telling import print_json, progress_bar, say_lines, say_where, terminal
from workbench.replicate.papers import PAPERS
from workbench.textfile import read_text

LOCAL = "local:"
"""What a judge's name begins with if it is a hooked model."""


@app.command(
    help="Run a paper's protocol on a model and print the paper's numbers beside ours, with intervals. Steps whose "
    "data or judge are absent are listed as not run. --plan says first what it takes.\n\n"
    "Example: workbench replicate dpn-le --model meta-llama/Meta-Llama-3-8B-Instruct --dtype bfloat16 --data data "
    "--judge gpt-4o --out runs/dpn-le --plan"
)
def replicate(
    paper: Annotated[str, typer.Argument(help=f"{', '.join(PAPERS)}, or a protocol's TOML file.")],
    model: Annotated[
        str | None,
        typer.Option(help="'smollm2', a Hugging Face name, a checkpoint folder, or a GGUF file; with --small smollm2."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder with personalitybench, ipip_neo, gsm8k.jsonl, hotpot_qa.jsonl, trivia_qa.jsonl, "
            "npti_neurons or caa, as far as they are there."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of results; by default runs/replicate-PAPER.")] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Who rates answers: a model's name at an OpenAI-compatible endpoint, local:NAME for a hooked model, "
            "or a TOML file with the entries of a study's [judge]."
        ),
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="Every step on few pairs, questions and items; the changes are listed.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print tokens, hours, memory and the judge's cost; stop.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the protocol with where it all stands; stop.")] = False,
    price: Annotated[
        str | None, typer.Option(help="PROMPT/ANSWER: the judge's price of a million tokens, e.g. 2.5/10.")
    ] = None,
    traits: Annotated[list[str] | None, typer.Option(help="A Big Five trait instead of all; may be repeated.")] = None,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    device_map: DeviceMap = None,
    as_json: Json = False,
) -> None:
    from workbench.replicate.data import missing

    protocol = wb.replicate.read_protocol(paper)
    console = terminal(stderr=as_json)
    if show:
        say_lines(console, shown_protocol(protocol))
        if as_json:
            print_json(protocol.model_dump())
        return
    name = model or ("smollm2" if small else None)
    if name is None or data is None:
        raise ValueError("A replication needs --model MODEL and --data FOLDER; --small alone takes smollm2.")
    rater = None if judge is None else parse_judge(judge)
    given = {} if not traits else {"traits": list(wb.StudyConfig(traits=tuple(traits)).traits)}
    asked: dict[str, Any] = {"data": data, "judge": rater, "small": small, "settings": given}
    lacking = missing(protocol, wb.replicate.find_data(data), judged=rater is not None or small)
    if len(lacking) == len(protocol.steps):
        raise ValueError(f"No step of {protocol.name} can run: {'; '.join(dict.fromkeys(lacking.values()))}.")
    if plan:
        _plan(protocol, paper, name, price, dtype, asked, as_json)
        return
    folder = out or default_folder("replicate", protocol.name)
    loaded = load_asked(name, dtype, device, device_map)
    with continuing(folder) as check, progress_bar() as progress:
        task = progress.add_task("replicating", total=1.0)

        def report(label: str, share: float) -> None:
            check()
            progress.update(task, description=label, completed=share)

        made = wb.replicate.replicate(paper, model=loaded, name=name, folder=folder, progress=report, **asked)
        if made.study is not None:
            wb.report.write_study_report(made.study)
    _print(made, console)
    say_where(console, "\nWritten to ", folder / "replication.md", " and, as CSV, beside it.")
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "faithful": made.faithful,
                "numbers": made.table.to_dict("records"),
                "steps": made.steps.to_dict("records"),
                "deviations": [each.model_dump() for each in made.deviations],
            }
        )


def parse_judge(text: str) -> Any:
    """The judge that an option names: a TOML file, `local:NAME`, `grammar`, or a model at an endpoint.

    Raises:
        FileNotFoundError: if it ends in .toml and there is no such file.
        ValueError: if the file is no TOML, or says something a judge cannot be; names the entry.
    """
    from workbench.score.judge.settings import JudgeConfig

    if text == "grammar":
        return text
    if text.endswith(".toml"):
        try:
            content = tomllib.loads(read_text(Path(text)))
            return JudgeConfig(**content.get("judge", content))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{Path(text).name} is no TOML: {error}.") from None
        except (ValueError, TypeError) as error:
            first = str(error).splitlines()
            raise ValueError(
                f"{Path(text).name} is no judge: {' '.join(each.strip() for each in first[:3])}."
            ) from None
    if text.startswith(LOCAL):
        if not text.removeprefix(LOCAL):
            raise ValueError("A local judge is written local:NAME, e.g. local:smollm2, but it has no name.")
        return JudgeConfig(model=text.removeprefix(LOCAL), kind="local")
    return JudgeConfig(model=text)


def shown_protocol(protocol: "wb.replicate.Protocol") -> str:
    """A protocol as lines to be checked against the paper."""
    lines = [f"{protocol.title}. {protocol.citation}.", ""]
    lines += [f"{each.name}: {each.said or each.value}  [{each.where}]" for each in protocol.settings]
    for each in protocol.models:
        lines.append(
            f"{each.name}: layers {each.layers[0]}-{each.layers[1]}, q {each.quantile:g}, tau_d {each.min_d:g}"
        )
        lines[-1] += f"  [{each.where}]"
    for arm in protocol.arms:
        doses = "" if arm.doses is None else f" at {', '.join(f'{dose:g}' for dose in arm.doses)}"
        lines.append(f"{arm.name}{doses}  [{arm.where}]")
    lines += ["", *(f"{n.id}: {n.value:g}  [{n.where}]" for n in protocol.numbers)]
    return "\n".join([*lines, "", "Runs otherwise here:", *(str(each) for each in protocol.deviations)])


def _plan(
    protocol: "wb.replicate.Protocol",
    paper: str,
    model: str,
    price: str | None,
    dtype: Dtype,
    asked: dict[str, Any],
    as_json: bool,
) -> None:
    from workbench.cli.scoring import parse_price
    from workbench.score.judge.plan import Price

    cost = None if price is None else Price(*parse_price(price))
    each = 4 if dtype is Dtype.float32 else 2
    planned = wb.replicate.plan_replication(paper, model=model, price=cost, bytes_each=each, **asked)
    say_lines(terminal(stderr=as_json), planned)
    if as_json:
        content = {"paper": protocol.name, "tokens": planned.tokens, "hours": planned.hours, "memory": planned.memory}
        content |= {"price": planned.price, "not_run": dict(planned.lacking)}
        print_json({**content, "parts": planned.table.to_dict("records")})


def _print(made: "wb.replicate.Replication", console: Any) -> None:
    from workbench.replicate.telling import TITLES, compact, reading, rounded, shown

    table = Table(title=f"{made.protocol.citation} on {made.model}", title_justify="left", box=None)
    rows = shown(made.table)
    for column in map(str, rows):
        table.add_column(column, justify="right" if column in ("gamma", "paper", "ours", "n") else "left")
    for row in rows.itertuples(index=False):
        table.add_row(*map(str, row))
    console.print(table)
    say_lines(console, f"\n{reading(made)}")
    for step in made.steps.to_dict("records"):
        if not step["ran"]:
            say_lines(console, f"Not run: {step['title']} ({step['why']}).")
    if made.deviations:
        say_lines(console, f"\nOtherwise than in the paper ({len(made.deviations)}):")
        for each in made.deviations:
            say_lines(console, f"  {each}")
    for name, frame in made.added.items():
        shown_table = rounded(compact(name, frame))
        added = Table(title=f"\n{TITLES.get(name, name)}", title_justify="left", box=None)
        for column in shown_table:
            added.add_column(str(column))
        for row in shown_table.itertuples(index=False):
            added.add_row(*map(str, row))
        console.print(added)
