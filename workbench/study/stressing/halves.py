"""The edit made from one half of the data, and from the other."""

from dataclasses import dataclass
from functools import partial

from workbench.contrast.contrast import Contrast
from workbench.contrast.splitting import split_rows
from workbench.study.stressing.pairs import LEAST
from workbench.study.stressing.stressor import Remaking, StressError, Stressor
from workbench.vocabulary import Pole


@dataclass(frozen=True)
class Halves(Stressor):
    """Effects, selection and edit from each half of the pairs.

    The halves share neither question nor description; pairs that mix those of both are in neither. Where that leaves
    too few they share descriptions, and where pairs have no ids nothing keeps them apart but their rows.

    Attributes:
        seed: of the split.
    """

    seed: int = 0

    name = "halves"
    of_data = True

    def remakings(self) -> tuple[Remaking, ...]:
        """The first half and the second."""
        return tuple(
            Remaking(name, partial(_half, number, self.seed)) for number, name in enumerate(("one half", "other half"))
        )


def _half(number: int, seed: int, contrast: Contrast) -> list[int]:
    """The rows of a half."""
    both = [contrast.descriptions[pole] for pole in (Pole.HIGH, Pole.LOW) if pole in contrast.descriptions]
    for labels in ([contrast.questions, *both], [contrast.questions]):
        if not all(labels):
            continue
        halves = split_rows(labels, holdout=0.5, seed=seed)
        if min(map(len, halves)) >= max(LEAST, len(contrast) // 8):
            return list(halves[number])
    rows = list(range(number, len(contrast), 2))
    if len(rows) < LEAST:
        raise StressError(f"A half holds {LEAST} pairs or more, but the study has {len(contrast)}.")
    return rows
