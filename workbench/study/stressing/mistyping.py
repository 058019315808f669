"""The same question with slips of the keyboard."""

from dataclasses import dataclass, replace
from random import Random

from workbench.contrast.prompt import Prompt
from workbench.study.stressing.stressor import Stressor, Wording, not_its_words

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SLIPS = ("neighbour", "swapped", "left out", "doubled")


@dataclass(frozen=True)
class Mistyped(Wording):
    """A question with slips of the keyboard: the same slips in the same question, whatever asks it.

    Attributes:
        name: as tables call it.
        rate: the share of letters at which a finger slips; at least one does.
        seed: of the slips.
    """

    name: str
    rate: float
    seed: int

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt with slips in the user's turn."""
        return replace(prompt, user=mistyped(prompt.user, rate=self.rate, seed=self.seed))


@dataclass(frozen=True)
class Typing(Stressor):
    """Slips of the keyboard in the question.

    Attributes:
        rates: the shares of letters that are mistyped, a condition each.
        seed: of the slips.
    """

    rates: tuple[float, ...] = (0.05, 0.15)
    seed: int = 0

    name = "typing"
    main = "rates"

    def __post_init__(self) -> None:
        wrong = [rate for rate in self.rates if not 0 < rate <= 1]
        if wrong or not self.rates:
            raise ValueError(f"Rates of slips are shares above 0, at most 1, but {list(self.rates)} arrived.")

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """One for each rate.

        Raises:
            StressError: for the embedded model.
        """
        if speaks == "testbed":
            raise not_its_words("a mistyped word is none of them")
        return tuple(Mistyped(f"{rate:.0%} of letters", rate, self.seed) for rate in self.rates)


def mistyped(text: str, *, rate: float, seed: int) -> str:
    """A text in which a finger slips at a share of the letters.

    A slip takes a key beside the right one, swaps a letter with the next, leaves it out or doubles it, each as often.

    Returns:
        the same text for the same seed; it differs from the one given wherever that has a letter of the Latin alphabet.

    Example:
        >>> mistyped("Tell me about yourself.", rate=0.1, seed=0) == mistyped(
        ...     "Tell me about yourself.", rate=0.1, seed=0
        ... )
        True
    """
    letters = [place for place, letter in enumerate(text) if letter.isascii() and letter.isalpha()]
    if not letters:
        return text
    rng = Random(f"{seed} {rate:g} {text}")
    slips = sorted(rng.sample(letters, max(1, round(rate * len(letters)))))
    written, done = [], 0
    for place in slips:
        if place < done:  # swapped with the one before
            continue
        written.append(text[done:place])
        typed, done = _slipped(text, place, rng)
        written.append(typed)
    return "".join([*written, text[done:]])


def _slipped(text: str, place: int, rng: Random) -> tuple[str, int]:
    """What is typed at a place, and the place from which the text goes on."""
    letter, after = text[place], text[place + 1 : place + 2]
    kind = rng.choice(_SLIPS)
    if kind == "swapped" and after.isalpha() and after != letter:
        return after + letter, place + 2
    if kind == "left out":
        return "", place + 1
    if kind == "doubled":
        return 2 * letter, place + 1
    return _beside(letter, rng), place + 1


def _beside(letter: str, rng: Random) -> str:
    """A key beside a letter's, in the letter's case."""
    row = next(row for row in _KEYS if letter.lower() in row)
    at = row.index(letter.lower())
    key = rng.choice([row[other] for other in (at - 1, at + 1) if 0 <= other < len(row)])
    return key.upper() if letter.isupper() else key
