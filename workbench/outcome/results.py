"""What a study has measured, as outcomes and claims read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from workbench.arm.spec import UNEDITED, ArmSpec, Role
from workbench.measure.summarising import ALL
from workbench.outcome.quantity import Quantity


@dataclass(frozen=True)
class Results:
    """What a study has measured.

    Attributes:
        frames: every outcome's rows by its name, of all arms and doses in the reported scope.
        arms: the arms that ran, by name, in the tables' order.
        method: the name of the arm under test.
        gamma: the chosen dose.
        traits: the study's traits.
        target: the quantity that chose the dose, and at which arms are compared.
        costs: the quantities on which arms are compared at equal shift and equal loss.
        tables: the study's tables so far, by name.
        resamples: behind each interval.
        seed: of resamples and permutations.
        settings: every entry of the study's file.
    """

    frames: Mapping[str, pd.DataFrame]
    arms: Mapping[str, ArmSpec]
    method: str
    gamma: float
    traits: tuple[str, ...]
    target: Quantity
    costs: tuple[Quantity, ...]
    resamples: int
    seed: int
    settings: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def doseless(self) -> tuple[str, ...]:
        """Arms that have no dose, and so belong to every one."""
        return tuple(name for name, spec in self.arms.items() if not spec.has_dose)

    def named(self, *roles: Role) -> tuple[str, ...]:
        """The arms of these roles."""
        return tuple(name for name, spec in self.arms.items() if spec.role in roles)

    def at_chosen_dose(self, frame: pd.DataFrame, *, unedited: bool = False) -> pd.DataFrame:
        """A frame's rows at the chosen dose, those of arms without a dose with them, and the unedited model's."""
        others = (*self.doseless, *((UNEDITED,) if unedited else ()))
        return frame[(frame["gamma"] == self.gamma) | frame["arm"].isin(others)]

    def of(self, table: str, trait: str) -> pd.DataFrame:
        """A table's rows on a trait; all rows where all traits are asked about."""
        rows = self.tables[table]
        return rows if trait == ALL else rows[rows["trait"] == trait]
