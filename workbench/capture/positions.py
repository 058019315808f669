"""Which positions of a prompt, and of the response that follows it, a capture reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.vocabulary import Pole

Mask = Callable[[Sequence[int]], Sequence[bool]] | Mapping[Pole, Sequence[Sequence[bool]]]
Position = str | int | Mask
NAMES = ("last", "mean", "all", "response", "response_mean")


@dataclass(frozen=True)
class Positions:
    """A rule that chooses positions; they give a row each, or one row with their mean.

    Attributes:
        rule: a name of `NAMES`, an index into the prompt, or a mask.
        pooled: whether a prompt's positions are averaged to one row.
    """

    rule: Any
    pooled: bool

    @classmethod
    def of(cls, position: Position, *, pooled: bool | None = None) -> "Positions":
        """The rule that `position` names.

        Args:
            position: `last` (the last prompt token), `mean` (over the prompt), `all` (each prompt token),
                `response` (each token of the response), `response_mean` (over the response), an index into the prompt
                (negative from its end), or a mask: a function of the token ids, or by pole a list with the truth
                values of each prompt's tokens (and of its response's, where there is one).
            pooled: whether a mask's positions are averaged; by default each gives a row.

        Raises:
            ValueError: for an unknown name, or if `pooled` is given without a mask.
        """
        masked = not isinstance(position, str | int) or isinstance(position, bool)
        if pooled is not None and not masked:
            raise ValueError(f"pooled= goes with a mask, but the position is {position!r}, which says it already.")
        if isinstance(position, str) and position not in NAMES:
            raise ValueError(
                f"The position is one of {', '.join(NAMES)}, an index or a mask, but {position!r} arrived."
            )
        if isinstance(position, bool) or (not isinstance(position, str | int | Mapping) and not callable(position)):
            raise ValueError(
                f"The position is one of {', '.join(NAMES)}, an index or a mask, but {position!r} arrived."
            )
        if masked:
            return cls(position, bool(pooled))
        return cls(position, position in ("mean", "response_mean"))

    @property
    def needs_responses(self) -> bool:
        """Whether it reads responses."""
        return self.rule in ("response", "response_mean") if isinstance(self.rule, str) else False

    @property
    def takes_responses(self) -> bool:
        """Whether it can read responses, where there are some."""
        return self.needs_responses or not isinstance(self.rule, str | int)

    @property
    def name(self) -> str:
        """The positions in words, e.g. `last prompt token`."""
        if isinstance(self.rule, int):
            return f"prompt token {self.rule}"
        words = {
            "last": "last prompt token",
            "mean": "mean over the prompt",
            "all": "each prompt token",
            "response": "each token of the response",
            "response_mean": "mean over the response",
        }
        if isinstance(self.rule, str):
            return words[self.rule]
        return "mean over a mask" if self.pooled else "each token of a mask"

    def of_prompt(self, pole: Pole, row: int, tokens: np.ndarray, prompt_length: int) -> np.ndarray:
        """Ascending indices into `tokens`, which hold a prompt of `prompt_length` tokens and its response.

        Raises:
            ValueError: for an index outside the prompt, a mask of another length, or nothing to read.
        """
        which = f"{pole} prompt {row} ({prompt_length} tokens)"
        if isinstance(self.rule, int):
            if not -prompt_length <= self.rule < prompt_length:
                raise ValueError(f"Position {self.rule} lies outside the {which}. Choose one that every prompt has.")
            return np.array([self.rule % prompt_length])
        if isinstance(self.rule, str):
            start, stop = {
                "last": (prompt_length - 1, prompt_length),
                "response": (prompt_length, len(tokens)),
                "response_mean": (prompt_length, len(tokens)),
            }.get(self.rule, (0, prompt_length))
            if start == stop:
                raise ValueError(f"The response to the {which} has no tokens. Leave the row out.")
            return np.arange(start, stop)
        given = self.rule[pole][row] if isinstance(self.rule, Mapping) else self.rule(tokens.tolist())
        mask = np.asarray(given, dtype=bool)
        if mask.shape != tokens.shape:
            raise ValueError(
                f"A mask has one value for each token, but {len(mask)} arrived for {len(tokens)}, {which}."
            )
        if not mask.any():
            raise ValueError(f"The mask of the {which} chooses nothing. Choose a position, or leave the row out.")
        return mask.nonzero()[0]
