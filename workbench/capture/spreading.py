"""A capture spread over the workers of a Ray cluster, each with a model of its own."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from workbench.capture.plan import Group
from workbench.capture.reducing import Rows
from workbench.capture.settings import CapturePlan, CaptureSettings
from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.model.cluster import ModelWorker, spread
from workbench.model.model import Model

Part = tuple[dict[str, Tally], Rows]


class Worker(ModelWorker):
    """Computes whatever groups of prompts it is given."""

    def prepare(self, contrast: Contrast, planned: CapturePlan, settings: CaptureSettings) -> None:
        """Keep what is captured and how."""
        self.contrast, self.planned, self.settings = contrast, planned, settings

    def work(self, group: Group) -> Part:
        """A group's tallies and kept rows, on the CPU."""
        from workbench.capture.capturing import computing
        from workbench.capture.reducing import on_cpu, part_of

        with computing(self.model, self.planned, self.settings) as compute:
            tallies, rows = part_of(compute(group), group, self.contrast, self.planned, self.settings, self.model.dtype)
        return {site: on_cpu(tally) for site, tally in tallies.items()}, rows


def spread_parts(
    model: Model,
    contrast: Contrast,
    planned: CapturePlan,
    settings: CaptureSettings,
    done: set[int],
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[int, dict[str, Tally], Rows]]:
    """Each group's part, but for those that are done, in order, whichever worker computed it.

    A group's part is taken once, by its place, so that nothing is counted twice.

    Raises:
        ImportError, ValueError: as `spread` does.
    """
    groups = planned.plan.groups
    todo = [place for place in range(len(groups)) if place not in done]
    total, finished = planned.plan.prompts, sum(len(groups[place].rows) for place in done)
    # The workers get their groups one by one; the plan that they hold needs none.
    shared = (contrast, replace(planned, plan=replace(planned.plan, groups=())), settings)
    jobs = {place: (groups[place],) for place in todo}
    ready: dict[int, Part] = {}
    for place, part in spread(model, Worker, shared, jobs, address=settings.address, workers=settings.workers):
        ready[place] = part
        finished += len(groups[place].rows)
        if progress is not None:
            progress(finished, total)
        while todo and todo[0] in ready:
            following = todo.pop(0)
            yield following, *ready.pop(following)
