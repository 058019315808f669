"""What a page holds, as values: figures, tables, verdicts, and the groups in which they stand."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, get_args

import pandas as pd
import plotly.graph_objects as go

from workbench.measure.summarising import ALL
from workbench.outcome.finding import Verdict as VerdictWord
from workbench.report.answers import SteeredAnswer

_HEIGHT = 440  # pixels, as figures.js has it


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page, drawn once or once for each trait.

    `figures` is keyed by "all" or by trait. With several keys the figure follows the page's trait switch, falling
    back to "all" and then to the first key. The page shows `title` as a heading and leaves out the title inside the
    plotly figure.

    Attributes:
        alt: says in a sentence what is drawn; a plotly figure's own `layout.meta["alt"]` stands before it.
        group: the question that the figure helps to answer; figures and tables of one group stand together.
        file: where the figure's files are, without their ending; a trait's own file ends in the trait.
    """

    id: str
    title: str
    caption: str
    alt: str
    figures: dict[str, go.Figure]
    group: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        if not self.figures:
            raise ValueError(
                f"A report figure needs at least one plotly figure, but {self.id!r} has none. "
                'Key them by "all" or by trait.'
            )

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"fig-{self.id}"

    def height_of(self, key: str) -> int:
        """The room that one of its plotly figures is drawn in, in pixels."""
        return self.figures[key].to_dict()["layout"].get("height", _HEIGHT)

    def file_of(self, key: str) -> str:
        """The files of one of its plotly figures, "" where none are named."""
        return self.file and f"{self.file}{'' if key == ALL else f'-{key.casefold()}'}.*"


@dataclass(frozen=True)
class ReportTable:
    """A table of the page, folded until it is asked for.

    Readers can sort it by any column and save it with its exact values. The bounds of an interval, `x_low` and
    `x_high` or `low` and `high` after their estimate, stand in the estimate's cells. Where it has a column `trait`,
    `edited`, or `trait_a` and `trait_b`, its rows follow the page's trait switch.

    Attributes:
        group: the question that the table helps to answer; figures and tables of one group stand together.
    """

    id: str
    title: str
    caption: str
    frame: pd.DataFrame
    group: str = ""

    @property
    def name(self) -> str:
        """What its CSV file is called, without the ending."""
        return self.id.removeprefix("table-")

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"table-{self.name}"


@dataclass(frozen=True)
class Verdict:
    """A claim, what the data say about it, the numbers behind that, and the figures and tables that show them.

    Attributes:
        shown: ids of the report's figures and tables, which the page links to.
    """

    claim: str
    verdict: VerdictWord
    text: str
    shown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        words = get_args(VerdictWord)
        if self.verdict not in words:
            raise ValueError(f"A verdict is one of {', '.join(words)}, but {self.claim!r} has {self.verdict!r}.")


@dataclass
class Group:
    """The figures and the tables that answer one question."""

    title: str
    anchor: str
    figures: list[ReportFigure] = field(default_factory=list)
    tables: list[ReportTable] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """Everything on the page, in the order in which it is read.

    All of it is plain text and is escaped, except `methods`, which is trusted HTML (its headings start at `h3`;
    equations as MathML). Figures and tables stand under their groups, in order of first appearance.
    """

    title: str
    question: str
    lead: str
    verdicts: list[Verdict] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    figures: list[ReportFigure] = field(default_factory=list)
    tables: list[ReportTable] = field(default_factory=list)
    answers: list[SteeredAnswer] = field(default_factory=list)
    methods: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for part in [*self.figures, *self.tables]:
            if not part.id or any(letter.isspace() for letter in part.id):
                raise ValueError(f"An id names a place on the page and holds no spaces, but {part.id!r} was given.")
            if part.id in seen:
                raise ValueError(f"Figures and tables of a report need ids of their own, but {part.id!r} is repeated.")
            seen.add(part.id)
        for verdict in self.verdicts:
            lacking = [name for name in verdict.shown if name not in seen]
            if lacking:
                raise ValueError(
                    f"A verdict shows figures and tables of its report, but {verdict.claim!r} shows {lacking[0]!r}, "
                    f"which is none of {', '.join(sorted(seen)) or 'them, as there are none'}."
                )

    @property
    def choices(self) -> list[str]:
        """What the trait switch offers: "all" first where a figure that follows the switch has it."""
        following = [figure for figure in self.figures if len(figure.figures) > 1]
        keys = [key for figure in following for key in figure.figures]
        traits = [key for key in keys if key != ALL] + [answer.trait for answer in self.answers]
        return ([ALL] if ALL in keys or not following else []) + list(dict.fromkeys(traits))

    @property
    def groups(self) -> list[Group]:
        """Figures and tables by the question that they answer; those without a group by their kind."""
        groups: dict[str, Group] = {}
        for part in [*self.figures, *self.tables]:
            kind = "Figures" if isinstance(part, ReportFigure) else "Tables"
            title = part.group or kind
            if title not in groups:
                anchor = "group-" + re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
                taken = any(group.anchor == anchor for group in groups.values())
                groups[title] = Group(title, f"{anchor}-{len(groups)}" if taken else anchor)
            group = groups[title]
            if isinstance(part, ReportFigure):
                group.figures.append(part)
            else:
                group.tables.append(part)
        return list(groups.values())

    @property
    def numbers(self) -> dict[str, tuple[str, str]]:
        """What each figure and table is called and its anchor, by id; counted in the order of the page."""
        figures = [part for group in self.groups for part in group.figures]
        tables = [part for group in self.groups for part in group.tables]
        return {
            part.id: (f"{kind} {number}", part.anchor)
            for kind, parts in (("Figure", figures), ("Table", tables))
            for number, part in enumerate(parts, start=1)
        }

    @property
    def tally(self) -> str:
        """How many claims the data support, refute and leave open, in words."""
        counts = Counter(verdict.verdict for verdict in self.verdicts)
        listed = ", ".join(f"{counts[word]} {word}" for word in get_args(VerdictWord))
        return f"{len(self.verdicts)} claim{'' if len(self.verdicts) == 1 else 's'}: {listed}."
