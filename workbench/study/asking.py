"""Cells asked by outcomes: each outcome's rows kept as they are made, here or on a Ray cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    by_name = {outcome.name: outcome for job in jobs for outcome in job.outcomes}
    todo = []
    for job in jobs:
        lacking = frozenset(each.name for each in job.outcomes if _kept(model, store, job, each, by_name) is None)
        if lacking:
            todo.append(Job(job.cell, job.outcomes, lacking))
        else:
            meter.add(f"{job.cell.label}: already done", job.work)
    for job, given in _run(model, config, store, todo, by_name):
        for outcome in job.outcomes:
            if outcome.name in given:
                parts = given[outcome.name]
                store.step(job.cell.step(outcome), job.cell.key(model, outcome, by_name), lambda parts=parts: parts)
        meter.add(job.cell.label, job.work)
    rows: dict[str, list[pd.DataFrame]] = {}
    counts: list[pd.DataFrame] = []
    for job in jobs:
        for outcome in job.outcomes:
            paths = _kept(model, store, job, outcome, by_name)
            assert paths is not None
            rows.setdefault(outcome.name, []).append(pd.read_parquet(paths[ROWS]))
            counts.append(pd.read_parquet(paths[EDITED]))
    frames = {name: stacked(parts) for name, parts in rows.items()}
    for name, frame in frames.items():
        frames[name] = by_name[name].rate(
            frame, model, store.folder, lambda label, share: meter.add(f"{label}, {share:.0%}", 0.0)
        )
    return frames, stacked(counts)


def _kept(model: Model, store: Store, job: Job, outcome: Outcome, by_name: dict[str, Outcome]):
    return store.kept(job.cell.step(outcome), job.cell.key(model, outcome, by_name))


def _known(model: Model, store: Store, job: Job, by_name: dict[str, Outcome]) -> dict[str, pd.DataFrame]:
    """The rows that are kept of the outcomes that a lacking one reads."""
    needed = {name for each in job.outcomes if each.name in job.lacking for name in each.needs} - job.lacking
    known = {}
    for name in needed:
        paths = _kept(model, store, job, by_name[name], by_name)
        assert paths is not None
        known[name] = pd.read_parquet(paths[ROWS])
    return known


def _run(
    model: Model, config: StudyConfig, store: Store, jobs: Sequence[Job], by_name: dict[str, Outcome]
) -> Iterator[tuple[Job, Given]]:
    """Each job with what it gives, as they are done; on a Ray cluster in any order."""
    if config.engine == "local":
        for job in jobs:
            lacking = [each for each in job.outcomes if each.name in job.lacking]
            yield job, ask_cell(model, job.cell, lacking, _known(model, store, job, by_name))
        return
    tasks = {number: (job, _known(model, store, job, by_name)) for number, job in enumerate(jobs)}
    for number, given in spread(model, CellWorker, (), tasks, address=config.address, workers=config.workers):
        yield jobs[number], given
