"""A study's figures, grouped by the question that they help to answer, in reading order."""

from collections.abc import Callable, Sequence

from workbench.report.study_figures import causing, costing, editing, owning, resting, where
from workbench.report.study_figures.figure import StudyFigure
from workbench.study.study import Study

__all__ = ["FIGURES", "StudyFigure", "study_figures"]

FIGURES: dict[str, Callable[[Study], StudyFigure | None]] = {
    **where.FIGURES,
    **resting.FIGURES,
    **owning.FIGURES,
    **editing.FIGURES,
    **costing.FIGURES,
    **causing.FIGURES,
}
"""What draws each figure by its name; None where a study left out what it shows."""


def study_figures(study: Study, *, only: Sequence[str] | None = None) -> list[StudyFigure]:
    """The study's figures in reading order, or those named.

    Raises:
        ValueError: for a name that is no figure, or one that this study has nothing to draw for.
    """
    unknown = sorted(set(only or ()) - set(FIGURES))
    if unknown:
        raise ValueError(f"There is no figure {unknown[0]!r}. Choose among {', '.join(FIGURES)}.")
    drawn = {name: draw(study) for name, draw in FIGURES.items() if not only or name in only}
    lacking = [name for name, figure in drawn.items() if figure is None]
    if only and lacking:
        raise ValueError(
            f"The study in {study.folder} has nothing to draw {lacking[0]!r} from: what it shows was not asked for."
        )
    return [figure for figure in drawn.values() if figure is not None]
