"""What every stressor is: other ways to put each question, or other data to make the edit from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt


class StressError(ValueError):
    """A stress that cannot be put to this model or this outcome, with the reason; it is left out, and nothing else."""


class Wording(ABC):
    """One other way to put every chat prompt, by which the edit that was found stays as it is.

    Write one as a frozen dataclass: its fields are part of the key under which a study keeps what was answered.

    Attributes:
        name: as tables call it, e.g. `French`.
    """

    name: str

    @abstractmethod
    def put(self, prompt: Prompt) -> Prompt:
        """The prompt put so.

        Raises:
            StressError: for a prompt that cannot be.
        """


@dataclass(frozen=True)
class Remaking:
    """Other data from which effects, selection and edit are made again; the questions stay as they are.

    Attributes:
        name: as tables call it, e.g. `10 pairs`.
        rows: which of the study's own pairs are taken; raises a `StressError` where there are too few.
        seed: where it is not 0, as many pairs are drawn anew, with this added to the study's seed.
    """

    name: str
    rows: Callable[[Contrast], Sequence[int]] | None = None
    seed: int = 0


class Stressor(ABC):
    """A kind of stress with its conditions.

    Write one as a frozen dataclass; where a study's file names the stressor, fields are filled from its entry, then
    from the study's entries of the same name.

    Attributes:
        name: as the study's file and tables call it.
        main: the field that a study's file gives as its value, e.g. `counts` in `{ pairs = [10, 30] }`.
        of_data: whether the edit is made again, instead of the question put otherwise.
    """

    name: str
    main: str = ""
    of_data: bool = False

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """The ways to put a prompt.

        Args:
            speaks: whose words are known: `testbed`, those of the embedded model alone, or `builtin`, plain English.

        Raises:
            StressError: if it has none in these words.
        """
        return ()

    def remakings(self) -> tuple[Remaking, ...]:
        """The data to make the edit from."""
        return ()


def not_its_words(what: str) -> StressError:
    """Why a stress is not put to the embedded model."""
    return StressError(f"The embedded model knows the words of its own corpus alone, and {what}.")
