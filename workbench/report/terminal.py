"""A study in the terminal: what was found, the arms side by side, and what the data say."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workbench.select.selection import Selection
from workbench.study.config import ARMS, StudyConfig
from workbench.study.study import Study

_ARM = max(map(len, ARMS)) + 1  # the longest name, perhaps with a star
MARKS = {"supported": ("✓", "green"), "refuted": ("✗", "red"), "undecided": ("?", "yellow")}


def print_study(study: Study, console: Console) -> None:
    """Print a finished study."""
    for part in study_summary(study):
        console.print(part)


def study_summary(study: Study) -> list[RenderableType]:
    """The parts of a study's summary, in reading order."""
    return [
        Padding(Text.from_markup(_found(study)), (1, 0)),
        _equal_dose(study),
        _equal_shift(study),
        Text.from_markup(f"[dim]{_legend(study)}[/]"),
        Padding(_findings(study), (1, 0, 0, 0)),
    ]


def selection_table(selection: Selection) -> Table:
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
    table = _table(f"{selection.trait}, rule {selection.rule}", *shown.values())
    for row in selection.layers.to_dict("records"):
        table.add_row(*(f"{row[key]:.4f}" if key == "threshold" else str(row[key]) for key in shown))
    return table


def answers_table(title: str, answers: Sequence[dict[str, str]]) -> Table:
    """Answers side by side: a column per key, a row per prompt."""
    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    for column in answers[0]:
        table.add_column(column, ratio=1)
    for row in answers:
        table.add_row(*map(Text, row.values()))
    return table


def _found(study: Study) -> str:
    tables, config = study.tables, study.config
    selection = tables["selection"]
    chosen, neurons = int(selection[["high", "low"]].to_numpy().sum()), int(selection["neurons"].sum())
    traits = len(config.traits)
    return (
        f"[bold]{chosen / neurons:.2%} of the MLP neurons carry a trait[/]: {chosen / traits:.0f} of "
        f"{neurons // traits} for each of {traits} traits, by {chosen_by(config)}, from {config.pairs} pairs a trait.\n"
        f"gamma {study.gamma:g} was chosen on search questions; what follows was measured on held-out ones "
        f"(scope {config.scope})."
    )


def chosen_by(config: StudyConfig) -> str:
    """What a study's rule asks of a neuron."""
    magnitude, effect = f"|s| > tau_q (q = {config.quantile:g})", f"|d| > {config.min_d:g}"
    return {"dual": f"{magnitude} and {effect}", "magnitude-only": magnitude, "d-only": effect}[config.rule]


def _legend(study: Study) -> str:
    text = (
        "Brackets: 95 % bootstrap intervals, clustered by question or item. Shift: points of the 1–5 scale in the "
        "intended direction. pp: percentage points, against the unedited model unless said."
    )
    same = [f"* {arm}: the same edits as {twin}, value by value." for arm, twin in study.twins.items()]
    return " ".join([text, *same])


def _equal_dose(study: Study) -> Table:
    table = _table(f"Arms at equal dose (gamma {study.gamma:g})", "arm", "shift", "well-formed, pp", "capability, pp")
    for row in study.tables["equal_dose"].to_dict("records"):
        table.add_row(
            _arm(study, row["arm"]),
            _interval(row, "shift", "{:+.2f}"),
            _interval(row, "wellformed_change", "{:+.1f}", times=100.0),
            _interval(row, "capability_change", "{:+.1f}", times=100.0),
        )
    return table


def _equal_shift(study: Study) -> Table:
    rows = study.tables["equal_shift"].to_dict("records")
    title = f"Arms at equal trait shift ({rows[0]['shift']:+.2f} points), against DPN-LE there"
    table = _table(title, "arm", "gamma needed", "well-formed, pp", "capability, pp")
    for row in rows:
        if pd.isna(row["gamma"]):
            table.add_row(_arm(study, row["arm"]), "[dim]never as far[/]", "–", "–")
        elif row["arm"] == "DPN-LE":
            table.add_row("DPN-LE", f"{row['gamma']:.2f}", "–", "–")
        else:
            table.add_row(
                _arm(study, row["arm"]),
                _interval(row, "gamma", "{:.2f}"),
                _interval(row, "wellformed_against", "{:+.1f}", times=100.0),
                _interval(row, "capability_against", "{:+.1f}", times=100.0),
            )
    return table


def _findings(study: Study) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for finding in study.findings:
        mark, colour = MARKS[finding.verdict]
        said = Text.assemble(
            (finding.claim, "bold"), ": ", (finding.verdict, f"bold {colour}"), ". ", (finding.sentence, "default")
        )
        grid.add_row(Text(mark, style=colour), said)
    return Group(Text("What the data say", style="bold underline"), grid)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, padding=(0, 1, 0, 0)
    )
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True, min_width=0 if place else _ARM)
    return table


def _arm(study: Study, arm: str) -> str:
    return f"{arm} *" if arm in study.twins else arm


def _interval(row: dict[Any, Any], name: str, form: str, *, times: float = 1.0) -> str:
    estimate = form.format(times * row[name])
    low, high = (form.replace("+", "").format(times * row[f"{name}{end}"]) for end in ("_low", "_high"))
    return estimate if pd.isna(row[f"{name}_low"]) else f"{estimate} [dim]\\[{low}, {high}][/]"
