"""Commands on one trait: read activations, find its neurons, steer."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

import workbench as wb
from workbench.cli.application import app
from workbench.cli.nearness import nearness, telling_how_near
from workbench.cli.options import (
    Adapter,
    AnyWeights,
    Device,
    DeviceMap,
    Dtype,
    Json,
    ModelName,
    PairsFile,
    PersonaStyle,
    Precision,
    Template,
    TraitName,
    check_edit,
    contrast_of,
    default_folder,
    load_asked,
    pairs_asked,
    parse_layers,
    steering_asked,
)
from workbench.cli.stopping import continuing, kept_when_stopped
from workbench.cli.telling import print_json, progress_bar, say, say_lines, say_where, terminal
from workbench.concept.texts import EXPLICIT
from workbench.model.reaching import check_cluster
from workbench.select.settings import RULES, RuleSettings
from workbench.vocabulary import SITES, Scope
from workbench.whole import is_empty, whole_folder

_PRESET = "By default what was published for the model's architecture and size, where known; otherwise"
_LEDGER = "capture.json"  # what a capture's folder calls it
_RECORD = "located.json"  # what `write_located` calls it
RANKED_BY = ("cohens_d", "mean_difference", "write_norm")


@app.command(
    help="Find a trait's neurons: effects, selection and edits, written to a folder.\n\n"
    "Example: workbench locate --trait Extraversion --pairs pairs.jsonl --out runs/extraversion"
)
def locate(
    trait: TraitName = None,
    model: ModelName = "testbed",
    adapter: Adapter = None,
    pairs: PairsFile = None,
    style: PersonaStyle = EXPLICIT,
    n: Annotated[int, typer.Option("--n", min=2, help="Pairs drawn from a bank.")] = 400,
    quantile: Annotated[
        float | None,
        typer.Option(help=f"q of tau_q: |s| must exceed its layer's q-quantile. {_PRESET} {RuleSettings.quantile}."),
    ] = None,
    min_d: Annotated[
        float | None,
        typer.Option("--min-d", help=f"tau_d: |Cohen's d| must exceed it. {_PRESET} {RuleSettings.min_d}."),
    ] = None,
    layers: Annotated[str | None, typer.Option(help=f"Layers, e.g. 12-31 or 0,2,5-7. {_PRESET} all.")] = None,
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
    template: Template = None,
    as_json: Json = False,
) -> None:
    wanted = parse_layers(layers)
    if rule == "top-k" and k is None:
        raise ValueError("The top-k rule needs --k, the number of neurons, but none arrived.")
    thresholds = {"quantile": quantile, "min_d": min_d}
    given: dict[str, Any] = {name: value for name, value in thresholds.items() if value is not None}
    settings = RuleSettings(rule=rule, within=within, by=by, k=k, alpha=alpha, **given)
    if by not in RANKED_BY:
        raise ValueError(f"top-k ranks by one of {', '.join(RANKED_BY)}, but {by!r} arrived.")
    clusters = None if cluster is None else [kind for kind in cluster if kind != "none"]
    wb.CaptureSettings(clusters=clusters or ())  # refuses what is no kind of cluster
    drawn = pairs_asked(trait, model, pairs, n, seed, style=style)
    folder = out or default_folder("locate", drawn.trait.casefold())
    captured = folder.absolute().with_name(f".{folder.absolute().name}-capture")
    with whole_folder(folder, mark=_RECORD) as temporary, kept_when_stopped(captured):
        from workbench.report.terminal import selection_table
        from workbench.study.located import locate_trait, write_located

        contrast = contrast_of(drawn, read=pairs is not None)
        loaded = load_asked(model, dtype, device, device_map, adapter, template)
        preset = wb.select.preset_of(loaded)
        if preset is not None:
            say(str(preset))
            wanted = list(preset.layers) if wanted is None else wanted
            published = {name: getattr(preset.rule, name) for name in thresholds}
            settings = replace(settings, **published | given)
        with continuing(captured) as check, progress_bar() as progress:
            task = progress.add_task(f"{contrast.trait}: activations", total=None)

            def advance(done: int, total: int) -> None:
                check()
                progress.update(task, completed=done, total=total)

            with telling_how_near(loaded, contrast, trait):
                located = locate_trait(
                    loaded,
                    contrast,
                    rule=settings,
                    layers=wanted,
                    weighted=weighted,
                    clusters=clusters,
                    folder=captured,
                    progress=advance,
                )
        files = write_located(located, temporary)
    selection = located.selection
    console = terminal(stderr=as_json)
    say_lines(console, f"{selection!r}\nfrom {contrast!r}")
    console.print(selection_table(selection))
    for line in nearness(located.effects, settings):
        say_lines(console, line)
    if located.remark:
        say_lines(console, located.remark, style="yellow")
    say_where(console, "Written to ", folder, f": {', '.join(files)}")
    if as_json:
        print_json(json.loads((folder / _RECORD).read_text(encoding="utf-8")) | {"folder": str(folder)})


@app.command(
    help="Read activations into a folder: moments by pole, and whatever else the options ask for. A run that was "
    "stopped or killed continues when it is run again; --plan prints what it would take and stops.\n\n"
    "Example: workbench capture --trait Openness --site hook_post --site resid_post --cluster description "
    "--out runs/openness"
)
def capture(
    out: Annotated[Path, typer.Option(help="The capture's folder.")],
    trait: TraitName = None,
    model: ModelName = "testbed",
    adapter: Adapter = None,
    pairs: PairsFile = None,
    style: PersonaStyle = EXPLICIT,
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
        list[str] | None,
        typer.Option(
            help="description or question: keep separate moments for each; may be repeated; or none. By default "
            "descriptions, where prompts are said several times."
        ),
    ] = None,
    positive: Annotated[bool, typer.Option("--positive", help="Count the rows above zero.")] = False,
    sample: Annotated[int, typer.Option(help="Rows of each pole kept in a uniform sample, for quantiles.")] = 0,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens computed in one batch.")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray for many machines.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster: HOST:PORT, ray://HOST:PORT, auto or local.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="How many Ray workers.")] = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Print what it would take, and stop.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pairs.")] = 0,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    device_map: DeviceMap = None,
    template: Template = None,
    as_json: Json = False,
) -> None:
    settings = wb.CaptureSettings(
        layers=parse_layers(layers),
        position=int(position) if re.fullmatch("-?[0-9]{1,9}", position) else position,
        keep=keep,
        keep_dtype=keep_dtype,
        clusters=None if cluster is None else tuple(kind for kind in cluster if kind != "none"),
        positive=positive,
        sample=sample,
        max_tokens=max_tokens,
        engine=engine,
        address=address,
        workers=workers,
    )
    unknown = [name for name in site if name not in SITES]
    if unknown:
        raise ValueError(f"There is no site {unknown[0]!r}. Choose one of {', '.join(SITES)}.")
    drawn = pairs_asked(trait, model, pairs, n, seed, style=style)
    if not only_plan and out.exists() and not (out / _LEDGER).is_file() and not (out.is_dir() and is_empty(out)):
        raise ValueError(f"{out} exists already and holds no capture. Choose another folder.")
    contrast = contrast_of(drawn, read=pairs is not None)
    if engine == "ray" and not only_plan:
        check_cluster(address)
    loaded = load_asked(model, dtype, device, device_map, adapter, template)
    planned = wb.plan_capture(loaded, contrast, sites=site, settings=settings)
    console = terminal(stderr=as_json)
    say_lines(console, planned)
    if not only_plan:
        with continuing(out) as check, progress_bar() as progress:
            task = progress.add_task(f"{contrast.trait}: activations", total=planned.plan.prompts)

            def advance(done: int, total: int) -> None:
                check()
                progress.update(task, completed=done, total=total)

            tallies = wb.capture_sites(loaded, contrast, sites=site, settings=settings, folder=out, progress=advance)
        for tally in tallies.values():
            say_lines(console, repr(tally))
        say_where(console, "Written to ", out)
    if as_json:
        plan = planned.plan
        content = {"prompts": plan.prompts, "tokens": plan.tokens, "computed": plan.computed}
        print_json(
            content | {"memory": planned.memory, "disk": planned.disk, "folder": None if only_plan else str(out)}
        )


@app.command(
    help="Answer prompts with and without an edit, side by side.\n\n"
    "Example: workbench steer runs/extraversion/increase.safetensors 'What do you do at the party?' --gamma 0.75"
)
def steer(
    edit: Annotated[Path, typer.Argument(help="An edit, or another tool's steering file or folder.")],
    prompts: Annotated[list[str], typer.Argument(help="One or more prompts.")],
    model: ModelName = "testbed",
    adapter: Adapter = None,
    gamma: Annotated[float | None, typer.Option(help="The dose; by default the edit's own.")] = None,
    scope: Annotated[Scope, typer.Option(help="Which positions are edited; decode is as published.")] = "generated",
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Most new tokens of each answer.")] = 64,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    any_weights: AnyWeights = False,
    dtype: Precision = Dtype.float32,
    device: Device = None,
    template: Template = None,
    as_json: Json = False,
) -> None:
    check_edit(edit, gamma)
    if not all(prompt.strip() for prompt in prompts):
        raise ValueError("A prompt needs text, but an empty one arrived.")

    from workbench.report.terminal import answers_table

    loaded = load_asked(model, dtype, device, adapter=adapter, template=template)
    steering = steering_asked(edit, loaded, gamma, any_weights=any_weights)
    asked = [wb.Prompt(prompt, system) for prompt in prompts]

    def answers() -> list[str]:
        return loaded.generate(asked, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)

    base = answers()
    with wb.edited(loaded, steering, scope=scope) as run:
        steered = answers()
    answered = zip(prompts, base, steered, strict=True)
    rows = [{"prompt": prompt, "base": before, "steered": after} for prompt, before, after in answered]
    console = terminal(stderr=as_json)
    console.print(answers_table(f"{steering!r}, scope {scope}", rows))
    if as_json:
        print_json({"answers": rows, "gamma": steering.gamma, "scope": scope, "edited_pairs": dict(run.pairs)})
