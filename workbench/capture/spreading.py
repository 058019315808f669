"""A capture spread over the workers of a Ray cluster, each with its own copy of the model."""

from collections.abc import Iterator
from dataclasses import replace

from workbench.capture.plan import Group
from workbench.capture.planning import CapturePlan
from workbench.capture.reducing import Part, on_cpu, part_of
from workbench.capture.run import CaptureRun, Progress
from workbench.capture.settings import CaptureSettings
from workbench.contrast.contrast import Contrast
from workbench.model.cluster import ModelWorker, spread


class Worker(ModelWorker):
    """Computes the groups of prompts that it is given."""

    def prepare(self, contrast: Contrast, settings: CaptureSettings, planned: CapturePlan) -> None:
        """Remember the capture, with the worker's own model."""
        self.run = CaptureRun(self.model, contrast, settings, planned)

    def work(self, group: Group) -> Part:
        """A group's tallies and kept rows, on the CPU."""
        with self.run.computing() as compute:
            tallies, rows = part_of(compute(group), group, self.run)
        return {site: on_cpu(tally) for site, tally in tallies.items()}, rows


def spread_parts(run: CaptureRun, done: set[int], progress: Progress | None) -> Iterator[tuple[int, Part]]:
    """The number and the part of each group that is not done, in order, whichever worker computed it.

    A group's part is taken once, by its number, so that nothing is counted twice.

    Raises:
        ImportError, ValueError: as `spread` does.
    """
    settings, planned = run.settings, run.planned
    waiting = [number for number in range(len(run.groups)) if number not in done]
    total, finished = planned.plan.prompts, sum(len(run.groups[number].prompts) for number in done)
    # Workers get their groups one by one, so the plan that they hold needs none.
    shared = (run.contrast, settings, replace(planned, plan=replace(planned.plan, groups=())))
    jobs = {number: (run.groups[number],) for number in waiting}
    ready: dict[int, Part] = {}
    for number, part in spread(run.model, Worker, shared, jobs, address=settings.address, workers=settings.workers):
        ready[number] = part
        finished += len(run.groups[number].prompts)
        if progress is not None:
            progress(finished, total)
        while waiting and waiting[0] in ready:
            following = waiting.pop(0)
            yield following, ready.pop(following)
