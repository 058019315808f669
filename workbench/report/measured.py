"""What a study measured, as its page, figures and tables take it."""

import pandas as pd

from workbench.plots import Legend
from workbench.study.study import Study


def shown_costs(study: Study) -> list[str]:
    """The costs that verdicts rest on: those at which arms are compared, and those with a margin; all if none is such.

    Others stand in the tables, and in figures of their own.
    """
    quantities = study.quantities
    costs = quantities[(quantities["role"] == "cost") & quantities["compared"]]
    kept = [
        row["name"]
        for row in costs.to_dict("records")
        if f"{row['name']}_against" in study.tables["equal_shift"] or pd.notna(row["margin"])
    ]
    return kept or list(costs["name"])


def other_traits(study: Study) -> list[str]:
    """Quantities of the trait besides the target that the tables compare at every dose."""
    quantities = study.quantities
    rows = quantities[(quantities["role"] == "trait") & quantities["compared"] & (quantities["name"] != study.target)]
    return list(rows["name"])


def without_other_costs(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """A table without the columns of costs that no verdict rests on."""
    shown, quantities = set(shown_costs(study)), study.quantities
    others = [name for name in quantities.loc[quantities["role"] == "cost", "name"] if name not in shown]
    ends = ("", "_low", "_high")
    columns = [f"{name}{part}{end}" for name in others for part in ("", "_change") for end in ends]
    return table.drop(columns=[column for column in columns if column in table])


def label_of(study: Study, quantity: str) -> str:
    """How a quantity is called in a sentence."""
    return Legend.of(study).quantity(quantity).label


def subject_of(study: Study) -> str:
    """How a sentence calls the arm under test."""
    arms = study.tables["arms"].set_index("arm")
    return str(arms.loc[study.method, "claimed_as"] or study.method)


def has_dose(study: Study) -> bool:
    """Whether a dose scales the arm under test."""
    arms = study.tables["arms"].set_index("arm")
    return bool(arms.loc[study.method, "has_dose"])


def standing_text(study: Study) -> str:
    """Which arm stands for a method that selects nothing, and where; empty where it selects neurons of every trait."""
    if not study.stand_ins:
        return ""
    one = next(iter(study.stand_ins.values()))
    listed = ", ".join(
        f"{trait} at min_d = {each['min_d']:g}, {each['high']} high and {each['low']} low neurons"
        for trait, each in study.stand_ins.items()
    )
    where = "for any trait" if study.stands_for else f"of {', '.join(study.stand_ins)}"
    told = f"At these thresholds {one['method']} selects nothing {where}: no claim about it is judged there. The arm "
    told += f"{one['arm']}, the same rule where it selects a handful ({listed}), stands for it; "
    if study.stands_for:
        return f"{told}the dose was chosen on it, and controls and rivals are matched to it."
    return f"{told}controls and rivals are matched to it there, and rows on all traits together are of the others."
