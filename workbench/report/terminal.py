"""A study in the terminal: what was found, the arms side by side, and what the data say."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from plotly.colors import unlabel_rgb
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workbench import select as selecting
from workbench.outcome.quantity import SHARE, Quantity
from workbench.plots import Legend, token_heat_map
from workbench.printable import one_line, printable
from workbench.report.measured import has_dose, other_traits, shown_costs, standing_text
from workbench.study.config import StudyConfig
from workbench.study.study import Study

_MISSING = "–"
_HEAD = 18  # characters of a line of a column's head
MARKS = {"supported": ("✓", "green"), "refuted": ("✗", "red"), "undecided": ("?", "yellow")}


def print_study(study: Study, console: Console) -> None:
    """Print a finished study."""
    for part in study_summary(study, width=console.width):
        console.print(part)


def study_summary(study: Study, *, width: int) -> list[RenderableType]:
    """The parts of a study's summary, in reading order, in lines of `width` characters."""
    return [
        Padding(_found(study), (1, 0)),
        *_equal_dose(study, width),
        *_equal_shift(study, width),
        Text(printable(_legend(study)), style="dim"),
        Padding(_findings(study), (1, 0, 0, 0)),
    ]


def selection_table(selection: "selecting.Selection") -> Table:
    """What each criterion kept and removed, layer by layer."""
    shown = {
        "layer": "layer",
        "threshold": "tau_q",
        "above_threshold": "|s| > tau_q",
        "above_min_d": "|d| > min d",
        "removed_by_d": "removed by d",
        "high": "High",
        "low": "Low",
    }
    table = _table(*shown.values())
    table.title = Text(one_line(f"{selection.trait}, rule {selection.rule}"), style="bold")
    table.title_justify = "left"
    for row in selection.layers.to_dict("records"):
        table.add_row(*(f"{row[key]:.4f}" if key == "threshold" else str(row[key]) for key in shown))
    return table


def answers_table(title: str, answers: Sequence[dict[str, str]]) -> Table:
    """Answers side by side: a column per key, a row per prompt."""
    table = Table(title=Text(one_line(title)), title_justify="left", show_lines=True, expand=True)
    for column in answers[0]:
        table.add_column(Text(one_line(column)), ratio=1)
    for row in answers:
        table.add_row(*(Text(printable(text)) for text in row.values()))
    return table


def tokens_text(tokens: pd.DataFrame) -> Text:
    """Texts with each token on the colour of its projection, and underlined outside the band of the controls.

    Args:
        tokens: as `Monitoring.frame` gives them.
    """
    figure = token_heat_map(tokens.drop(columns="trait", errors="ignore"))
    bars: Any = figure.data[0]
    shown = Text()
    before = None
    marks = zip(bars.marker.color, bars.insidetextfont.color, bars.marker.line.width, strict=True)
    rows = ((text, token, *mark) for text, token, mark in zip(tokens["text"], tokens["token"], marks, strict=True))
    for text, token, ground, ink, framed in rows:
        if before is not None and text != before:
            shown.append("\n\n")
        ground = "#{:02x}{:02x}{:02x}".format(*(round(part) for part in unlabel_rgb(ground)))
        shown.append(printable(token), style=f"{'underline ' if framed else ''}{ink} on {ground}")
        before = text
    return shown


def monitoring_table(summary: pd.DataFrame) -> Table:
    """Projections by text and part, as `Monitoring.summary` gives them."""
    table = _table("text", "part", "tokens", "projection", "lowest", "highest", "beyond null")
    for row in summary.to_dict("records"):
        numbers = (f"{row[name]:+.3f}" for name in ("projection", "lowest", "highest"))
        table.add_row(
            str(row["text"]), printable(row["part"]), str(row["tokens"]), *numbers, f"{row['beyond_null']:.0%}"
        )
    return table


def _found(study: Study) -> Text:
    tables, config = study.tables, study.config
    selection = tables["selection"]
    chosen, neurons = int(selection[["high", "low"]].to_numpy().sum()), int(selection["neurons"].sum())
    traits = len(config.traits)
    each = f"for each of {traits} traits" if traits > 1 else f"for {', '.join(config.traits)}"
    chosen_by_whom = "chosen on search questions" if config.dose is None else "given"
    dose = f"gamma {study.gamma:g} of {study.method} was {chosen_by_whom}; what follows was measured"
    if not has_dose(study):
        dose = f"{study.method} has no dose; what follows was measured"
    told = (
        f": {chosen / traits:.0f} of {neurons // traits} {each}, by {chosen_by(config)}, from {config.pairs} pairs a "
        f"trait.\n{dose} on held-out questions and items (scope {config.scope})."
        + (f"\nLayers and min_d that its file does not give: {study.preset}." if study.preset else "")
    )
    standing = standing_text(study)
    return Text.assemble(
        (f"{chosen / neurons:.2%} of the MLP neurons were chosen", "bold"),
        printable(told),
        (printable(f"\n{standing}") if standing else "", "yellow"),
    )


def chosen_by(config: StudyConfig) -> str:
    """What a study's rule asks of a neuron."""
    magnitude, effect = f"|s| > tau_q (q = {config.quantile:g})", f"|d| > {config.min_d:g}"
    return {"dual": f"{magnitude} and {effect}", "magnitude-only": magnitude, "d-only": effect}[config.rule]


def _legend(study: Study) -> str:
    target = Legend.of(study).quantity(study.target)
    text = (
        "Brackets: 95 % bootstrap intervals, clustered by what was asked. Shift: change of the "
        f"{target.label} in the intended direction ({target.change_unit}). pp: percentage points. Costs: "
        "change against the unedited model unless said."
    )
    same = [f"* {arm}: the same edits as {twin}, value by value." for arm, twin in study.twins.items()]
    return " ".join([text, *same])


def _equal_dose(study: Study, width: int) -> list[RenderableType]:
    """Arms at the chosen dose: the shift, that of other quantities of the trait, and the change of costs."""
    rows, legend = study.tables["equal_dose"], Legend.of(study)
    columns = {"shift": _column(rows, "shift", legend.quantity(study.target).scale)}
    for name in other_traits(study):
        quantity = legend.quantity(name)
        columns[f"{quantity.label}, shift"] = _column(rows, f"{name}_shift", quantity.scale)
    for name in shown_costs(study):
        quantity = legend.quantity(name)
        columns[_heading(quantity)] = _column(rows, quantity.change, quantity.scale)
    return _tables(study, f"Arms at equal dose (gamma {study.gamma:g})", rows["arm"], columns, width=width)


def _equal_shift(study: Study, width: int) -> list[RenderableType]:
    """The dose that each arm needs to move the traits as far as the arm under test, and what it costs beyond it."""
    rows, legend = study.tables["equal_shift"], Legend.of(study)
    costs = [legend.quantity(name) for name in shown_costs(study) if f"{name}_against" in rows]
    if rows.empty or not costs:
        return []
    never, itself = rows["gamma"].isna(), rows["arm"] == study.method
    needed = _column(rows, "gamma", signed=False)
    needed = [Text("never as far", style="dim") if none else cell for none, cell in zip(never, needed, strict=True)]
    needed = [
        Text(cell.plain.partition(" ")[0]) if chosen else cell for chosen, cell in zip(itself, needed, strict=True)
    ]
    columns = {"gamma needed": needed}
    for cost in costs:
        cells = _column(rows, f"{cost.name}_against", cost.scale)
        compared = zip(cells, never | itself, strict=True)
        columns[_heading(cost)] = [Text(_MISSING) if skipped else cell for cell, skipped in compared]
    target = legend.quantity(study.target)
    shift = f"{target.scale * rows['shift'].iloc[0]:+.2f} {target.change_unit}"
    title = f"Arms at equal trait shift ({shift}), against {study.method} there"
    return _tables(study, title, rows["arm"], columns, width=width)


def _findings(study: Study) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for finding in study.findings:
        mark, colour = MARKS[finding.verdict]
        sentence = Text.assemble(
            (printable(finding.claim), "bold"),
            ": ",
            (finding.verdict, f"bold {colour}"),
            ". ",
            (printable(finding.sentence), "default"),
        )
        grid.add_row(Text(mark, style=colour), sentence)
    return Group(Text("What the data say", style="bold underline"), grid)


def _tables(
    study: Study, title: str, arms: pd.Series, columns: Mapping[str, Sequence[Text]], *, width: int
) -> list[RenderableType]:
    """Columns beside the arms' names, in as many tables as lines of `width` characters need."""
    names = [Text(one_line(f"{arm} *" if arm in study.twins else arm)) for arm in arms]
    heads = {column: "\n".join(textwrap.wrap(one_line(column), _HEAD)) for column in columns}
    first = max(name.cell_len for name in names)
    groups: list[list[str]] = []
    used = width
    for column, cells in columns.items():
        wide = 1 + max(text.cell_len for text in (*cells, *map(Text, heads[column].splitlines())))
        if used + wide > width:
            groups.append([])
            used = first
        groups[-1].append(column)
        used += wide
    parts: list[RenderableType] = []
    for number, group in enumerate(groups):
        table = _table("arm", *(heads[column] for column in group))
        for name, *cells in zip(names, *(columns[column] for column in group), strict=True):
            table.add_row(name, *cells)
        parts += [Text(one_line(f"{title}{', continued' if number else ''}"), style="bold"), table]
    return parts


def _table(*columns: str) -> Table:
    table = Table(header_style="dim", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if number else "left", no_wrap=True)
    return table


def _heading(quantity: Quantity) -> str:
    """A quantity's label and unit, short enough for the head of a column."""
    return f"{quantity.label}, {'pp' if quantity.unit == SHARE else quantity.unit}"


def _column(rows: pd.DataFrame, name: str, scale: float = 1.0, *, signed: bool = True) -> list[Text]:
    """Estimates with their intervals, scaled; numbers of a percent have one decimal, others at least two."""
    values = [scale * rows[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high")]
    sizes = np.abs(values[0][np.isfinite(values[0]) & (values[0] != 0)])
    wanted = 1 - math.floor(math.log10(np.median(sizes))) if len(sizes) else 2
    decimals = 1 if scale != 1.0 else min(max(wanted, 2), 4)
    sign = "+" if signed else ""
    return [
        Text(_MISSING)
        if math.isnan(value)
        else Text(f"{value:{sign}.{decimals}f}")
        if math.isnan(low)
        else Text.assemble(f"{value:{sign}.{decimals}f} ", (f"[{low:.{decimals}f},{high:.{decimals}f}]", "dim"))
        for value, low, high in zip(*values, strict=True)
    ]
