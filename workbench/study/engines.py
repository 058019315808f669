"""Where cells run: one after another here, or spread over a Ray cluster; with the same outcomes."""

from collections.abc import Iterator, Sequence

from workbench.model.cluster import ModelWorker, spread
from workbench.model.model import Model
from workbench.study.cells import Cell, Outcomes, run_cell
from workbench.study.config import StudyConfig


class CellWorker(ModelWorker):
    """Runs whatever cells it is given."""

    def prepare(self, config: StudyConfig) -> None:
        """Keep what the study asks."""
        self.config = config

    def work(self, cell: Cell) -> Outcomes:
        """A cell's outcomes."""
        return run_cell(self.model, self.config, cell)


def run_cells(model: Model, config: StudyConfig, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcomes]]:
    """Each cell with its outcomes, as they are done.

    Raises:
        ImportError, ValueError: with `engine = "ray"`, as `spread` does.
    """
    if config.engine == "local":
        for cell in cells:
            yield cell, run_cell(model, config, cell)
        return
    jobs = {place: (cell,) for place, cell in enumerate(cells)}
    for place, outcomes in spread(model, CellWorker, (config,), jobs, address=config.address, workers=config.workers):
        yield cells[place], outcomes
