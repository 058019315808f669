"""How much of a study is done."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Is called with what has been done and the share of the work that is done."""


class Meter:
    """Turns work done into the share of the whole."""

    def __init__(self, total: float, report: Progress | None) -> None:
        self.total, self.done, self.report = total, 0.0, report

    def add(self, label: str, work: float) -> None:
        """Count `work` as done by what `label` says."""
        self.done = min(self.total, self.done + work)
        if self.report is not None:
            self.report(label, self.done / self.total)

    def finish(self, label: str) -> None:
        """Count all work as done."""
        self.add(label, self.total)
