"""What an explorer is set to: a value that is checked as it is made."""

import math
from dataclasses import dataclass
from typing import Any

from workbench.select.settings import RuleSettings
from workbench.vocabulary import SCOPES, SIGN

MAX_GAMMA = 4.0
"""The greatest dose that the page and the panel offer; answers fall apart far below it."""
MAX_QUESTION = 2000
"""The most characters of a question."""
RULES = ("dual", "magnitude-only", "d-only")
"""Rules that q and tau_d decide."""
MISTAKES = (ValueError, RuntimeError, FloatingPointError, MemoryError, OSError)
"""Errors that the page and the panel show as a message; any other one is a fault of theirs."""


@dataclass(frozen=True)
class Settings:
    """Which neurons are chosen, and how the model is moved by them.

    Attributes:
        trait: whose neurons.
        first, last: the range of layers, both included.
        quantile: q of tau_q, strictly between 0 and 1.
        min_d: tau_d, from 0 up.
        rule: `dual`, `magnitude-only` or `d-only`.
        gamma: the dose, from 0 to 4.
        direction: `increase` or `decrease`.
        scope: which positions are edited: `all`, `generated` or `decode`.
        temperature: of the answers, from 0 (the likeliest token) to 2.
        seed: of their random draws.
    """

    trait: str
    first: int
    last: int
    quantile: float = RuleSettings.quantile
    min_d: float = RuleSettings.min_d
    rule: str = RuleSettings.rule
    gamma: float = 1.0
    direction: str = "increase"
    scope: str = "generated"
    temperature: float = 0.0
    seed: int = 0

    @classmethod
    def read(cls, **entries: Any) -> "Settings":
        """The settings that loose values stand for, as a browser sends them: a whole number may stand for any number.

        Raises:
            ValueError: for a value of another kind than its entry's, or out of range.
        """
        names = {"quantile": "The quantile", "min_d": "tau_d", "gamma": "gamma", "temperature": "The temperature"}
        places = {"first": "The first layer", "last": "The last layer", "seed": "The seed"}
        read: dict[str, Any] = {}
        for name, value in entries.items():
            if name in names:
                read[name] = _number(names[name], value)
            elif name in places:
                read[name] = _integer(places[name], value)
            elif isinstance(value, str):
                read[name] = value
            else:
                raise ValueError(f"The {name} is a word, but {value!r} arrived.")
        return cls(**read)

    @property
    def layers(self) -> tuple[int, int]:
        """The range's first and last layer."""
        return self.first, self.last

    def __post_init__(self) -> None:
        _integer("The first layer", self.first)
        _integer("The last layer", self.last)
        if self.first > self.last:
            raise ValueError(
                f"A range of layers runs from its first to its last, but {self.first} to {self.last} arrived."
            )
        _number("The quantile", self.quantile)
        if not 0 < self.quantile < 1:
            raise ValueError(f"The quantile lies strictly between 0 and 1, but {self.quantile} arrived.")
        _number("tau_d", self.min_d)
        if self.min_d < 0:
            raise ValueError(f"tau_d is a number from 0 up, but {self.min_d} arrived.")
        _number("gamma", self.gamma)
        if not 0 <= self.gamma <= MAX_GAMMA:
            raise ValueError(
                f"gamma lies from 0 to {MAX_GAMMA:g}, but {self.gamma} arrived. To move the other way choose the other "
                "direction."
            )
        _number("The temperature", self.temperature)
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"The temperature lies from 0 to 2, but {self.temperature} arrived.")
        for name, value, choices in (
            ("rule", self.rule, RULES),
            ("direction", self.direction, tuple(SIGN)),
            ("scope", self.scope, SCOPES),
        ):
            if value not in choices:
                raise ValueError(f"The {name} is one of {', '.join(choices)}, but {value!r} arrived.")
        _integer("The seed", self.seed)
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"The seed lies from 0 to {2**32 - 1}, but {self.seed} arrived.")


def checked_question(question: object) -> str:
    """A question as it is put to the model.

    Raises:
        ValueError: for what is no text, an empty one, or one of more than 2,000 characters.
    """
    if not isinstance(question, str) or not question.strip():
        raise ValueError("A question needs a text, but none arrived. Write one.")
    if len(question) > MAX_QUESTION:
        raise ValueError(
            f"A question has at most {MAX_QUESTION:,} characters, but {len(question):,} arrived. Shorten it."
        )
    return question.strip()


def checked_place(name: str, value: object) -> int:
    """A layer or neuron as a control gives it.

    Raises:
        ValueError: for anything but a whole number.
    """
    return _integer(f"The {name}", value)


def _integer(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} is a whole number, but {value!r} arrived.")
    return value


def _number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} is a finite number, but {value!r} arrived.")
    return float(value)
