"""A study's figures, grouped by the question that they help to answer, in reading order."""

from collections.abc import Sequence

from workbench.report.study_figures import causing, costing, editing, owning, resting, stressing, where
from workbench.report.study_figures.figure import Drawings, StudyFigure
from workbench.study.study import Study

__all__ = ["StudyFigure", "drawings", "study_figures"]


def drawings(study: Study) -> Drawings:
    """Every figure that the study has something to draw for, in reading order; nothing is drawn yet."""
    return {
        name: draw
        for group in (where, resting, owning, editing, stressing, costing, causing)
        for name, draw in group.drawings(study).items()
    }


def study_figures(study: Study, *, only: Sequence[str] | None = None) -> list[StudyFigure]:
    """The study's figures in reading order, or those named.

    Raises:
        ValueError: for a name of which the study has no figure.
    """
    known = drawings(study)
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise ValueError(
            f"The study in {study.folder} has no figure {unknown[0]!r}; what it would show may not have been asked "
            f"for. Choose among {', '.join(known)}."
        )
    return [draw() for name, draw in known.items() if not only or name in only]
