"""Outcomes of a model, edited or not: the harness' tasks, and judges of open answers."""

import json
import math
from enum import StrEnum
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

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
from workbench.cli.stopping import continuing
from workbench.cli.telling import print_json, progress_bar, say_lines, say_where, terminal
from workbench.printable import one_line
from workbench.score.judge.endpoint import API_KEY, default_url
from workbench.score.judge.terms import LIMIT
from workbench.vocabulary import Scope


class OnFailure(StrEnum):
    """What requests that failed do to a run of judging."""

    end = "raise"
    missing = "missing"


_RESULTS = ("arm", "trait", "direction", "gamma", "task", "metric", "value", "stderr", "n")
_COMPARED = (
    "arm",
    "gamma",
    "trait",
    "task",
    "change",
    "low",
    "high",
    "lower",
    "mcnemar_p",
    "p_holm",
    "non_inferior",
    "n",
)


@app.command(
    help="Run tasks of lm-evaluation-harness on a model, unedited and under each edit. Every sample is kept, and each "
    "edit is compared with the unedited model, sample by sample. A run that was stopped continues in its folder.\n\n"
    "Example: workbench evaluate --tasks gsm8k,mmlu --edit increase.safetensors --out runs/capability"
)
def evaluate(
    tasks: Annotated[str, typer.Option(help="Tasks, groups or task files of the harness, separated by commas.")],
    out: Annotated[Path, typer.Option(help="The folder that keeps samples and results.")],
    model: ModelName = "testbed",
    adapter: Adapter = None,
    edit: Annotated[list[Path] | None, typer.Option(help="An edit, of any kind; may be repeated.")] = None,
    gamma: Annotated[float | None, typer.Option(help="The dose; by default each edit's own.")] = None,
    scope: Annotated[Scope, typer.Option(help="Which positions are edited; decode is as published.")] = "generated",
    limit: Annotated[float | None, typer.Option(help="Documents of each task, or a share of them below 1.")] = None,
    fewshot: Annotated[int | None, typer.Option(help="Examples before each question; the task's own number.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Apply the chat template.")] = False,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Overrides the tasks' own number.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="TASK=FILE: a task on your own file instead of the hub's.")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="TASK=METRIC: a task's main metric.")] = None,
    include_path: Annotated[Path | None, typer.Option(help="A folder of further task files.")] = None,
    margin: Annotated[float, typer.Option(help="Loss of accuracy that non-inferiority tolerates.")] = 0.05,
    any_weights: AnyWeights = False,
    seed: Annotated[int, typer.Option(help="Seed of few-shot examples, sampling and intervals.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    template: Template = None,
    as_json: Json = False,
) -> None:
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    if not names:
        raise ValueError(f"--tasks names one task or more, e.g. gsm8k,mmlu, but {tasks!r} arrived.")
    files = _by_name(data, "--data")
    strange = sorted(set(files) - set(names))
    if strange:
        raise ValueError(f"--data names tasks that --tasks does not: {', '.join(strange)}.")
    metrics = _by_name(metric, "--metric") or None
    for path in [*map(Path, files.values()), *(() if include_path is None else (include_path,))]:
        if not path.exists():
            raise FileNotFoundError(f"There is no file {path}.")
    for path in edit or ():
        check_edit(path, gamma)
    if find_spec("lm_eval") is None:
        raise ImportError(
            "Harness tasks need lm-evaluation-harness. Install it with: pip install 'dpn-workbench[harness]'."
        )
    loaded = load_asked(model, dtype, device, adapter=adapter, template=template)
    edits = [steering_asked(path, loaded, gamma, any_weights=any_weights) for path in edit or ()]
    conditions = [wb.score.Condition.unedited(trait) for trait in dict.fromkeys(one.trait for one in edits)]
    conditions = conditions or [wb.score.Condition.unedited("none")]
    conditions += [wb.score.Condition(one.method, one.trait, one.direction, one.gamma, one) for one in edits]
    specs = [
        wb.score.local_task(name, files[name], include_path=include_path) if name in files else name for name in names
    ]
    with continuing(out) as check, progress_bar() as progress:
        task = progress.add_task("tasks", total=1.0)

        def report(label: str, share: float) -> None:
            check()
            progress.update(task, description=label, completed=share)

        outcomes = wb.score.evaluate_harness(
            loaded,
            conditions,
            specs,
            scope=scope,
            limit=int(limit) if limit is not None and limit >= 1 else limit,
            fewshot=fewshot,
            chat=chat,
            max_new_tokens=max_new_tokens,
            metrics=metrics,
            folder=out,
            include_path=include_path,
            seed=seed,
            progress=report,
        )
    compared = wb.measure.compare_arms(outcomes.graded, margin=margin) if edits and len(outcomes.graded) else None
    console = terminal(stderr=as_json)
    console.print(_table("Results", outcomes.aggregate, _RESULTS))
    if compared is not None:
        console.print(_table("Against the unedited model, paired", compared, _COMPARED))
    say_where(console, "Kept in ", out)
    if as_json:
        print_json(
            {
                "folder": str(out),
                "results": outcomes.aggregate.to_dict("records"),
                "compared": None if compared is None else compared.to_dict("records"),
            }
        )


@app.command(
    help="Have open answers rated from 1 to 5 by a judge behind any OpenAI-compatible endpoint. Trait and fluency are "
    "rated in separate requests, and the judge never sees the arm. The key comes from OPENAI_API_KEY, or from the "
    "variable of --key-variable. A parameter that the server says it does not take is renamed or left out, which is "
    "reported. Ratings are kept, so no answer is rated twice.\n\n"
    "Example: workbench judge answers.parquet --judge gpt-4.1-mini --out runs/judged --plan"
)
def judge(
    answers: Annotated[Path, typer.Argument(help="A jsonl, csv or parquet table: question, answer, trait.")],
    out: Annotated[Path, typer.Option(help="The folder that keeps every request and reply, and judged.parquet.")],
    named: Annotated[
        list[str], typer.Option("--judge", help="The judge's model name; several are compared with each other.")
    ],
    base_url: Annotated[str | None, typer.Option(help="The endpoint; by default OPENAI_BASE_URL, or OpenAI's.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of a reply; reasoning models need more.")] = 32,
    limit: Annotated[str, typer.Option(help="The parameter that carries them, e.g. max_completion_tokens.")] = LIMIT,
    temperature: Annotated[str, typer.Option(help="A number, or none to send none.")] = "0",
    judge_seed: Annotated[int | None, typer.Option(help="A seed that is sent with each request.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema/--no-schema", help="Ask for ratings by a JSON schema, or in plain text.")
    ] = True,
    extra: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: a further parameter of each request; VALUE may be JSON.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: a further header; the value $NAME is that variable.")
    ] = None,
    key_variable: Annotated[str, typer.Option(help="The environment variable that holds the key.")] = API_KEY,
    revision: Annotated[str, typer.Option(help="Distinguishes servers with different models under one name.")] = "",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for a reply.")] = 60.0,
    retries: Annotated[int, typer.Option(min=0, help="How often a failed request is sent again.")] = 6,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests under way at a time.")] = 8,
    on_failure: Annotated[
        OnFailure, typer.Option(help="What failed requests do: end the run, or leave their ratings missing.")
    ] = OnFailure.end,
    price: Annotated[
        list[str] | None, typer.Option(help="JUDGE=PROMPT/ANSWER: what a million tokens of each cost, for the plan.")
    ] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Print what it would take, and stop.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the order in which answers are rated.")] = 0,
    as_json: Json = False,
) -> None:
    prices = {name: parse_price(text) for name, text in _by_name(price, "--price").items()}
    url = base_url or default_url()
    judges = [
        wb.score.EndpointJudge(
            name,
            base_url=url,
            max_tokens=max_tokens,
            limit=limit,
            temperature=_temperature(temperature),
            seed=judge_seed,
            structured=schema,
            extra={name: _json_or_text(text) for name, text in _by_name(extra, "--extra").items()},
            headers=_by_name(header, "--header"),
            key_variable=key_variable,
            revision=revision,
            timeout=timeout,
            retries=retries,
            concurrency=concurrency,
        )
        for name in named
    ]

    from workbench.contrast.tables import read_table
    from workbench.score.judge.judging import judgement_counts
    from workbench.score.judge.plan import Price, plan_judging

    frame = read_table(answers)
    planned = plan_judging(frame, judges, folder=out, prices={name: Price(*pair) for name, pair in prices.items()})
    console = terminal(stderr=as_json)
    say_lines(console, planned)
    content: dict[str, Any] = {"plan": planned.table.to_dict("records"), "folder": None if only_plan else str(out)}
    if not only_plan:
        for one in judges:
            one.client().close()  # a missing key is reported before anything is asked
        with continuing(out) as check, progress_bar() as progress:
            task = progress.add_task("judging", total=1.0)

            def report(label: str, share: float) -> None:
                check()
                progress.update(task, description=label, completed=share)

            judged = wb.score.judge_answers(
                frame, judges, folder=out, seed=seed, on_failure=on_failure.value, progress=report
            )
        judged.to_parquet(out / "judged.parquet", index=False)
        counts = judgement_counts(judged)
        console.print(_table("Ratings", counts, tuple(counts.columns)))
        content["counts"] = counts.to_dict("records")
        if len(judges) > 1:
            import pandas as pd

            pairs = list(combinations((one.name for one in judges), 2))
            agreed = pd.concat([wb.score.judge_agreement(judged, *pair) for pair in pairs], ignore_index=True)
            console.print(_table("Agreement between judges", agreed, tuple(agreed.columns)))
            content["agreement"] = agreed.to_dict("records")
        say_where(console, "Written to ", out / "judged.parquet")
    if as_json:
        print_json(content)


def _by_name(pairs: list[str] | None, option: str) -> dict[str, str]:
    """The values of NAME=VALUE options, by name."""
    named = {}
    for text in pairs or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{option} is written NAME=VALUE, but {text!r} arrived.")
        named[name] = value
    return named


def _temperature(text: str) -> float | None:
    """A temperature of 0 or more; None for `none`."""
    if text.strip().lower() == "none":
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise ValueError(f"--temperature is a number of 0 or more, or none, but {text!r} arrived.")
    return number


def _json_or_text(text: str) -> Any:
    """The value that a text holds as JSON, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse_price(text: str) -> tuple[float, float]:
    """What a million prompt and answer tokens cost."""
    prompt, slash, answer = text.partition("/")
    try:
        return float(prompt), float(answer if slash else prompt)
    except ValueError:
        raise ValueError(f"A price is written PROMPT/ANSWER, e.g. 0.4/1.6, but {text!r} arrived.") from None


def _table(title: str, frame: Any, columns: tuple[str, ...]) -> Table:
    """A frame's columns as a terminal shows them."""
    import pandas as pd

    table = Table(title=title, title_justify="left", box=None)
    for name in columns:
        table.add_column(name, justify="right" if pd.api.types.is_numeric_dtype(frame[name]) else "left")
    for row in frame[list(columns)].itertuples(index=False):
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else one_line(value) for value in row))
    return table
