"""A replication in words: what ran, the paper's numbers beside ours, and what the paper lacks."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from workbench.printable import one_line

if TYPE_CHECKING:
    from workbench.replicate.running import Replication

_SHOWN = {
    "id": "number",
    "arm": "arm",
    "gamma": "gamma",
    "paper": "paper",
    "ours": "ours",
    "interval": "95 % interval",
    "n": "n",
    "verdict": "verdict",
}
FEW = 20
"""With fewer rows a bootstrap interval is too narrow."""


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The comparisons as a reader sees them, every cell a text."""
    rows = table.assign(
        interval=[_interval(low, high) for low, high in zip(table["low"], table["high"], strict=True)],
        arm=[
            arm if direction == "both" else f"{arm}, {direction}"
            for arm, direction in zip(table["arm"], table["direction"], strict=True)
        ],
    )
    for name in ("paper", "ours", "gamma"):
        rows[name] = [number(value) for value in rows[name]]
    rows["n"] = rows["n"].astype(str)
    return rows[list(_SHOWN)].rename(columns=_SHOWN)


def reading(made: "Replication") -> str:
    """How verdicts are to be read."""
    if made.faithful:
        text = "A number is reproduced where the paper's lies within our 95 % interval."
    else:
        text = (
            "This is not the paper's protocol on the paper's model, so no number is reproduced or refuted: inside and "
            "outside say whether the paper's number lies within our 95 % interval."
        )
    few = ((made.table["n"] < FEW) & (made.table["n"] > 0)).sum()
    return f"{text} {few} intervals rest on fewer than {FEW} rows and are too narrow." if few else text


def markdown_of(made: "Replication") -> str:
    """All of it as Markdown."""
    protocol = made.protocol
    parts = [
        f"# {protocol.title}",
        f"{protocol.citation}. Run on {made.model}.",
        reading(made),
        "## The paper's numbers and ours",
        markdown_table(shown(made.table)),
        "## Steps",
        markdown_table(made.steps.assign(ran=made.steps["ran"].map({True: "yes", False: "not run"}))),
    ]
    reasons = made.table[(made.table["why"] != "") & (made.table["verdict"] != "not run")]
    if len(reasons):
        parts += ["Notes:", "\n".join(f"- {row.id}: {row.why}." for row in reasons.itertuples())]
    unmeasured = made.table[(made.table["verdict"] == "not run") & made.table["step"].isin(_ran(made))]
    if len(unmeasured):
        parts += ["Not measured:", "\n".join(f"- {row.id}: {row.why}." for row in unmeasured.itertuples())]
    parts += [
        "## What ran otherwise than in the paper",
        "\n".join(f"- {each}" for each in made.deviations) or "Nothing.",
    ]
    parts += ["## Where the paper's numbers stand", "\n".join(f"- {n.id}: {n.where}" for n in protocol.numbers)]
    for name, table in made.added.items():
        parts += [f"## Not in the paper: {name.replace('_', ' ')}", markdown_table(rounded(table))]
    return "\n\n".join(parts) + "\n"


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every cell a text."""
    return table.map(lambda value: number(value) if isinstance(value, float | int) else str(value))


def markdown_table(table: pd.DataFrame) -> str:
    """A table of texts as Markdown; bars in a cell are escaped."""
    if table.empty:
        return "No rows."
    lines = [list(map(str, table.columns)), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float | None) -> str:
    """A number as a reader sees it; a dash where there is none.

    Example:
        >>> number(9.114), number(21223.0), number(None), number(-0.5)
        ('9.11', '21,223', '–', '-0.50')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if float(value).is_integer() and (isinstance(value, int) or abs(value) >= 100):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _interval(low: float, high: float) -> str:
    return "–" if math.isnan(low) or math.isnan(high) else f"{number(low)} to {number(high)}"


def _ran(made: "Replication") -> list[str]:
    return made.steps.loc[made.steps["ran"], "step"].tolist()
