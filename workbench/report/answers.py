"""Steered answers beside the unedited one: what the edit changed of the words and of the score."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from workbench.report.cells import number_text

_LIKE_ENOUGH = 0.3  # share of an answer's words that the other has too, below which marking the rest tells nothing


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer, and whether the unedited answer lacks it."""

    text: str
    new: bool


@dataclass(frozen=True)
class ShownAnswer:
    """One of the three answers as the page shows it.

    Attributes:
        kind: `base`, `increase` or `decrease`.
        heading: what the reader calls it.
        pieces: the answer.
        score: its score as text, "" without one.
        change: against the unedited answer's, with its sign; "" where one of them has no score.
        way: what that change means for the edit's direction: "as meant", "the other way", "unmoved" or "".
    """

    kind: str
    heading: str
    pieces: list[Piece]
    score: str
    change: str = ""
    way: str = ""


@dataclass(frozen=True)
class SteeredAnswer:
    """One question answered by the unedited model, and steered both ways; an answer without a score has None."""

    trait: str
    question: str
    base: str
    increase: str
    decrease: str
    base_score: float | None = None
    increase_score: float | None = None
    decrease_score: float | None = None

    @property
    def columns(self) -> list[ShownAnswer]:
        """The three answers, the unedited one first."""
        return [
            ShownAnswer("base", "Unedited", [Piece(self.base, False)], _score(self.base_score)),
            self._steered("increase", "Trait increased", self.increase, self.increase_score, sign=1),
            self._steered("decrease", "Trait decreased", self.decrease, self.decrease_score, sign=-1),
        ]

    def _steered(self, kind: str, heading: str, answer: str, score: float | None, *, sign: int) -> ShownAnswer:
        pieces, text = new_words(self.base, answer), _score(score)
        if not text or not _score(self.base_score):
            return ShownAnswer(kind, heading, pieces, text)
        assert score is not None
        assert self.base_score is not None
        change = round(round(score, 1) - round(self.base_score, 1), 1)
        way = "unmoved" if change == 0 else "as meant" if change * sign > 0 else "the other way"
        mark = "+" if change > 0 else "±" if change == 0 else ""
        return ShownAnswer(kind, heading, pieces, text, f"{mark}{_score(change)}", way)


def new_words(base: str, answer: str) -> list[Piece]:
    """`answer` in pieces, those marked whose words are not where `base` has them.

    Nothing is marked where the two share few words, as then nearly everything is new.

    Example:
        >>> [piece.text for piece in new_words("I often stay at home.", "I rarely stay at home.") if piece.new]
        ['rarely']
    """
    words = [(word.start(), word.end()) for word in re.finditer(r"\S+", answer)]
    theirs, ours = base.split(), [answer[start:end] for start, end in words]
    matcher = SequenceMatcher(None, theirs, ours, autojunk=False)
    blocks = matcher.get_matching_blocks()
    if not words or sum(block.size for block in blocks) < _LIKE_ENOUGH * len(words):
        return [Piece(answer, False)]
    kept = {index for block in blocks for index in range(block.b, block.b + block.size)}
    edges = [0]
    for index, (start, end) in enumerate(words):
        if index not in kept:
            edges += [] if index - 1 not in kept and index else [start]
            edges += [] if index + 1 not in kept and index + 1 < len(words) else [end]
    inside = [Piece(answer[a:b], bool(k % 2)) for k, (a, b) in enumerate(pairwise([*edges, len(answer)]))]
    return [piece for piece in inside if piece.text]


def _score(score: float | None) -> str:
    return "" if score is None or score != score else number_text(score, 1)
