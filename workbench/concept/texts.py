"""The texts of a concept, and which of them are held out."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

HOLDOUT = 0.2
"""The share of texts that is held out where their file does not say which are."""

EXPLICIT = "explicit"
"""The style of a concept's first personas, which name what they show."""

T = TypeVar("T")


def part_of(every: Sequence[T], held_out: bool | None) -> list[T]:
    """All of a bank's entries, those that are held out (a fixed fifth, at least one), or the others, in their order."""
    if held_out is None:
        return list(every)
    out = set(Random("held out").sample(range(len(every)), max(1, round(HOLDOUT * len(every)))))
    return [each for i, each in enumerate(every) if (i in out) == held_out]


@dataclass(frozen=True)
class Text:
    """One persona, question, statement or neutral description.

    Attributes:
        text: as a model reads it.
        facet: the side of the concept that it is about; empty where nobody says.
        form: the way it is written, e.g. in adjectives; empty where nobody says.
        question: what a statement answers; empty where that is any question about oneself.
    """

    text: str
    facet: str = ""
    form: str = ""
    question: str = ""


@dataclass(frozen=True)
class Texts:
    """Texts of one kind in their order, each held out or not.

    Attributes:
        rows: the texts.
        held: for each, whether it is held out.
    """

    rows: tuple[Text, ...] = ()
    held: tuple[bool, ...] = ()

    @classmethod
    def divided(cls, rows: Sequence[Text], *, by_kind: bool = True) -> "Texts":
        """Texts of which a fixed fifth is held out, at least one.

        Args:
            by_kind: a fifth of each facet and form, which then come one after another; else of all together.
        """
        kinds: dict[Hashable, list[Text]] = {}
        for row in rows:
            kinds.setdefault((row.facet, row.form) if by_kind else None, []).append(row)
        ordered, held = [], []
        for of_kind in kinds.values():
            out = set(part_of(range(len(of_kind)), True))
            ordered += of_kind
            held += [i in out for i in range(len(of_kind))]
        return cls(tuple(ordered), tuple(held))

    @classmethod
    def given(cls, search: Sequence[Text], held_out: Sequence[Text]) -> "Texts":
        """Texts of which those that are held out were named."""
        return cls((*search, *held_out), (False,) * len(search) + (True,) * len(held_out))

    def part(self, held_out: bool | None = None) -> tuple[str, ...]:
        """All texts, those that are held out, or the others."""
        return tuple(row.text for row in self.rows_of(held_out))

    def rows_of(self, held_out: bool | None = None) -> tuple[Text, ...]:
        """As `part`, with their facets and forms."""
        return tuple(row for row, out in zip(self.rows, self.held, strict=True) if held_out is None or out == held_out)

    def __len__(self) -> int:
        return len(self.rows)


NONE = Texts()
"""No texts."""


@dataclass(frozen=True)
class Personas:
    """System prompts of both poles in one style.

    Attributes:
        high, low: the two poles'.
        style: what the style is called.
        paired: whether the i-th high and the i-th low one were written as a pair and are drawn together; others are
            drawn independently of each other.
    """

    high: Texts
    low: Texts
    style: str = EXPLICIT
    paired: bool = False


@dataclass(frozen=True)
class Statement:
    """A pair of first-person statements, matched in wording and length.

    Attributes:
        high, low: what somebody at each pole says of themselves.
        facet: the side of the concept that they are about; empty where nobody says.
        question: what both answer; empty where they answer neutral questions about oneself.
    """

    high: str
    low: str
    facet: str = ""
    question: str = ""
