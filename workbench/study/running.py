"""A study from its file to its folder: locate, build arms, choose a dose, ask, compare, judge."""

import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from workbench.arm.building import Steering, build_arms, digest_of, empty_traits
from workbench.arm.context import Located
from workbench.arm.registry import LARGEST_MIN_D
from workbench.arm.spec import ArmSpec
from workbench.digest import VERSION, code_of, key_of
from workbench.edit.prompting import Instruction
from workbench.model.embedded import words_of
from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.model.reaching import check_cluster
from workbench.outcome.outcome import AnyOutcome
from workbench.outcome.registry import Entry
from workbench.outcome.results import Results
from workbench.select.near import EmptySelectionError
from workbench.study.asking import ask_jobs
from workbench.study.attainable import warn_unattainable
from workbench.study.candidates import choose_layers, layer_work
from workbench.study.choosing import choose_dose
from workbench.study.claims import judge_claims
from workbench.study.config import StudyConfig
from workbench.study.fitting import fitted
from workbench.study.frames import content_of, first_draws, in_scope, of_traits, stacked
from workbench.study.jobs import arm_jobs, swept_jobs, total_work, unedited_job, with_twins
from workbench.study.meter import Meter, Progress
from workbench.study.moved import moved_in
from workbench.study.plan import Plan
from workbench.study.store import Store
from workbench.study.study import Study, load_study
from workbench.study.sweeping import swept_arms
from workbench.study.tables import Answered, above_table, arm_table, compared_tables, selection_tables, with_apart
from workbench.study.traits import locate_traits, trace_traits
from workbench.study.warned import warnings_kept


def run_study(
    config: StudyConfig,
    folder: str | Path,
    *,
    outcomes: Sequence[str | Entry | AnyOutcome] | None = None,
    arms: Sequence[str | ArmSpec] | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
) -> Study:
    """Run a study into a folder, or finish one that was begun there.

    Every step is kept as it is done, keyed by all that it depends on, its code included: killed at any moment, a
    second run continues, and a changed setting recomputes what it touches and nothing else.

    Args:
        outcomes: what is measured, instead of what the configuration names: names, entries as a file has them, or
            outcomes of your own.
        arms: what is compared, instead of what the configuration names: names, or arms of your own. The
            configuration's `method` is one of them.
        model: by default the configuration's. Its template variables hold, and the configuration's before them; the
            folder's study.toml has both.
        progress: is called with what has been done and the share of the work that is done.

    Raises:
        ValueError: if a file of the folder is not as the study wrote it, arms and outcomes do not make a study, or
            an outcome cannot measure this model, as where it scores by what is of the embedded model alone.
        RuntimeError, ConnectionError, PermissionError: as the study's judge, what was judged is kept; or if no Ray
            cluster answers at the address that is asked for.
    """
    plan = Plan.of(config, outcomes, arms)
    plan.check()
    with warnings_kept() as warnings:
        warn_unattainable(plan)
        if config.engine == "ray" and not _is_begun(Path(folder)):
            check_cluster(config.address)
        model = model or load_model(config.model, adapter=config.adapter, template=config.template)
        with model.templated(config.template):
            plan, preset = fitted(plan, model)
            store = Store(folder)
            store.manifest["preset"] = None if preset is None else str(preset)
            return _run(plan, store, model, progress, warnings)


def _is_begun(folder: Path) -> bool:
    """Whether a folder may hold all that a cluster would compute, so that none is needed until something lacks."""
    return folder.is_dir() and any(folder.iterdir())


def _run(plan: Plan, store: Store, model: Model, progress: Progress | None, warnings: list[str]) -> Study:
    """The study in its folder; `warnings` fills with those that the run raises."""
    config = plan.config
    for outcome in plan.outcomes:
        outcome.prepare(model)
    for outcome in plan.outcomes:
        outcome.reach(model, store.folder)
    _begin(plan, store, model)
    meter = Meter(total_work(plan) + layer_work(plan, model.n_layers), progress)

    located, made = locate_traits(model, config, store, meter)
    made |= selection_tables(located)
    for traced in plan.traced:
        made |= trace_traits(model, config, store, located, traced, meter)
    base = unedited_job(plan)
    unedited, _ = ask_jobs(model, config, store, [base], meter)
    for outcome in base.outcomes:
        outcome.refuse(unedited[outcome.name], model)

    located, tried = choose_layers(plan, located, model, store, meter)
    if len(tried):
        made["layers_tried"] = tried
    words = {"seed": config.seed, "speaks": words_of(model), "style": config.style, "concepts": config.concepts}
    empty = empty_traits(plan.method, located, model, **words)
    asked, plan = plan, plan.standing_in(empty)
    building = {"method": asked.method, "draws": config.draws, "empty": empty, **words}
    arms, left_out = build_arms(plan.arms, located, model, **building)
    if empty:
        made["above_tau_q"] = above_table(located)
    gamma, made["search"] = choose_dose(plan, arms[plan.method.name], model, store, meter)
    jobs, twins = arm_jobs(plan, arms, gamma)
    frames, counts = ask_jobs(model, config, store, [base, *jobs], meter)
    frames = {name: with_twins(frame, twins, arms, config) for name, frame in frames.items()}
    other_arms, not_swept = swept_arms(asked, located, model, [trait for trait in located if trait not in empty])
    sweep = swept_jobs(plan, other_arms, gamma)
    swept, swept_counts = ask_jobs(model, config, store, sweep, meter) if sweep else ({}, counts.head(0))
    made["edited"] = stacked([with_twins(counts, twins, arms, config), swept_counts])
    made["arms"] = arm_table(arms, left_out)

    results = Results(
        frames={name: first_draws(in_scope(frame, config.scope)) for name, frame in frames.items()},
        arms={name: arm.spec for name, arm in arms.items()},
        method=plan.method.name,
        gamma=gamma,
        traits=config.traits,
        target=plan.target,
        costs=plan.costs,
        resamples=config.resamples,
        seed=config.seed,
        settings=config.settings,
        tables=made,
    )
    sizes = pd.concat([arm.sizes() for arm in (*arms.values(), *other_arms.values())], ignore_index=True)
    tables = _tables(plan, store, results, Answered(frames, swept, sizes), empty)
    empty = {
        trait: error if (moved := moved_in(tables, trait)) is None else error.with_moved(moved)
        for trait, error in empty.items()
    }
    findings = judge_claims(asked, replace(results, tables=tables), empty)
    _write_edits(
        store, {**(arms[LARGEST_MIN_D.name].steering if empty else {}), **arms[plan.method.name].steering}, gamma
    )
    store.describe(
        method=plan.method.name,
        stand_ins=_stand_ins(asked, located, empty),
        gamma=gamma,
        twins=twins,
        left_out=left_out | not_swept,
        # What an earlier run warned of holds for the steps that it left.
        warnings=list(dict.fromkeys([*store.manifest.get("warnings", []), *warnings])),
        findings=[finding.entry() for finding in findings],
    )
    meter.finish("comparisons")
    return load_study(store.folder)


def _begin(plan: Plan, store: Store, model: Model) -> None:
    """What the manifest and the folder say before any step; a study that is being changed is not finished."""
    store.manifest.pop("findings", None)
    store.describe(
        model=model.name,
        model_fingerprint=model.fingerprint,
        weights=model.weights,
        template=model.template,
        rendering=str(model.rendering),
        rendering_remarks=model.rendering_remarks,
        method=plan.method.name,
        target=plan.target.name,
        quantities=[
            {"outcome": each.name, "cluster": each.cluster, "compared": each in plan.compared}
            | {"name": one.name, "role": one.role, "label": one.label, "unit": one.unit, "margin": one.margin}
            for each in plan.outcomes
            for one in each.quantities
        ],
        concepts={trait: plan.config.concept(trait).record for trait in plan.config.traits},
        seed=plan.config.seed,
        machine={"system": platform.system(), "processor": platform.machine(), "threads": torch.get_num_threads()},
        versions={"workbench": VERSION, "python": platform.python_version(), "torch": torch.__version__},
    )
    for file, concept in plan.config.concept_files.items():
        store.text(file, concept.toml())
    store.text("study.toml", plan.config.toml())


def _tables(
    plan: Plan, store: Store, results: Results, answered: Answered, empty: Collection[str]
) -> dict[str, pd.DataFrame]:
    """Every table, kept in the study's folder; traits of which the method selects nothing are compared apart."""
    measured = {**answered.frames, **{f"swept {name}": frame for name, frame in answered.swept.items()}}
    key = key_of(
        settings=plan.config.entries,
        outcomes=[outcome.key("test") for outcome in plan.outcomes],
        arms=[[name, spec.role, spec.claimed_as] for name, spec in results.arms.items()],
        gamma=results.gamma,
        measured={name: content_of(frame) for name, frame in sorted(measured.items())},
        made={name: content_of(frame) for name, frame in sorted(results.tables.items())},
        sizes=content_of(answered.sizes),
        code=code_of("workbench.study.tables"),
    )

    def make() -> dict[str, pd.DataFrame]:
        if not empty or set(empty) == set(results.traits):
            return {**results.tables, **compared_tables(plan, results, answered)}
        others = [trait for trait in results.traits if trait not in empty]
        tables = compared_tables(plan, _only(results, answered, others), answered.of(others))
        apart = replace(plan, method=plan.stand_in)
        there = replace(_only(results, answered, list(empty)), method=plan.stand_in.name)
        left = compared_tables(apart, there, replace(answered.of(list(empty)), swept={}))
        return {**results.tables, **with_apart(tables, left, empty)}

    return store.frames("tables/", key, make)


def _only(results: Results, answered: Answered, traits: Sequence[str]) -> Results:
    """The results on some traits, with the arms that ran for them."""
    sizes = answered.sizes
    ran = set(sizes.loc[sizes["trait"].isin(traits), "arm"])
    return replace(
        results,
        frames={name: of_traits(frame, traits) for name, frame in results.frames.items()},
        arms={name: spec for name, spec in results.arms.items() if name in ran},
        tables={name: of_traits(table, traits) for name, table in results.tables.items()},
        traits=tuple(traits),
    )


def _stand_ins(
    asked: Plan, located: Mapping[str, Located], empty: Mapping[str, EmptySelectionError]
) -> dict[str, dict[str, object]]:
    """By trait of which the method selects nothing: what stands for it, and why."""
    return {
        trait: {
            "method": asked.method.name,
            "arm": LARGEST_MIN_D.name,
            "min_d": located[trait].reachable_min_d,
            "high": len(located[trait].standing.high),
            "low": len(located[trait].standing.low),
            "why": str(error),
        }
        for trait, error in empty.items()
    }


def _write_edits(store: Store, steering: Mapping[tuple[str, str], Steering], gamma: float) -> None:
    """The edits of the arm under test at the chosen dose, or of what stands for it, by trait and direction."""
    for (trait, direction), does in steering.items():
        if not isinstance(does, Instruction):
            edit = does.with_gamma(gamma)
            key = key_of(edit=digest_of(edit), code=code_of("workbench.edit.edit"))
            store.step(f"edits/{trait}-{direction}", key, lambda edit=edit: {"": edit})
