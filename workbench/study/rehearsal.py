"""A study's questions put to a model that counts its passes: cells, batches and shared prompts are the study's."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pandas as pd
import torch

from workbench.arm.building import Arm, Steering
from workbench.arm.context import ArmContext
from workbench.arm.spec import ArmSpec
from workbench.edit.edit import Edit
from workbench.edit.prompting import Instruction
from workbench.model.counted import CountingRunner, Shape, counting
from workbench.model.embedded import words_of
from workbench.model.model import Model
from workbench.outcome.outcome import Outcome
from workbench.score.perplexity.scoring import own_answers_apart
from workbench.study.asking import Job
from workbench.study.cells import ROWS, Cell, ask_cells
from workbench.study.groups import groups_of, most_conditions
from workbench.study.jobs import arm_jobs, search_jobs, swept_jobs, unedited_job
from workbench.study.plan import Plan
from workbench.study.sweeping import swept_name, swept_specs
from workbench.vocabulary import Direction

_SHARE = 0.005  # of a layer's neurons that a stand-in edit touches, as a rule at its default quantile does


@dataclass(frozen=True)
class Rehearsed:
    """What one outcome does in one split, in all cells together.

    Attributes:
        outcome, split: which.
        conditions: how many conditions it is asked in.
        shapes: the passes, with those of what was rehearsed once and comes again as often as it comes.
        overhead: seconds of all else that it does, counted likewise.
        share: of its conditions, those that were rehearsed or equal one that was; the others are in proportion.
    """

    outcome: str
    split: str
    conditions: int
    shapes: tuple[tuple[Shape, float], ...]
    overhead: float
    share: float


@dataclass
class _Known:
    """What was rehearsed: the first time, which computes the prompts, and the second, which finds them there."""

    shapes: list[list[Shape]]
    seconds: list[float]
    rows: list[pd.DataFrame]


def rehearse(
    plan: Plan, model: Model, *, seconds: float, clock: Callable[[], float] = time.perf_counter, sample: bool = True
) -> tuple[list[Rehearsed], CountingRunner]:
    """Every outcome in every cell of the study, asked of `counting(model)`.

    Cells that equal others but for their edits are rehearsed twice and counted as often as they come. Of what there is
    no time for, the unedited model and one other cell are rehearsed, and the rest is counted in proportion.

    Args:
        seconds: how long this may take, in about.
        sample: as `counting` takes it.

    Returns:
        What each outcome does in each split; and the runner that counted it.
    """
    stages = stages_of(plan, model)
    began = clock()
    known: dict[tuple, _Known] = {}
    totals: dict[tuple[str, str], _Total] = {}
    with counting(model, sample=sample) as counted, model.sharing(), own_answers_apart():
        for jobs in stages:
            for group in groups_of(jobs, most_conditions(model, jobs)):
                rows: list[dict[str, pd.DataFrame]] = [{} for _ in group]
                for outcome, together in _asked(group):
                    total = totals.setdefault((outcome.name, jobs[0].cell.split), _Total())
                    late = clock() - began > seconds
                    # Where time is short, one cell of each outcome stands for the others, besides the unedited model's.
                    numbers = together[:1] if late and total.sampled < 2 else together
                    cells = [group[number].cell for number in numbers]
                    key = _key(outcome, cells)
                    lacking = any(need not in rows[number] for number in numbers for need in outcome.needs)
                    again = len(known.get(key, _NONE).shapes) < 2 and not lacking
                    if again and (not late or total.sampled < 2):
                        before, started = len(counted.shapes), clock()
                        given = ask_cells(model, cells, outcome, [rows[number] for number in numbers])
                        spent = clock() - started
                        one = known.setdefault(key, _Known([], [], [parts[ROWS] for parts in given]))
                        one.shapes.append(counted.shapes[before:])
                        one.seconds.append(spent)
                        total.add(_conditions(outcome, cells), one.shapes[-1], spent)
                        total.sampled += 1
                    elif key in known:
                        total.add(_conditions(outcome, cells), known[key].shapes[-1], known[key].seconds[-1])
                    else:
                        numbers = []
                    left = [group[number].cell for number in together if number not in numbers]
                    total.skipped += _conditions(outcome, left)
                    for number, frame in zip(numbers, known[key].rows if key in known else (), strict=False):
                        cell = group[number].cell
                        rows[number][outcome.name] = frame.assign(arm=cell.arm, gamma=cell.gamma)
    return [total.rehearsed(*which) for which, total in totals.items()], counted


class _Total:
    """What an outcome's askings come to.

    Attributes:
        counted, skipped: conditions that were rehearsed or equal some that were, and those in proportion to the last.
        sampled: how many askings were rehearsed.
    """

    def __init__(self) -> None:
        self.counted = self.skipped = self.sampled = 0
        self.counts: dict[Shape, float] = {}
        self.seconds = 0.0
        self._last: tuple[int, Sequence[Shape], float] = (1, (), 0.0)

    def add(self, conditions: int, shapes: Sequence[Shape], seconds: float) -> None:
        """Count an asking."""
        self.counted += conditions
        self._last = (max(1, conditions), shapes, seconds)
        self._add(1.0)

    def _add(self, times: float) -> None:
        _, shapes, seconds = self._last
        self.seconds += seconds * times
        for shape in shapes:
            self.counts[shape] = self.counts.get(shape, 0.0) + times

    def rehearsed(self, outcome: str, split: str) -> Rehearsed:
        """All of it, what was skipped as the last that was counted."""
        self._add(self.skipped / self._last[0])
        every = self.counted + self.skipped
        return Rehearsed(outcome, split, every, tuple(self.counts.items()), self.seconds, self.counted / max(1, every))


def _conditions(outcome: Outcome, cells: Sequence[Cell]) -> int:
    return sum(len(cell.asked_by(outcome)) for cell in cells)


_NONE = _Known([], [], [])


def stages_of(plan: Plan, model: Model) -> list[list[Job]]:
    """The study's jobs in the order in which it asks them, with stand-ins for edits that are not made yet.

    The dose that will be chosen is not known; the middle one of the method's doses stands for it.
    """
    config = plan.config
    arms = {spec.name: _stand_in(spec, plan, model) for spec in plan.arms}
    method = arms[plan.method.name]
    doses = config.doses(plan.method)
    gamma = doses[len(doses) // 2]
    jobs, _ = arm_jobs(plan, arms, gamma)
    stages = [[unedited_job(plan)], search_jobs(plan, method), jobs]
    swept = {
        name: Arm(_renamed(spec, name), arms[spec.name].draws)
        for quantile in config.other_quantiles
        for spec in swept_specs(plan)
        for name in [swept_name(spec.name, quantile)]
    }
    return [*stages, swept_jobs(plan, swept, gamma)] if swept else stages


def _renamed(spec: ArmSpec, name: str) -> ArmSpec:
    return ArmSpec(name, spec.role, spec.doses, spec.build)


def _stand_in(spec: ArmSpec, plan: Plan, model: Model) -> Arm:
    """An arm's instructions as they will be; for its edits, others of a usual size."""
    draws = range(plan.config.draws if spec.drawn else 1)
    ways = [(trait, direction.value) for trait in plan.config.traits for direction in Direction]
    return Arm(spec, tuple({way: _steering(spec, way, draw, plan, model) for way in ways} for draw in draws))


def _steering(spec: ArmSpec, way: tuple[str, str], draw: int, plan: Plan, model: Model) -> Steering:
    if spec.role == "prompt":
        words: dict[str, Any] = {"seed": plan.config.seed, "speaks": words_of(model), "style": plan.config.style}
        context = ArmContext(*way, {}, model, _unknown, words["seed"], words["speaks"], draw, words["style"])
        try:
            made = spec.builder()(context)
        except (LookupError, ValueError, AttributeError):
            made = None  # it is made from what is located
        return made if isinstance(made, Instruction) else Instruction(*way, spec.name, "You are a person. " * 5)
    rng = Random(f"{spec.name} {way} {draw}")  # another for every arm, so that none seems to equal an earlier one
    count = max(1, round(_SHARE * model.d_mlp))
    deltas = {layer: torch.zeros(model.d_mlp) for layer in model.neuron_layers}
    for delta in deltas.values():
        for unit in rng.sample(range(len(delta)), count):
            delta[unit] = 1e-3 * rng.random()
    return Edit.of(deltas, trait=way[0], method=spec.name, direction=way[1], site="hook_post")


def _unknown(trait: str, direction: str) -> Steering:
    raise ValueError("Nothing is located before a study runs.")


def _asked(group: Sequence[Job]) -> Iterator[tuple[Outcome, list[int]]]:
    """Each outcome with the jobs that it is asked in, together or one by one as a study asks it."""
    outcomes: dict[str, Outcome] = {}
    for job in sorted(group, key=lambda job: -len(job.outcomes)):
        outcomes |= {each.name: each for each in job.outcomes if each.name not in outcomes}
    for name, outcome in outcomes.items():
        numbers = [n for n, job in enumerate(group) if name in {each.name for each in job.outcomes}]
        for together in [numbers] if outcome.side_by_side else [[n] for n in numbers]:
            yield outcome, together


def _key(outcome: Outcome, cells: Sequence[Cell]) -> tuple:
    """What tells two askings apart that do not compute the same number of tokens."""
    conditions = [condition for cell in cells for condition in cell.asked_by(outcome)]
    told: list[Mapping | tuple] = [
        (each.trait, each.direction, each.edit is None, each.instruction and each.instruction.text)
        for each in conditions
    ]
    return outcome.name, cells[0].split, cells[0].scope, tuple(told)
