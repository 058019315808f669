"""The edit made from fewer pairs."""

from dataclasses import dataclass
from functools import partial

from workbench.contrast.contrast import Contrast
from workbench.study.stressing.stressor import Remaking, StressError, Stressor

LEAST = 2
"""Pairs from which an effect size is known."""


@dataclass(frozen=True)
class Pairs(Stressor):
    """Effects, selection and edit from the first of the study's pairs.

    Attributes:
        counts: how many, a condition each; as many as the study has, or more, are left out.
    """

    counts: tuple[int, ...] = (10, 30, 100, 300)

    name = "pairs"
    main = "counts"
    of_data = True

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < LEAST:
            raise ValueError(f"An edit is made from {LEAST} pairs or more, but {list(self.counts)} arrived.")

    def remakings(self) -> tuple[Remaking, ...]:
        """One for each number of pairs."""
        return tuple(Remaking(f"{count} pairs", partial(_first, count)) for count in sorted(set(self.counts)))


def _first(count: int, contrast: Contrast) -> range:
    if count >= len(contrast):
        raise StressError(f"The study's own edit is made from {len(contrast)} pairs, so that {count} are not fewer.")
    return range(count)
