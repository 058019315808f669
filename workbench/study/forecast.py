"""What a study will cost on this machine: tokens, time and memory, before it runs, from a calibration of seconds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from warnings import catch_warnings, simplefilter

import pandas as pd
import torch

from workbench.arm.spec import ArmSpec
from workbench.capture.capturing import capture_sites
from workbench.capture.planning import plan_capture
from workbench.capture.settings import CaptureSettings
from workbench.capture.tally import Activations
from workbench.contrast.contrast import Contrast
from workbench.measure.effects import effect_sizes
from workbench.measure.moments import Moments
from workbench.measure.summarising import clustered_mean
from workbench.model.counted import Shape
from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.model.pace import Pace, pace_of
from workbench.outcome.outcome import MATCHED, SELECTED, AnyOutcome, TraitOutcome
from workbench.outcome.registry import Entry
from workbench.study.asking import Job
from workbench.study.config import StudyConfig
from workbench.study.fitting import fitted
from workbench.study.groups import most_conditions
from workbench.study.pairs import pairs_of
from workbench.study.plan import Plan
from workbench.study.rehearsal import Rehearsed, rehearse, stages_of
from workbench.study.statistics import trait_statistics
from workbench.vocabulary import HOOK_POST, RESID_POST, NeuronSet, Z

CALIBRATION = 20.0
"""Seconds that the calibration takes, in about; half for what is asked, half for activations and their statistics."""

_SITES = (HOOK_POST, RESID_POST, Z)
_INTERVALS = 12  # that tables hold of a cell's outcome, in about
_TRACED = (2, 6)  # pairs that are patched to see how long all take
_KEYS = 6  # how often a cell's keys are worked out


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a study will cost.

    Attributes:
        parts: a row for each part: `part`, `split` (`search`, `test` or empty), `conditions`, `prompt_tokens` computed
            in prompts and given texts, `answer_tokens` decoded, `passes` of the model, and `seconds`.
        memory: bytes by what they are for; the parts do not all stand at once, so that their sum is the most.
        calibrated: seconds that the calibration took.
        timed: the share of the passes' positions whose size was timed; the rest is fitted.
        remarks: what is not in the forecast.
    """

    parts: pd.DataFrame
    memory: dict[str, int]
    calibrated: float
    timed: float
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Of the whole study, its model loaded."""
        return float(self.parts["seconds"].sum())

    @property
    def tokens(self) -> int:
        """That the model computes, in prompts and in answers."""
        return int(self.parts["prompt_tokens"].sum() + self.parts["answer_tokens"].sum())

    @property
    def bytes(self) -> int:
        """The most memory that is needed at once, in about."""
        return sum(self.memory.values())


def forecast_study(
    config: StudyConfig,
    *,
    outcomes: Sequence[str | Entry | AnyOutcome] | None = None,
    arms: Sequence[str | ArmSpec] | None = None,
    model: Model | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Forecast:
    """What `run_study` with these arguments will cost from beginning to end; nothing is written and nothing kept.

    Prompts, batches and what cells share are those of the study itself, put to a model that counts its passes; the
    passes that weigh most are then timed. Of answers a few are generated, and all are taken to be as long. Activations
    and their statistics are those of a few pairs, in proportion.

    Args:
        seconds: that the calibration may take, in about; by default `CALIBRATION`.
        clock: gives seconds that pass.

    Raises:
        ValueError, OSError: as `run_study`, before it computes anything.
    """
    plan = Plan.of(config, outcomes, arms)
    plan.check()
    model = model or load_model(config.model, adapter=config.adapter, template=config.template)
    began = clock()
    seconds = CALIBRATION if seconds is None else seconds
    with model.templated(config.template), catch_warnings():
        simplefilter("ignore")  # the study itself will warn
        plan, _ = fitted(plan, model)
        for outcome in plan.outcomes:
            outcome.prepare(model)
        asked, counted = rehearse(plan, model, seconds=seconds / 4, clock=clock)
        shapes = [shape for each in asked for shape, count in each.shapes for _ in range(max(1, round(count)))]
        pace = pace_of(model, counted, shapes, seconds=seconds / 4, clock=clock)
        parts = [_asked(each, pace) for each in asked]
        located, kept = _located(plan, model, seconds / 2, clock)
        jobs = [job for stage in stages_of(plan, model) for job in stage]
        parts = [*located, *parts, _part("tables", seconds=_tables(plan, model, jobs, clock))]
        memory = _memory(model, shapes, counted.heads, kept, most_conditions(model, jobs))
    judged = ["what a judge behind an endpoint takes"] if config.judge is not None else []
    judged += ["what stress asks and makes again"] if plan.stressors else []
    return Forecast(pd.DataFrame(parts), memory, clock() - began, pace.share, tuple(judged))


def _part(part: str, **given: int | float | str) -> dict[str, int | float | str]:
    empty: dict[str, int | float | str] = {
        "split": "",
        "conditions": 0,
        "prompt_tokens": 0,
        "answer_tokens": 0,
        "passes": 0,
        "seconds": 0.0,
    }
    return {"part": part, **empty, **given}


def _asked(each: Rehearsed, pace: Pace) -> dict[str, int | float | str]:
    def tokens(phase: str) -> int:
        return round(sum(shape.tokens * count for shape, count in each.shapes if shape.phase == phase))

    return _part(
        each.outcome,
        split=each.split,
        conditions=each.conditions,
        prompt_tokens=tokens("prompt"),
        answer_tokens=tokens("decode"),
        passes=round(sum(count for _, count in each.shapes)),
        seconds=each.overhead + sum(pace.seconds(shape) * count for shape, count in each.shapes),
    )


def _located(
    plan: Plan, model: Model, seconds: float, clock: Callable[[], float]
) -> tuple[list[dict[str, int | float | str]], int]:
    """Activations, statistics and what is measured once for each trait, from a few pairs of the first trait.

    Returns:
        the parts, all traits together; and the bytes of the activations that one trait's statistics hold.
    """
    config = plan.config
    traits = len(config.traits)
    pairs, unseen = (pairs_of(config, config.traits[0], held_out=held_out) for held_out in (False, True))
    settings = CaptureSettings(keep=True, positive=True)
    capture_sites(model, pairs.rows(range(2)), sites=_SITES, settings=settings)  # what is done once
    count, spent = 2, 0.0
    while True:  # more pairs until they take long enough to be judged by, as a few share less and fill no batch
        few = pairs.rows(range(min(count, len(pairs))))
        started = clock()
        captured = capture_sites(model, few, sites=_SITES, settings=settings)[HOOK_POST.name]
        spent = clock() - started
        if count >= len(pairs) or spent > seconds / 8:
            break
        count *= 4
    assert isinstance(captured, Activations)
    tokens = {name: plan_capture(model, each).plan.computed for name, each in (("all", pairs), ("few", few))}
    tokens["all"] += plan_capture(model, unseen).plan.computed
    per_token = spent / max(1, tokens["few"])
    parts = [
        _part("activations", prompt_tokens=traits * tokens["all"], seconds=traits * per_token * tokens["all"]),
        _part("statistics", seconds=traits * _statistics(plan, model, captured, pairs, seconds / 2, clock)),
    ]
    per_prompt = per_token * tokens["all"] / max(1, 2 * (len(pairs) + len(unseen)))
    for outcome in plan.traced:
        took = _traced(plan, model, outcome, captured, unseen, per_prompt, seconds / 2, clock)
        parts.append(_part(outcome.name, seconds=traits * took))
    width = sum(model.width(site) for site in (HOOK_POST,)) * model.n_layers
    return parts, 4 * 2 * len(pairs) * width


def _statistics(
    plan: Plan, model: Model, captured: Activations, pairs: Contrast, seconds: float, clock: Callable[[], float]
) -> float:
    """Seconds of a trait's statistics: those of one layer and of two, as many rows as the study has."""
    layers = captured.layers if plan.config.layers is None else tuple(plan.config.layers)
    config = plan.config.model_copy(update={"layers": None})
    took = []
    for count in (1, 2):
        rows = _repeated(captured.restrict(layers[:count]), pairs)
        started = clock()
        trait_statistics(rows, pairs, model, effect_sizes(rows), config)
        took.append(clock() - started)
        if len(layers) == 1 or took[0] > seconds:
            break
    if len(took) == 1:
        return took[0] * len(layers)
    each = max(took[1] / 4, took[1] - took[0])  # the first time loads what it needs
    return took[1] + each * (len(layers) - 2)


def _repeated(captured: Activations, pairs: Contrast) -> Activations:
    """Rows as many as the pairs', drawn about those that were captured."""
    generator = torch.Generator().manual_seed(0)
    rows = {}
    for pole, values in captured.activations.items():
        count = len(pairs.poles[pole])
        noise = 1 + 0.1 * torch.randn(count, *values.shape[1:], generator=generator)
        rows[pole] = (values.float()[torch.arange(count) % len(values)] * noise).to(values.dtype)
    ids = {"description": {pole: tuple(pairs.descriptions[pole]) for pole in rows if pole in pairs.descriptions}}
    ids["question"] = {pole: tuple(pairs.questions) for pole in rows} if pairs.questions else {}
    return replace(
        captured,
        moments={pole: Moments.of(values) for pole, values in rows.items()},
        activations=rows,
        prompts={pole: torch.arange(len(values)) for pole, values in rows.items()},
        positions={pole: torch.full((len(values),), -1) for pole, values in rows.items()},
        ids=ids,
    )


def _traced(
    plan: Plan,
    model: Model,
    outcome: TraitOutcome,
    captured: Activations,
    unseen: Contrast,
    per_prompt: float,
    seconds: float,
    clock: Callable[[], float],
) -> float:
    """Seconds of what is measured once for a trait: by those of a few pairs and of more, if there is time for them."""
    most = int(getattr(outcome, "patching_pairs", len(unseen)))
    guess = outcome.work("test") * per_prompt
    most = min(most, len(unseen))
    if most <= _TRACED[-1] or guess * _TRACED[-1] / most > 2 * seconds:
        return guess
    chosen = NeuronSet.of((layer, unit) for layer in captured.layers for unit in range(4))
    other = NeuronSet.of((layer, unit) for layer in captured.layers for unit in range(4, 8))
    sets = {SELECTED: chosen, MATCHED: other}
    took = []
    for few in _TRACED:
        started = clock()
        outcome.trace(model, unseen.rows(range(few)), sets, resamples=plan.config.resamples, seed=plan.config.seed)
        took.append(clock() - started)
    each = max((took[1] - took[0]) / (_TRACED[1] - _TRACED[0]), took[1] / _TRACED[1] / 4)
    return took[1] + each * (most - _TRACED[1])


def _tables(plan: Plan, model: Model, jobs: Sequence[Job], clock: Callable[[], float]) -> float:
    """Seconds of cells' keys and files, and of the intervals in the tables that compare arms."""
    rows = pd.DataFrame({"trait": "one", "item": [str(i % 24) for i in range(48)], "value": [i % 5 for i in range(48)]})
    times = []
    for _ in range(3):
        started = clock()
        clustered_mean(rows, "value", "item", resamples=plan.config.resamples)
        times.append(clock() - started)
    once = []
    for _ in range(2):
        started = clock()
        jobs[0].steps(model)
        once.append(clock() - started)
    keys = once[1] / len(jobs[0].outcomes)
    ways = 1 + len(plan.config.traits)
    return once[0] + sum(len(job.outcomes) for job in jobs) * (_INTERVALS * ways * min(times) + _KEYS * keys)


def _memory(
    model: Model, shapes: Sequence[Shape], heads: Sequence[tuple[tuple[int, int], ...]], kept: int, most: int
) -> dict[str, int]:
    """Bytes by what they are for."""
    size = model.runner.embedding.element_size()
    position = size * sum(heads * width for both in heads for heads, width in both)
    weights = sum(each.numel() * each.element_size() for each in model.network.parameters())
    vocabulary = int(model.runner.embedding.shape[0])
    distinct = set(shapes)
    return {
        "weights": weights,
        "keys and values": 2 * max((s.rows * (s.past + s.new) * position for s in distinct), default=0),
        "logits": 2 * max((4 * s.rows * s.last * vocabulary for s in distinct), default=0),
        "edits": 4 * most * model.n_layers * model.d_mlp,
        "activations": kept,
    }
