"""A study's tables: what each holds, and how to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.report.measured import label_of
from workbench.report.study_figures import editing
from workbench.report.table_texts import TABLES
from workbench.study.study import Study


@dataclass(frozen=True)
class StudyTable:
    """One table of a study.

    Attributes:
        name: its file's and its anchor's name, e.g. `equal-dose`.
        title: what it shows.
        caption: how to read it.
        frame: its rows, as the study computed them.
        group: the question that it helps to answer.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    group: str


def study_tables(study: Study, *, only: Sequence[str] | None = None) -> list[StudyTable]:
    """The study's tables in reading order, or those named.

    Raises:
        ValueError: for a name of which the study has no table.
    """
    names = {name.replace("_", "-"): name for name in _shown(study)}
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise ValueError(
            f"The study in {study.folder} has no table {unknown[0]!r}; what it would hold may not have been asked "
            f"for. Choose among {', '.join(names)}."
        )
    return [
        StudyTable(shown, title, caption, study.tables[name], group)
        for shown, name in names.items()
        if not only or shown in only
        for title, caption, group in [_text_of(study, name)]
    ]


def _shown(study: Study) -> list[str]:
    """Names of the tables that are shown: those with rows and a text, and those that a finding rests on.

    A table of every answer has no text, and would fill the page.
    """
    evidence = {name for finding in study.findings for name in finding.evidence}
    order = list(TABLES)
    names = [name for name, table in study.tables.items() if len(table) and (_pattern_of(name) or name in evidence)]
    return sorted(names, key=lambda name: order.index(_pattern_of(name)) if _pattern_of(name) else len(order))


def _pattern_of(name: str) -> str:
    """The entry of `TABLES` that describes a table; empty where none does."""
    if name in TABLES:
        return name
    for pattern in TABLES:
        before, _, after = pattern.partition("QUANTITY")
        if pattern != before and name.startswith(before) and name.endswith(after):
            return pattern
    return ""


def _text_of(study: Study, name: str) -> tuple[str, str, str]:
    """The title, the caption and the group of a table."""
    pattern = _pattern_of(name)
    if not pattern:
        return name.replace("_", " ").capitalize(), "As the study's outcome gives it.", editing.GROUP
    before, _, after = pattern.partition("QUANTITY")
    quantity = label_of(study, name.removeprefix(before).removesuffix(after)) if before != pattern else ""
    text = TABLES[pattern]
    words = {"method": study.method, "target": label_of(study, study.target), "quantity": quantity}
    title = text.title.format(**words)
    return title[:1].upper() + title[1:], text.caption.format(**words), text.group
