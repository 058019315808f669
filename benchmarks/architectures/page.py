"""The page of the table of architectures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from benchmarks.architectures.cells import COLUMNS, TOLERANCE, Cell

_PACKAGES = ("transformer-lens", "transformers", "torch")


@dataclass(frozen=True)
class Row:
    """What became of one architecture.

    Attributes:
        name: its class in transformers.
        cells: by column; empty if the checkpoint was refused or not made.
        refused: why it is not loaded; empty if it is.
        unbuilt: why there is no checkpoint of it; empty if there is.
    """

    name: str
    cells: dict[str, Cell] = field(default_factory=dict)
    refused: str = ""
    unbuilt: str = ""

    @property
    def bugs(self) -> list[str]:
        """What was wrong, column by column."""
        return [f"{self.name}, {column}: {bug}" for column, cell in self.cells.items() for bug in cell.bugs]


def page(rows: Sequence[Row]) -> str:
    """The page as Markdown."""
    notes: dict[str, int] = {}
    table = [row for row in rows if row.cells]
    lines = [
        "# Architectures",
        "",
        "<!-- Written by `python -m benchmarks.architectures`. Do not edit. -->",
        "",
        "Every architecture that TransformerLens lists and transformers can make: a tiny random checkpoint of it with "
        "three blocks, each use of which is held against plain transformers, one prompt at a time, without padding and "
        "without a cache, with PyTorch's own hooks on transformers' modules. Made by "
        "`python -m benchmarks.architectures` with " + ", ".join(f"{name} {version(name)}" for name in _PACKAGES) + ".",
        "",
        f"A number is the largest difference, as a share of the largest value; {TOLERANCE:g} is allowed. What is "
        "refused is refused in one line, which the number in brackets leads to; there … stands for the model. "
        "*Capture* and *edit* are of the MLP's neurons: "
        "`hook_post`, `hook_pre` and, for edits, `act`, and what an edit is said to write to the residual stream. "
        "*Generate* compares greedy answers, bare and edited in two scopes. *Patch* inserts neurons from a matched "
        "prompt. *Bake* compares the written checkpoint with the edited network. *Residual sites* are `resid_mid`, "
        "`resid_post` and `mlp_out`, captured and edited. *z* is what the attention heads read.",
        "",
        "| architecture | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
        *(f"| {row.name} | " + " | ".join(_text(row, column, notes) for column in COLUMNS) + " |" for row in table),
        "",
        "## What is refused, in its own words",
        "",
        *(f"{number}. {line}" for line, number in notes.items()),
    ]
    if refused := [row for row in rows if row.refused]:
        lines += ["", "## Not loaded", ""]
        lines += ["| architecture | the line |", "|---|---|", *(f"| {row.name} | {row.refused} |" for row in refused)]
    if unbuilt := [row for row in rows if row.unbuilt]:
        lines += ["", "## No checkpoint could be made", ""]
        lines += ["| architecture | why |", "|---|---|", *(f"| {row.name} | {row.unbuilt} |" for row in unbuilt)]
    return "\n".join(lines) + "\n"


def _text(row: Row, column: str, notes: dict[str, int]) -> str:
    cell = row.cells.get(column)
    if cell is None:
        return ""
    if cell.bugs:
        return "**bug**"
    parts = [] if cell.worst is None else ["equal" if cell.worst == 0 else f"{cell.worst:.0e}"]
    numbers: dict[int, list[str]] = {}
    for what, message in cell.refused.items():
        message = re.sub(r"^The model is a \S+:", "The model is a …:", message.replace(row.name, "…"))
        number = notes.setdefault(message.replace("|", "\\|"), len(notes) + 1)
        numbers.setdefault(number, []).append(what)
    for number, several in numbers.items():
        named = ", ".join(several) + " " if parts else ""
        parts.append(f"{named}refused [{number}]")
    return "; ".join(parts)
