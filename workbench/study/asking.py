"""Cells asked by outcomes: each outcome's rows kept as they are made, here or on a Ray cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from workbench.model.cluster import ModelWorker, spread
from workbench.model.model import Model
from workbench.outcome.outcome import Outcome
from workbench.study.cells import EDITED, ROWS, Cell, ask_cell
from workbench.study.config import StudyConfig
from workbench.study.frames import stacked
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
        split = self.cell.split
        return sum(len(self.cell.asked_by(each)) * each.work(split) for each in self.outcomes)

    def steps(self, model: Model) -> dict[str, tuple[str, str]]:
        """The name and the key of the step that keeps each outcome's rows, by the outcome's name."""
        by_name = {outcome.name: outcome for outcome in self.outcomes}
        return {name: (self.cell.step(each), self.cell.key(model, each, by_name)) for name, each in by_name.items()}


class CellWorker(ModelWorker):
    """Asks whatever cells it is given."""

    def prepare(self) -> None:
        """There is nothing to prepare besides the model."""

    def work(self, job: Job, known: dict[str, pd.DataFrame]) -> Given:
        """What the lacking outcomes give."""
        return ask_cell(self.model, job.cell, [each for each in job.outcomes if each.name in job.lacking], known)


def ask_jobs(
    model: Model, config: StudyConfig, store: Store, jobs: Sequence[Job], meter: Meter
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Every outcome's rows by its name, all cells below each other, and the count of what was edited.

    Raises:
        ImportError, ValueError: with `engine = "ray"`, as `spread` does.
    """
    todo = []
    for job in jobs:
        kept = {name: store.kept(*step) for name, step in job.steps(model).items()}
        lacking = frozenset(name for name, paths in kept.items() if paths is None)
        if lacking:
            todo.append(replace(job, lacking=lacking))
        else:
            meter.add(f"{job.cell.label}: already done", job.work)
    for job, given in _run(model, config, store, todo):
        steps = job.steps(model)
        for name, parts in given.items():
            store.step(*steps[name], lambda parts=parts: parts)
        meter.add(job.cell.label, job.work)
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


def _known(model: Model, store: Store, job: Job) -> dict[str, pd.DataFrame]:
    """The rows that are kept of the outcomes that a lacking one reads."""
    needed = {name for each in job.outcomes if each.name in job.lacking for name in each.needs} - job.lacking
    steps = job.steps(model)
    return {name: _read(store, steps[name])[ROWS] for name in needed}


def _run(model: Model, config: StudyConfig, store: Store, jobs: Sequence[Job]) -> Iterator[tuple[Job, Given]]:
    """Each job with what it gives, as they are done; on a Ray cluster in any order."""
    if config.engine == "local":
        for job in jobs:
            lacking = [each for each in job.outcomes if each.name in job.lacking]
            yield job, ask_cell(model, job.cell, lacking, _known(model, store, job))
        return
    tasks = {number: (job, _known(model, store, job)) for number, job in enumerate(jobs)}
    for number, given in spread(model, CellWorker, (), tasks, address=config.address, workers=config.workers):
        yield jobs[number], given
