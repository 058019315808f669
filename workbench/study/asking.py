"""Cells asked by outcomes: each outcome's rows kept as they are made, here or on a Ray cluster."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pandas as pd

from workbench.model.cluster import ModelWorker, spread
from workbench.model.model import Model
from workbench.outcome.outcome import Outcome
from workbench.study.cells import EDITED, ROWS, Cell, ask_cells
from workbench.study.config import StudyConfig
from workbench.study.frames import stacked
from workbench.study.groups import groups_of, most_conditions
from workbench.study.meter import Meter
from workbench.study.store import Store

Given = dict[str, dict[str, pd.DataFrame]]
"""What outcomes give in a cell, by the outcome's name and then by part."""


@dataclass(frozen=True)
class Job:
    """A cell, and the outcomes that ask in it.

    Attributes:
        cell: the conditions.
        outcomes: which ask.
        lacking: names of those whose rows are not kept.
    """

    cell: Cell
    outcomes: tuple[Outcome, ...]
    lacking: frozenset[str] = frozenset()

    @property
    def work(self) -> float:
        """Its rough cost, in prompts captured."""
        return sum(self.work_of(each.name) for each in self.outcomes)

    def work_of(self, name: str) -> float:
        """The rough cost of one of its outcomes."""
        asked = [each for each in self.outcomes if each.name == name]
        return sum(len(self.cell.asked_by(each)) * each.work(self.cell.split) for each in asked)

    def steps(self, model: Model) -> dict[str, tuple[str, str]]:
        """The name and the key of the step that keeps each outcome's rows, by the outcome's name."""
        by_name = {outcome.name: outcome for outcome in self.outcomes}
        return {name: (self.cell.step(each), self.cell.key(model, each, by_name)) for name, each in by_name.items()}


class GroupWorker(ModelWorker):
    """Asks whatever groups of cells it is given; prompts are shared by all that one process asks."""

    def prepare(self) -> None:
        """Keep prompts from now on."""
        self.shared = ExitStack()
        self.shared.enter_context(self.model.sharing())

    def work(self, jobs: Sequence[Job], known: Sequence[dict[str, pd.DataFrame]]) -> list[Given]:
        """For each job, what its lacking outcomes give."""
        given: list[Given] = [{} for _ in jobs]
        for name, asked in _outcome_by_outcome(self.model, jobs, known):
            for number, parts in asked.items():
                given[number][name] = parts
        return given


def ask_jobs(
    model: Model, config: StudyConfig, store: Store, jobs: Sequence[Job], meter: Meter
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Every outcome's rows by its name, all cells below each other, and the count of what was edited.

    Cells are asked in groups, side by side; what a group gives is kept cell by cell, under the same keys whatever the
    group.

    Raises:
        ImportError, ValueError: with `engine = "ray"`, as `spread` does.
    """
    todo: list[list[Job]] = []
    for group in groups_of(jobs, most_conditions(model, jobs)):
        lacking = [replace(job, lacking=_lacking(model, store, job)) for job in group]
        for job in lacking:
            if not job.lacking:
                meter.add(f"{job.cell.label}: already done", job.work)
        todo.append([job for job in lacking if job.lacking])
    _run(model, config, store, [group for group in todo if group], meter)
    rows: dict[str, list[pd.DataFrame]] = {}
    counts: list[pd.DataFrame] = []
    outcomes: dict[str, Outcome] = {}
    for job in jobs:
        outcomes |= {outcome.name: outcome for outcome in job.outcomes}
        for name, step in job.steps(model).items():
            frames = _read(store, step)
            rows.setdefault(name, []).append(frames[ROWS])
            counts.append(frames[EDITED])

    def report(label: str, share: float) -> None:
        meter.add(f"{label}, {share:.0%}", 0.0)

    rated = {name: outcomes[name].rate(stacked(parts), model, store.folder, report) for name, parts in rows.items()}
    return rated, stacked(counts)


def _read(store: Store, step: tuple[str, str]) -> dict[str, pd.DataFrame]:
    """The tables of a step that is kept."""
    paths = store.kept(*step)
    assert paths is not None
    return {part: pd.read_parquet(path) for part, path in paths.items()}


def _lacking(model: Model, store: Store, job: Job) -> frozenset[str]:
    """Names of the outcomes whose rows are not kept."""
    return frozenset(name for name, step in job.steps(model).items() if store.kept(*step) is None)


def _known(model: Model, store: Store, job: Job) -> dict[str, pd.DataFrame]:
    """The rows that are kept of the outcomes that a lacking one reads."""
    needed = {name for each in job.outcomes if each.name in job.lacking for name in each.needs} - job.lacking
    steps = job.steps(model)
    return {name: _read(store, steps[name])[ROWS] for name in needed}


def _outcome_by_outcome(
    model: Model, jobs: Sequence[Job], known: Sequence[dict[str, pd.DataFrame]]
) -> Iterator[tuple[str, dict[int, dict[str, pd.DataFrame]]]]:
    """Each lacking outcome's name, and by job number what it gives there: in all jobs that lack it side by side, or one
    job after the other where the outcome does not allow that.
    """
    rows = [dict(each) for each in known]
    outcomes = {each.name: each for job in sorted(jobs, key=lambda job: -len(job.outcomes)) for each in job.outcomes}
    for name, outcome in outcomes.items():
        numbers = [number for number, job in enumerate(jobs) if name in job.lacking]
        together = [numbers] if outcome.side_by_side else [[number] for number in numbers]
        for asked in filter(None, together):
            given = ask_cells(model, [jobs[n].cell for n in asked], outcome, [rows[n] for n in asked])
            for number, parts in zip(asked, given, strict=True):
                rows[number][name] = parts[ROWS]
            yield name, dict(zip(asked, given, strict=True))


def _run(model: Model, config: StudyConfig, store: Store, groups: Sequence[Sequence[Job]], meter: Meter) -> None:
    """Ask every group and keep what it gives: outcome by outcome, or on a Ray cluster group by group in any order.

    What is kept at once is kept whole or not at all, so that a study that was killed asks the same cells together.
    """

    def keep(given: Sequence[tuple[Job, str, dict[str, pd.DataFrame]]]) -> None:
        made = {}
        for job, name, parts in given:
            step, key = job.steps(model)[name]
            made[step] = (key, parts)
        store.steps(made)
        for job, name, _ in given:
            meter.add(job.cell.label, job.work_of(name))

    known = [[_known(model, store, job) for job in group] for group in groups]
    if config.engine == "local":
        for group, rows in zip(groups, known, strict=True):
            for name, asked in _outcome_by_outcome(model, group, rows):
                keep([(group[number], name, parts) for number, parts in asked.items()])
        return
    tasks = {number: (list(group), known[number]) for number, group in enumerate(groups)}
    for number, given in spread(model, GroupWorker, (), tasks, address=config.address, workers=config.workers):
        of_group = zip(groups[number], given, strict=True)
        keep([(job, name, parts) for job, of_job in of_group for name, parts in of_job.items()])
