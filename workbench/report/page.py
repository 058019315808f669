"""One self-contained HTML page: claims, figures, steered answers and tables, readable without a network."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import uuid
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from workbench.report.cells import number_text, table_cells

ALL = "all"
VerdictWord = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page, drawn once or once for each trait.

    `figures` is keyed by "all" or by trait. With several keys the figure follows the page's trait switch, falling
    back to "all" and then to the first key. `alt` says in a sentence what is drawn. The page shows `title` as a
    heading and leaves out the title inside the plotly figure.
    """

    id: str
    title: str
    caption: str
    alt: str
    figures: dict[str, go.Figure]

    def __post_init__(self) -> None:
        if not self.figures:
            raise ValueError(
                f"A report figure needs at least one plotly figure, but {self.id!r} has none. "
                'Key them by "all" or by trait.'
            )


@dataclass(frozen=True)
class ReportTable:
    """A table of the page; readers can sort it by any column. `x_low` and `x_high` are rounded as `x` is."""

    id: str
    title: str
    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Verdict:
    """A claim, what the data say about it, and the numbers behind that."""

    claim: str
    verdict: VerdictWord
    text: str

    def __post_init__(self) -> None:
        words = get_args(VerdictWord)
        if self.verdict not in words:
            raise ValueError(f"A verdict is one of {', '.join(words)}, but {self.claim!r} has {self.verdict!r}.")


@dataclass(frozen=True)
class SteeredAnswer:
    """One question answered by the unedited model and by both edited ones; a score that was not taken is None."""

    trait: str
    question: str
    base: str
    increase: str
    decrease: str
    base_score: float | None = None
    increase_score: float | None = None
    decrease_score: float | None = None

    @property
    def columns(self) -> list[tuple[str, str, str, str]]:
        """(kind, heading, answer, score as text, "" where there is none) of the three answers."""
        return [
            ("base", "Unedited", self.base, self._score(self.base_score)),
            ("increase", "Increased", self.increase, self._score(self.increase_score, against=self.base_score)),
            ("decrease", "Decreased", self.decrease, self._score(self.decrease_score, against=self.base_score)),
        ]

    @staticmethod
    def _score(score: float | None, against: float | None = None) -> str:
        if score is None or score != score:
            return ""
        if against is None or against != against:
            return number_text(score, 1)
        change = round(score, 1) - round(against, 1)
        return f"{number_text(score, 1)} ({'+' if change > 0 else ''}{number_text(round(change, 1), 1)})"


@dataclass(frozen=True)
class Report:
    """Everything on the page, in the order in which it is read.

    All of it is plain text and is escaped, except `methods`, which is trusted HTML (its headings start at `h3`;
    equations as HTML or MathML). `manifest` is shown as JSON.
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

    @property
    def choices(self) -> list[str]:
        """What the trait switch offers: "all" first where a figure that follows the switch has it."""
        following = [figure for figure in self.figures if len(figure.figures) > 1]
        keys = [key for figure in following for key in figure.figures]
        traits = [key for key in keys if key != ALL] + [answer.trait for answer in self.answers]
        return ([ALL] if ALL in keys or not following else []) + list(dict.fromkeys(traits))


def render_report(report: Report) -> str:
    """The page as HTML; equal reports give equal pages."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(figure_json=_figure_json, table_cells=table_cells)
    scripts = [Markup(_script(get_plotlyjs())), Markup(_script(_part("report.js")))]
    page = environment.from_string(_part("template.html.jinja")).render(
        report=report,
        all=ALL,
        methods=Markup(report.methods),
        manifest=json.dumps(report.manifest, indent=2, ensure_ascii=False, default=str),
        style=Markup(_part("report.css")),
        scripts=scripts,
        script_hashes=Markup(" ".join(_hash(script) for script in scripts)),
    )
    # A generated answer may hold half a surrogate pair, which no file can.
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(report: Report, path: str | Path) -> Path:
    """Write the page to `path`, whole or not at all.

    Raises:
        OSError: naming `path`, if its folder is missing or cannot be written to.
    """
    path = Path(path)
    page = render_report(report)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with open(partial, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        os.replace(partial, path)
    except OSError as error:
        why = f"The report cannot be written ({error.strerror}); create its folder or choose another path"
        raise OSError(error.errno, why, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def _part(name: str) -> str:
    return resources.files("workbench.report").joinpath(name).read_text(encoding="utf-8")


def _script(source: str) -> str:
    """Source that neither ends its element early nor changes when a browser reads it, so that its hash holds."""
    return "\n" + source.replace("\r\n", "\n").replace("</script", "<\\/script").strip() + "\n"


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _figure_json(figure: go.Figure) -> Markup:
    """A figure as JSON that may stand inside a script element."""
    text = str(figure.to_json())
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)
