"""What is left of the shift and of the costs under each stress, beside a random control of the same size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.measure.paired import bootstrap_mean, paired_change
from workbench.measure.ratio import ratio_of_means, surely_above
from workbench.measure.summarising import ALL, by_trait, clustered_mean
from workbench.outcome.outcome import Outcome
from workbench.outcome.quantity import Quantity
from workbench.study.comparing.changes import Measured
from workbench.study.frames import stacked

HALF = 0.5
"""The share of the shift that has to be left for an edit to hold."""

_KEYS = ["trait", "direction"]
COLUMNS = [
    *("stress", "kind", "condition", "arm", "trait", "quantity", "role", "change", "low", "high", "n", "plain"),
    *("left", "left_low", "left_high", "p_half", "p_less", "wrong_way", "wrong_way_low", "wrong_way_high"),
    *("beyond", "beyond_low", "beyond_high", "p_beyond"),
]


@dataclass(frozen=True)
class Beside:
    """One outcome's rows under a condition of stress, beside those without it.

    Attributes:
        stress: the stressor.
        condition: which of its conditions.
        outcome: whose rows they are.
        stressed, plain: of the unedited model, the arm under test and its random control.
        of_data: whether the edit was made again, instead of the question put otherwise.
    """

    stress: str
    condition: str
    outcome: Outcome
    stressed: pd.DataFrame
    plain: pd.DataFrame
    of_data: bool = False


def stress_table(beside: Sequence[Beside], method: str, *, resamples: int, seed: int) -> pd.DataFrame:
    """What is left under each condition, and under all of a stress together (`all`), by arm, trait and quantity.

    Changes under a stress are against the unedited model under the same stress, item by item; an item is what the
    outcome resamples, e.g. a pair of statements, in each direction. A random control counts by the mean of its draws.

    Returns:
        Columns stress, kind (`wording` or `data`), condition, arm, trait (`all` for all), quantity, role, change (of a
        quantity of the trait in the intended direction, of a cost edited minus unedited) with low and high (95 %,
        clusters resampled), n (items), plain (the change without the stress), left (change as a share of plain, both
        resampled together; missing where plain is not surely other than 0), p_half and p_less (one-sided, t tests over
        clusters: that at least half of plain is left, and that less than half is), wrong_way (share of items of the
        trait that move against the intended direction), and beyond (change minus the random control's under the same
        stress, of the arm under test) with p_beyond (one-sided, that it is above 0). A quantity that no other wording
        changes, as that of raw text, has no row.
    """
    table: list[dict[str, object]] = []
    for stress in dict.fromkeys(each.stress for each in beside):
        of_stress = [each for each in beside if each.stress == stress]
        for outcome in dict.fromkeys(each.outcome.name for each in of_stress):
            parts = [each for each in of_stress if each.outcome.name == outcome]
            changes = {each.condition: _changes(each) for each in parts}
            changes[ALL] = stacked([frame.assign(condition=name) for name, frame in changes.items()])
            for quantity in parts[0].outcome.quantities:
                for condition in (ALL, *(each.condition for each in parts)):
                    rows = _of(changes[condition], quantity, of_data=parts[0].of_data)
                    entry = {"stress": stress, "kind": "data" if parts[0].of_data else "wording"}
                    entry |= {"condition": condition, "quantity": quantity.name, "role": quantity.role}
                    asked = _Asked(_names(parts[0].outcome), parts[0].outcome.cluster, method, resamples, seed)
                    table += [entry | each for each in asked.entries(rows, quantity)]
    frame = pd.DataFrame(table, columns=COLUMNS)
    numbers = COLUMNS[COLUMNS.index("change") :]
    return frame.astype({name: float for name in numbers if name != "n"})


def _changes(beside: Beside) -> pd.DataFrame:
    """Each item's change of every quantity under the stress (`q`) and without it (`q_plain`), by arm and draw.

    The unedited model's number is in `base_q` and in `base_q_plain`.
    """
    outcome = beside.outcome
    names = _names(outcome)
    sides = []
    for rows in (beside.stressed, beside.plain):
        edited = Measured.of(outcome, rows).edited()
        columns = {_column(quantity): quantity.name for quantity in outcome.quantities}
        bases = [f"base_{quantity.name}" for quantity in outcome.quantities]
        edited = edited.drop(columns=list(columns.values()))[["arm", "draw", *names, *bases, *columns]]
        sides.append(edited.rename(columns=columns))
    values = [name for quantity in outcome.quantities for name in (quantity.name, f"base_{quantity.name}")]
    plain = sides[1].rename(columns={name: f"{name}_plain" for name in values})
    return sides[0].merge(plain, on=["arm", "draw", *names], validate="one_to_one")


def _names(outcome: Outcome) -> list[str]:
    """The columns that tell an outcome's items apart."""
    return list(dict.fromkeys([*_KEYS, *outcome.pairs, outcome.cluster]))


def _column(quantity: Quantity) -> str:
    return quantity.shift if quantity.role == "trait" else quantity.change


def _of(changes: pd.DataFrame, quantity: Quantity, *, of_data: bool) -> pd.DataFrame:
    """One quantity's changes as `change` and `plain`; empty where another wording leaves every number as it was."""
    rows = changes.assign(change=changes[quantity.name], plain=changes[f"{quantity.name}_plain"])
    rows = rows.assign(base=rows[f"base_{quantity.name}"]).dropna(subset=["change", "plain"])
    if of_data or rows["base"].isin((0.0, 1.0)).all():  # right and wrong answers may well be the same
        return rows
    touched = (rows["base"] != rows[f"base_{quantity.name}_plain"]) | (rows["change"] != rows["plain"])
    return rows if touched.any() else rows.head(0)


@dataclass(frozen=True)
class _Asked:
    """How the rows of the table follow from one outcome's changes."""

    names: list[str]
    cluster: str
    method: str
    resamples: int
    seed: int

    @property
    def drawn(self) -> dict[str, int]:
        return {"resamples": self.resamples, "seed": self.seed}

    def entries(self, rows: pd.DataFrame, quantity: Quantity) -> list[dict[str, object]]:
        """A row for each arm and trait."""
        rows = rows.assign(unit=rows["trait"].astype(str) + "|" + rows[self.cluster].astype(str))
        items = [*self.names, "unit", *(["condition"] if "condition" in rows else [])]
        of_items = rows.groupby(["arm", *items], sort=False)[["change", "plain", "base"]].mean().reset_index()
        controls = of_items.loc[of_items["arm"] != self.method, [*items, "change"]]
        entries = []
        for arm in dict.fromkeys(rows["arm"]):
            every = dict(by_trait(rows[rows["arm"] == arm]))
            for trait, each in by_trait(of_items[of_items["arm"] == arm]):
                entry = {"arm": arm, "trait": trait} | self._left(each)
                if quantity.role == "cost":
                    # Right and wrong answers get an interval that has a width where none has changed.
                    values = (each["base"], each["base"] + each["change"])
                    change = paired_change(*values, clusters=each["unit"], **self.drawn)
                    entry |= {"low": change.low, "high": change.high}
                else:
                    entry |= self._wrong_way(every[trait])
                if arm == self.method and len(controls):
                    both = each.merge(controls, on=items, suffixes=("", "_control"), validate="one_to_one")
                    entry |= self._beyond(both)
                entries.append(entry)
        return entries

    def _left(self, rows: pd.DataFrame) -> dict[str, object]:
        """The change, and what it is of the change without the stress."""
        change, plain = (rows[name].to_numpy(float) for name in ("change", "plain"))
        units = rows["unit"].to_numpy()
        mean = bootstrap_mean(change, clusters=units, **self.drawn)
        ratio = ratio_of_means(change, plain, clusters=units, **self.drawn)
        entry: dict[str, object] = {"change": mean.estimate, "low": mean.low, "high": mean.high, "n": mean.n}
        entry |= {"plain": float(plain.mean()), "left": ratio.estimate, "left_low": ratio.low, "left_high": ratio.high}
        if not np.isnan(ratio.estimate):
            over = np.sign(plain.mean()) * (change - HALF * plain)
            entry |= {"p_half": surely_above(over, clusters=units), "p_less": surely_above(-over, clusters=units)}
        return entry

    def _wrong_way(self, rows: pd.DataFrame) -> dict[str, object]:
        """The share of items, of every draw of a random control, that move against the intended direction."""
        wrong = rows.assign(wrong=(rows["change"] < 0).astype(float))
        found = clustered_mean(wrong, "wrong", self.cluster, resamples=self.resamples)
        ends = {f"wrong_way_{end}": found[end] for end in ("low", "high")}
        return {"wrong_way": found["estimate"], **ends}

    def _beyond(self, both: pd.DataFrame) -> dict[str, object]:
        """How much further the arm under test moves each item than the random control does."""
        further, units = (both["change"] - both["change_control"]).to_numpy(float), both["unit"].to_numpy()
        mean = bootstrap_mean(further, clusters=units, **self.drawn)
        entry: dict[str, object] = {"beyond": mean.estimate, "beyond_low": mean.low, "beyond_high": mean.high}
        return entry | {"p_beyond": surely_above(further, clusters=units)}
