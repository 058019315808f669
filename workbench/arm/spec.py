"""An arm of a study as a value: its role, its doses, and what builds its edit or instruction."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Build = Callable[[Any], Any]
"""Makes an edit at gamma 1 or an instruction from an `ArmContext`."""

Role = Literal["method", "rival", "control", "prompt", "reference"]
"""`method`, what a study tests; `rival`, another way to move the trait; `control`, what should move it less; `prompt`,
what is said to the model instead of edited; `reference`, what is known to change nothing."""

Doses = Literal["graded", "wide", "chosen", "none"]
"""`graded`, the study's `gammas`; `wide`, its `broad_gammas`, for arms that are far stronger at each dose; `chosen`,
the dose that was chosen and those of `control_gammas`; `none`, for arms without a dose."""

ROLES: tuple[Role, ...] = ("method", "rival", "control", "prompt", "reference")
UNEDITED = "none"
"""The name of the model as it is, in every table."""
ONCE = 1.0
"""The dose that tables give to an arm without one."""


@dataclass(frozen=True)
class ArmSpec:
    """One arm of a study.

    Attributes:
        name: as tables and figures call it.
        role: see `Role`. Its colour, its place in tables and what it is compared with follow from it.
        doses: at which doses it runs: one of `Doses`, or doses of its own.
        build: makes the edit at gamma 1, or the instruction, from an `ArmContext`; or where that function is, as
            `package.module:function`, so that naming an arm loads nothing.
        across: whether outcomes that measure every trait are asked of it.
        swept: whether it also runs at the study's other quantiles. Without a method that does, no arm does.
        drawn: whether it is random, and built anew for each of the study's draws from the context's `draw`.
        claimed_as: how a claim names it, e.g. `editing all of them`; arms with such a name are judged against the
            method at equal shift and at equal loss.

    Example:
        >>> halved = ArmSpec("half", "rival", "graded", lambda context: context.reference().with_gamma(0.5))
        >>> halved.has_dose
        True
    """

    name: str
    role: Role | str
    doses: Doses | str | tuple[float, ...]
    build: Build | str
    across: bool = False
    swept: bool = False
    claimed_as: str = ""
    drawn: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip() or self.name == UNEDITED:
            raise ValueError(
                f"An arm needs a name, and {UNEDITED!r} is the unedited model's, but {self.name!r} arrived."
            )
        if self.role not in ROLES:
            raise ValueError(f"An arm's role is one of {', '.join(ROLES)}, but {self.name!r} has {self.role!r}.")
        known = ("graded", "wide", "chosen", "none")
        if isinstance(self.doses, str) and self.doses not in known:
            raise ValueError(f"An arm's doses are {', '.join(known)} or numbers, but {self.name!r} has {self.doses!r}.")

    @property
    def has_dose(self) -> bool:
        """Whether a dose scales it; what is only said to the model has none."""
        return self.doses != "none"

    def builder(self) -> Build:
        """The function that makes it, imported where only its place is known.

        Raises:
            ImportError, AttributeError: if there is no such function.
        """
        if callable(self.build):
            return self.build
        function: Any = pkgutil.resolve_name(self.build)
        return function
