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
TITLES = {
    "one_strength": "Not in the paper: control and preservation at one strength",
    "controls": "Not in the paper: the shift of the method beyond each control, points of 4",
    "equal_shift": "Not in the paper: what each arm costs at the method's shift",
    "ipip_shift": "IPIP items: shift at the reported dose, points of 4",
    "ipip_people": "IPIP items: distance from people's answers, points of 1 to 5",
    "beyond_random": "Not in the paper: vectors beside random ones of the same length, percentage points",
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
        parts += [f"## {TITLES.get(name, name)}", markdown_table(rounded(compact(name, table)))]
    return "\n\n".join(parts) + "\n"


def compact(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """A table of the kit with each estimate and its interval in one cell, and the columns that a reader needs first."""
    if name == "one_strength" and len(table):
        names = zip(table["quantity"], table["direction"], strict=True)
        wide = table.assign(
            cell=_cells(table, "estimate", "low", "high"),
            quantity=[quantity if way == "both" else f"{quantity}, {way}" for quantity, way in names],
        ).pivot_table(index=["arm", "gamma"], columns="quantity", values="cell", aggfunc="first", sort=False)
        return wide.fillna("–").reset_index().rename_axis(columns=None)
    if name == "controls":
        rows = table[table["trait"] == "all"]
        cells = {"control": rows["control"], "beyond it": _cells(rows, "difference", "low", "high")}
        return pd.DataFrame({**cells, "draws": rows["draws"], "rank p": rows["p_draws"], "p": rows["p"]})
    if name == "equal_shift":
        costs = [column.removesuffix("_low") for column in map(str, table) if column.endswith("_change_low")]
        cells = {"arm": table["arm"], "reached": table["reached"], "gamma": _cells(table, *_ends("gamma"))}
        return pd.DataFrame({**cells, **{cost.replace("_", " "): _cells(table, *_ends(cost)) for cost in costs}})
    estimate = next((column for column in ("shift", "error") if column in table), None)
    if estimate is None:
        return table
    return table.assign(**{estimate: _cells(table, estimate, "low", "high")}).drop(columns=["low", "high"])


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _cells(table: pd.DataFrame, estimate: str, low: str, high: str) -> list[str]:
    """Each row's estimate with its interval."""
    rows = zip(table[estimate], table[low], table[high], strict=True)
    return [
        number(at) if pd.isna(at) or pd.isna(down) else f"{number(at)} ({_interval(down, up)})" for at, down, up in rows
    ]


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every cell a text."""
    return table.map(
        lambda value: number(value) if isinstance(value, float | int) and not isinstance(value, bool) else str(value)
    )


def markdown_table(table: pd.DataFrame) -> str:
    """A table of texts as Markdown; bars in a cell are escaped."""
    if table.empty:
        return "No rows."
    lines = [list(map(str, table.columns)), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float | int | None) -> str:
    """A number as a reader sees it; a dash where there is none.

    Example:
        >>> number(9.114), number(21223.0), number(None), number(-0.5)
        ('9.11', '21,223', '–', '-0.50')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if float(value).is_integer() and (isinstance(value, int) or abs(value) >= 100):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _interval(low: float, high: float) -> str:
    return "–" if math.isnan(low) or math.isnan(high) else f"{number(low)} to {number(high)}"


def _ran(made: "Replication") -> list[str]:
    return made.steps.loc[made.steps["ran"], "step"].tolist()
