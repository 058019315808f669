"""A number that an outcome reads from each of its rows."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["trait", "cost"]
"""`trait`: what an edit is meant to move; `cost`: what it should leave as it is, where more is better."""

SHARE = "share"
"""The unit of quantities from 0 to 1, whose changes are reported in percentage points."""


@dataclass(frozen=True)
class Quantity:
    """A number that an outcome reads from each of its rows.

    Attributes:
        name: what the tables' columns are called, e.g. `wellformed`, `wellformed_change`.
        role: see `Role`.
        label: how figures and sentences call it, e.g. `well-formed sentences`.
        unit: of the number, e.g. `points of 4`; `share` for one from 0 to 1.
        column: the column of the outcome's frame that holds it; by default its name.
        losses: of a cost, the losses at which arms are compared at equal loss. Costs that have some are compared at
            equal shift too, and claims are judged on them; others stand in tables alone.
        max_loss: the greatest mean loss at which a dose may still be chosen; None for no such bound.
        min_level: the least mean at which a dose may still be chosen; None for no such bound.
        margin: the loss that "is kept" tolerates; None where nothing is claimed of it.
        span: the least and the greatest number that there can be, from which bounds follow for rows without one.
    """

    name: str
    role: Role | str
    label: str
    unit: str
    column: str = ""
    losses: tuple[float, ...] = ()
    max_loss: float | None = None
    min_level: float | None = None
    margin: float | None = None
    span: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.role not in ("trait", "cost"):
            raise ValueError(f"A quantity's role is trait or cost, but {self.name!r} has {self.role!r}.")
        if not self.name.isidentifier():
            raise ValueError(f"A quantity's name is that of a column, e.g. word_count, but {self.name!r} arrived.")
        if self.losses and (self.role != "cost" or min(self.losses) <= 0):
            raise ValueError(f"Losses are of a cost and above 0, but {self.name!r} ({self.role}) has {self.losses}.")

    @property
    def reads(self) -> str:
        """The column of the outcome's frame that holds it."""
        return self.column or self.name

    @property
    def change(self) -> str:
        """The column of its change against the unedited model."""
        return f"{self.name}_change"

    @property
    def shift(self) -> str:
        """The column of its change in the intended direction, of a quantity of the trait."""
        return f"{self.name}_shift"

    @property
    def scale(self) -> float:
        """What a change is multiplied by before a reader sees it: 100 for shares."""
        return 100.0 if self.unit == SHARE else 1.0

    @property
    def change_unit(self) -> str:
        """What its change is counted in."""
        return "percentage points" if self.unit == SHARE else self.unit
