"""Neutral passages and questions, written for this package; half of each chooses the dose, the other is reported."""

import json
from functools import cache
from importlib.resources import files
from typing import Literal


@cache
def _bank() -> dict[str, list[str]]:
    path = files("workbench.score.perplexity") / "neutral.json"
    return json.loads(path.read_text(encoding="utf-8"))


def neutral_passages(split: Literal["search", "test"], *, n: int = 20) -> list[str]:
    """Passages of 40 to 60 tokens on everyday matters, encyclopaedic ones and narrative ones in turn.

    Every second passage of each kind is reported (`test`), the others choose the dose.

    Raises:
        ValueError: if there are fewer than `n`.
    """
    bank = _bank()
    first = 0 if split == "test" else 1
    both = zip(bank["encyclopaedic"][first::2], bank["narrative"][first::2], strict=True)
    return _first([text for pair in both for text in pair], n, "passages")


def neutral_questions(split: Literal["search", "test"], *, n: int = 12) -> list[str]:
    """Questions about everyday matters, of no trait.

    Raises:
        ValueError: if there are fewer than `n`.
    """
    return _first(_bank()["questions"][0 if split == "test" else 1 :: 2], n, "questions")


def _first(texts: list[str], n: int, what: str) -> list[str]:
    if not 1 <= n <= len(texts):
        raise ValueError(f"Each split has 1 to {len(texts)} neutral {what}, but {n} were asked for.")
    return texts[:n]
