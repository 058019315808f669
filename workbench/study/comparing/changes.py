"""Every quantity of an outcome beside the unedited model's, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.dosing import Changes
from workbench.outcome.outcome import Outcome
from workbench.outcome.quantity import Quantity
from workbench.vocabulary import SIGN

SHIFT = "shift"
"""The column of the target's change in the intended direction."""


@dataclass(frozen=True)
class Measured:
    """One outcome's rows with a column of numbers for each of its quantities.

    Attributes:
        outcome: whose rows they are.
        rows: of all arms and the unedited model.
    """

    outcome: Outcome
    rows: pd.DataFrame

    @classmethod
    def of(cls, outcome: Outcome, frame: pd.DataFrame) -> "Measured":
        """An outcome's frame with its quantities read."""
        return cls(outcome, outcome.measured(frame))

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What each row holds."""
        return self.outcome.quantities

    def only(self, keep: pd.Series) -> "Measured":
        """Those rows for which `keep` is true."""
        return Measured(self.outcome, self.rows[keep])

    def of_trait(self, trait: str) -> "Measured":
        """The rows on one trait."""
        return self.only(self.rows["trait"] == trait)

    def edited(self) -> pd.DataFrame:
        """Edited rows beside the unedited row on the same item under the same random draws.

        Unedited rows may be of a direction, where each direction has items of its own, or of none, and then stand
        for both.

        Returns:
            The edited rows with, for each quantity q, `base_q` and `q_change` (edited minus unedited); of a cost
            missing where either is. A quantity of the trait has `q_shift` too, the change in the intended direction.
            There a row without a number has not moved: change and shift are 0, `q_known` is false, and `q_least` and
            `q_most` are the least and the greatest shift that it could have had (missing without a `span`).
        """
        names = [quantity.name for quantity in self.quantities]
        unedited = self.rows[self.rows["arm"] == UNEDITED]
        keys = ["trait", "direction", *self.outcome.pairs]
        if set(unedited["direction"]) == {"none"}:
            keys.remove("direction")
        base = unedited[[*keys, *names]].rename(columns={name: f"base_{name}" for name in names})
        rows = self.rows[self.rows["arm"] != UNEDITED].merge(base, on=keys, validate="many_to_one")
        sign = rows["direction"].map(SIGN)
        for quantity in self.quantities:
            change = rows[quantity.name] - rows[f"base_{quantity.name}"]
            if quantity.role == "trait":
                rows[f"{quantity.name}_known"] = change.notna()
                rows[f"{quantity.name}_least"], rows[f"{quantity.name}_most"] = _bounds(rows, quantity, sign)
                change = change.fillna(0.0)
                rows[quantity.shift] = sign * change
            rows[quantity.change] = change
        return rows

    def counted(self) -> pd.DataFrame:
        """All rows, where an edited one without a number of the trait has the unedited row's: it has not moved."""
        traits = [quantity.name for quantity in self.quantities if quantity.role == "trait"]
        if not traits or not self.rows[traits].isna().any(axis=None):
            return self.rows
        edited = self.edited()
        filled = edited.assign(**{name: edited[name].fillna(edited[f"base_{name}"]) for name in traits})
        unedited = self.rows[self.rows["arm"] == UNEDITED]
        return pd.concat([unedited, filled[self.rows.columns]], ignore_index=True)

    def clusters(self, edited: pd.DataFrame) -> pd.Series:
        """The cluster of each edited row over all traits: of items of a direction, that direction's."""
        parts = [edited["trait"]]
        if set(self.rows.loc[self.rows["arm"] == UNEDITED, "direction"]) != {"none"}:
            parts.append(edited["direction"])
        label = parts[0]
        for part in (*parts[1:], edited[self.outcome.cluster].astype(str)):
            label = label + "|" + part
        return label


def _bounds(rows: pd.DataFrame, quantity: Quantity, sign: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The least and the greatest shift of each row, where a missing number may be any within the quantity's span."""
    least, most = quantity.span or (np.nan, np.nan)
    after, before = rows[quantity.name], rows[f"base_{quantity.name}"]
    low = after.fillna(least) - before.fillna(most)
    high = after.fillna(most) - before.fillna(least)
    return low.where(sign > 0, -high), high.where(sign > 0, -low)


def changes_of(measured: Sequence[Measured], target: Quantity, costs: Sequence[Quantity]) -> list[Changes]:
    """The target's shift, then the change of every cost, as curves over doses are drawn from them."""
    series = []
    for each in measured:
        edited = each.edited()
        cluster = each.clusters(edited)
        for quantity in each.quantities:
            if quantity.name == target.name:
                column, name = quantity.shift, SHIFT
            elif quantity in costs:
                column = name = quantity.change
            else:
                continue
            rows = pd.DataFrame(
                {"arm": edited["arm"], "gamma": edited["gamma"], "cluster": cluster, "change": edited[column]}
            )
            series.append(Changes(name, rows))
    return series


def measured_by(frames: Mapping[str, pd.DataFrame], outcomes: Sequence[Outcome]) -> list[Measured]:
    """The outcomes' rows with their quantities, in the outcomes' order."""
    return [Measured.of(outcome, frames[outcome.name]) for outcome in outcomes]
