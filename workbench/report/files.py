"""A study's figures and tables as files for a paper."""

from collections.abc import Callable, Sequence
from pathlib import Path

from workbench import plots
from workbench.report.formats import FIGURE_FORMATS, TABLE_FORMATS, in_order
from workbench.report.gallery import gallery
from workbench.report.latex import latex_table
from workbench.report.study_figures import study_figures
from workbench.report.study_tables import StudyTable, study_tables
from workbench.study.study import Study
from workbench.whole import write_whole

GALLERY = "README.md"


def write_figures(
    study: Study,
    folder: str | Path,
    *,
    only: Sequence[str] | None = None,
    formats: Sequence[str] = ("html",),
    width_mm: float = 170.0,
    warn: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write figures as files, each beside its data as parquet; one file a trait where there are several.

    All figures together also get a page, `README.md`, that shows them with their captions and says what was run.
    HTML files of a folder share one `plotly.min.js` beside them.

    Args:
        only: names of figures; all by default.
        formats: any of html, svg, pdf and png.
        width_mm: the column that images are laid out for.
        warn: is called with the reason where images cannot be drawn here, and html, if it is asked for, is written
            alone. Without it, or without html, that is an error, and nothing is written.

    Returns:
        the figures' files, in reading order.

    Raises:
        ValueError: for an unknown figure or format, or a figure that the study has nothing to draw for.
        RuntimeError: if an image is asked for and nothing here can draw one.
    """
    formats = in_order("Figures", formats, FIGURE_FORMATS)
    folder = Path(folder)
    figures = study_figures(study, only=only)

    def save(wanted: Sequence[str]) -> set[Path]:
        jobs = [
            (figure.figures[trait], folder / f"{stem}.{format}")
            for figure in figures
            for trait, stem in figure.files.items()
            for format in wanted
        ]
        return set(plots.save_figures(jobs, width_mm=width_mm, share_plotlyjs=True))

    try:
        done = save(formats)
    except RuntimeError as error:
        if warn is None or "html" not in formats:
            raise
        done = save(["html"])
        warn(str(error))
    written = {
        (figure.name, trait): [path for format in formats if (path := folder / f"{stem}.{format}") in done]
        for figure in figures
        for trait, stem in figure.files.items()
    }
    for figure in figures:
        plots.save_data(figure.data, folder / f"{figure.name}.parquet")
    if not only:
        write_whole(folder / GALLERY, gallery(study, figures, written))
    return [path for paths in written.values() for path in paths]


def write_tables(
    study: Study,
    folder: str | Path,
    *,
    only: Sequence[str] | None = None,
    formats: Sequence[str] = TABLE_FORMATS,
) -> list[Path]:
    """Write tables under the names and with the numbers of the study's page.

    Args:
        only: names of tables, e.g. `equal-dose`; all by default.
        formats: `csv`, with every number as it was computed, and `tex`, rounded as on the page, with intervals in
            brackets; that one needs booktabs, longtable and pdflscape.

    Returns:
        the files, in reading order.

    Raises:
        ValueError: for an unknown table or format, or a table that the study does not have.
    """
    formats = in_order("Tables", formats, TABLE_FORMATS)
    folder = Path(folder)
    return [
        write_whole(folder / f"{table.name}.{format}", _TABLE_TEXT[format](table))
        for table in study_tables(study, only=only)
        for format in formats
    ]


def _csv(table: StudyTable) -> str:
    return table.frame.to_csv(index=False, lineterminator="\n")


def _tex(table: StudyTable) -> str:
    return latex_table(table.frame, caption=f"{table.title}. {table.caption}", label=f"tab:{table.name}")


_TABLE_TEXT: dict[str, Callable[[StudyTable], str]] = {"csv": _csv, "tex": _tex}
