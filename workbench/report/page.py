"""One self-contained HTML page: claims, figures, steered answers and tables, readable without a network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from workbench.plots import narrowed
from workbench.report.answers import SteeredAnswer as SteeredAnswer
from workbench.report.cells import table_cells
from workbench.whole import write_whole

ALL = "all"
_SCRIPTS = ("figures.js", "tables.js", "report.js")
_PHONE = 358  # pixels of text on a phone
_HEIGHT = 440  # pixels, as figures.js has it
_FLAT = 12  # entries of a manifest's map that are read at a glance; longer ones are folded
VerdictWord = Literal["supported", "refuted", "undecided"]


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
        found: dict[str, Group] = {}
        for part in [*self.figures, *self.tables]:
            kind = "Figures" if isinstance(part, ReportFigure) else "Tables"
            title = part.group or kind
            if title not in found:
                anchor = "group-" + re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
                taken = any(group.anchor == anchor for group in found.values())
                found[title] = Group(title, f"{anchor}-{len(found)}" if taken else anchor)
            group = found[title]
            if isinstance(part, ReportFigure):
                group.figures.append(part)
            else:
                group.tables.append(part)
        return list(found.values())

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
        told = ", ".join(f"{counts[word]} {word}" for word in get_args(VerdictWord))
        return f"{len(self.verdicts)} claim{'' if len(self.verdicts) == 1 else 's'}: {told}."


def render_report(report: Report) -> str:
    """The page as HTML; equal reports give equal pages."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(figure_json=_figure_json, table_cells=table_cells)
    scripts = [Markup(_script(source)) for source in (get_plotlyjs(), *map(_part, _SCRIPTS))]
    page = environment.from_string(_part("template.html.jinja")).render(
        report=report,
        all=ALL,
        groups=report.groups,
        numbers=report.numbers,
        methods=Markup(report.methods),
        manifest=_manifest_parts(report.manifest),
        style=Markup(_part("report.css")),
        scripts=scripts,
        script_hashes=Markup(" ".join(_hash(script) for script in scripts)),
    )
    # A generated answer may hold half a surrogate pair, which no file can.
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(report: Report, path: str | Path) -> Path:
    """Write the page to `path`, whole or not at all, and make its folder where that is missing.

    Raises:
        OSError: naming `path`, if it cannot be written.
    """
    page = render_report(report)
    try:
        return write_whole(path, page)
    except OSError as error:
        why = f"The report cannot be written ({error.strerror}); choose another path"
        raise OSError(error.errno, why, str(path)) from error


def _part(name: str) -> str:
    return resources.files("workbench.report").joinpath(name).read_text(encoding="utf-8")


def _script(source: str) -> str:
    """Source that neither ends its element early nor changes when a browser reads it, so that its hash holds."""
    return "\n" + source.replace("\r\n", "\n").replace("</script", "<\\/script").strip() + "\n"


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _figure_json(figure: go.Figure) -> Markup:
    """A figure as JSON that may stand inside a script element, its numbers as exact as a drawing can be."""
    stored = _lighter(json.loads(str(figure.to_json())))
    stored["narrow"] = _narrow(figure)
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
    # Without a "<" nothing ends the element or opens a comment in it.
    return Markup(text.replace("<", "\\u003c"))


def _narrow(figure: go.Figure) -> dict[str, Any]:
    """What differs of a figure on a phone: its layout, without the template, and where its colour scales lie."""
    drawn = json.loads(str(narrowed(figure, width=_PHONE).update_layout(template=None).to_json()))
    drawn["layout"].pop("template", None)
    return {"layout": drawn["layout"], "colorbars": [trace.get("colorbar") for trace in drawn["data"]]}


def _lighter(node: Any) -> Any:
    """Plotly's JSON with arrays of doubles as single floats, seven digits, which take half the room."""
    if isinstance(node, list):
        return [_lighter(each) if isinstance(each, dict | list) else each for each in node]
    if node.get("dtype") == "f8" and "bdata" in node:
        single = np.frombuffer(base64.b64decode(node["bdata"]), dtype="<f8").astype("<f4")
        return node | {"dtype": "f4", "bdata": base64.b64encode(single.tobytes()).decode()}
    return {name: _lighter(each) if isinstance(each, dict | list) else each for name, each in node.items()}


def _manifest_parts(manifest: dict[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[str, int, str]]]:
    """What is read at a glance, by name; and the rest: name, number of entries, and JSON."""
    glance: list[tuple[str, str]] = []
    folded: list[tuple[str, int, str]] = []
    for name, value in manifest.items():
        told = str(name).replace("_", " ")
        if not isinstance(value, dict | list | tuple):
            glance.append((told, str(value)))
        elif not value:
            glance.append((told, "none"))
        elif isinstance(value, dict) and len(value) <= _FLAT and not any(map(_holds_others, value.values())):
            glance.append((told, "; ".join(f"{key}: {entry}" for key, entry in value.items())))
        else:
            folded.append((told, len(value), json.dumps(value, indent=1, ensure_ascii=False, default=str)))
    return glance, folded


def _holds_others(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)
