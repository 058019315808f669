"""The edit made from other pairs of the same source."""

from dataclasses import dataclass

from workbench.study.stressing.stressor import Remaking, Stressor


@dataclass(frozen=True)
class Seeds(Stressor):
    """Effects, selection and edit from as many pairs, drawn anew from the study's source.

    Attributes:
        count: how often, a condition each.
    """

    count: int = 2

    name = "seeds"
    main = "count"
    of_data = True

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Pairs are drawn anew once or more, but {self.count} arrived.")

    def remakings(self) -> tuple[Remaking, ...]:
        """One for each draw."""
        return tuple(Remaking(f"other pairs {number}", seed=number) for number in range(1, self.count + 1))
