"""What figures say of a study's arms and quantities: colours from roles, words and units from what was measured."""

import html
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pandas as pd

from workbench.outcome.quantity import SHARE, Quantity
from workbench.plots.literal import literal
from workbench.plots.palette import ROLE_OF, ArmStyle, arm_styles

SHIFT = "shift"
"""The column of the target's change in the intended direction."""


@runtime_checkable
class Described(Protocol):
    """Anything that names its arms and quantities as a study does."""

    @property
    def roles(self) -> Mapping[str, str]:
        """The role of each arm, in the order of tables."""
        ...

    @property
    def quantities(self) -> pd.DataFrame:
        """Columns name, role, label and unit, a row for each quantity."""
        ...

    @property
    def target(self) -> str:
        """The quantity at which arms are compared."""
        ...


@dataclass(frozen=True)
class Wording:
    """How the numbers of one column are written.

    Attributes:
        label: what they are.
        unit: what they are counted in; empty where that is not known.
        share: whether they lie from 0 to 1, and are written as percentages.
        signed: whether they are changes, and show their sign.
    """

    label: str
    unit: str
    share: bool = False
    signed: bool = False

    @property
    def ticks(self) -> str:
        """The format of an axis' ticks, as plotly takes it; of percentages with as many decimals as ticks need."""
        return "~%" if self.share else ""

    @property
    def form(self) -> str:
        """The format of a number that hovering tells."""
        return f"{'+' if self.signed else ''}{'.1%' if self.share else '.3~g'}"

    def text(self, value: float) -> str:
        """A number to three digits."""
        number = f"{100 * value if self.share else value:{'+' if self.signed else ''}.3g}"
        return f"{number} %" if self.share else number

    @property
    def title(self) -> str:
        """The label with its unit, in one line."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def lines(self, width: int) -> str:
        """The label in lines of at most `width` characters, its unit in lines of its own."""
        parts = [self.label, f"({self.unit})"] if self.unit else [self.label]
        lines = [line for part in parts for line in textwrap.wrap(html.unescape(part), width, break_on_hyphens=False)]
        return "<br>".join(map(literal, lines))


@dataclass(frozen=True)
class Legend:
    """What figures say of arms and quantities.

    Attributes:
        roles: the role of each arm, in the order of tables. A built-in arm that is not among them has its own role;
            any other one is a rival.
        quantities: what was measured. A quantity that is not among them is called by its name, without a unit.
        target: the quantity whose change in the intended direction stands in columns called `shift`; by default the
            first that measures the trait.

    Example:
        >>> words = Quantity("words", "cost", "words of an answer", "words")
        >>> Legend(quantities=(words,)).change("words").title
        'change of words of an answer (words)'
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    quantities: tuple[Quantity, ...] = ()
    target: str = ""

    @classmethod
    def of(cls, study: Described) -> "Legend":
        """A study's own: its arms' roles, its quantities' labels and units."""
        rows = study.quantities.drop_duplicates("name").to_dict("records")
        quantities = tuple(Quantity(row["name"], row["role"], row["label"], row["unit"]) for row in rows)
        return cls(study.roles, quantities, study.target)

    def styles(self, arms: Iterable[str]) -> dict[str, ArmStyle]:
        """The style of each arm of a table, the arm under test first and the others in the table's order."""
        given = dict.fromkeys(arms)
        roles = dict(self.roles) | {arm: self.role(arm) for arm in given}
        styles = arm_styles(roles)
        first = sorted(given, key=lambda arm: self.role(arm) != "method")
        return {arm: styles[arm] for arm in first}

    def role(self, arm: str) -> str:
        """An arm's role."""
        return self.roles.get(arm) or ROLE_OF.get(arm, "rival")

    def quantity(self, name: str) -> Quantity:
        """A quantity by its name."""
        for each in self.quantities:
            if each.name == name:
                return each
        return Quantity(name, "cost", name.replace("_", " "), "")

    def level(self, name: str) -> Wording:
        """How a quantity itself is written."""
        quantity = self.quantity(name)
        return Wording(quantity.label, quantity.unit, quantity.unit == SHARE)

    def change(self, name: str) -> Wording:
        """How a quantity's change against the unedited model is written."""
        quantity = self.quantity(name)
        return Wording(f"change of {quantity.label}", quantity.change_unit, quantity.unit == SHARE, signed=True)

    def shift(self, name: str = "") -> Wording:
        """How the change in the intended direction is written: of the target, or of the quantity called `name`."""
        traits = (each.name for each in self.quantities if each.role == "trait")
        quantity = self.quantity(name or self.target or next(traits, SHIFT))
        label = f"shift of {quantity.label}" if name else "trait shift"
        unit = ", ".join(part for part in (quantity.change_unit, "intended direction") if part)
        return Wording(label, unit, quantity.unit == SHARE, signed=True)

    def changes(self, table: pd.DataFrame) -> dict[str, Wording]:
        """How each column of a table that holds a change is written, by the column's name and in the table's order.

        These are the columns `shift`, `NAME_shift` and `NAME_change` that stand beside their interval, in columns with
        `_low` and `_high`.
        """
        wordings = {}
        for column in table.columns:
            name, _, kind = str(column).rpartition("_")
            if f"{column}_low" not in table or f"{column}_high" not in table:
                continue
            if column == SHIFT or kind == SHIFT:
                wordings[str(column)] = self.shift(name)
            elif kind == "change":
                wordings[str(column)] = self.change(name)
        return wordings
