"""A judge that is a hooked model: its rating is the mean of the digits 1 to 5 weighted by their probabilities."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model
from workbench.score.judge.protocol import Asked, Judgement
from workbench.score.judge.rubric import DIGIT, LEVELS

_TOGETHER = 64  # answers that are judged, and then kept, at a time


@dataclass(frozen=True)
class LocalJudge:
    """A model that rates answers by the probabilities of its next token.

    It gets the same rubrics as any other judge and is asked for one digit. The rating is the mean of 1 to 5 weighted
    by the probability of each digit, with and without a space before it; a digit that begins a longer number counts
    too. Where the digits together are less probable than `min_mass`, the model would have answered something else,
    and there is no rating.

    Attributes:
        model: any hooked model; a chat template is used where it has one.
        name: the prefix of its columns; by default the last part of the model's name.
        min_mass: the least probability of the five digits together, 0 to 1.
        max_tokens, max_rows: bounds of one batch, padding included.

    Raises:
        ValueError: if `min_mass` is not within 0 to 1.
    """

    model: Model
    name: str = ""
    min_mass: float = 0.5
    max_tokens: int = 16_384
    max_rows: int = _TOGETHER

    def __post_init__(self) -> None:
        if not 0 <= self.min_mass <= 1:
            raise ValueError(f"min_mass is a probability, but {self.min_mass} arrived. Choose e.g. 0.5.")
        if not self.name:
            object.__setattr__(self, "name", self.model.name.rstrip("/").rpartition("/")[2])

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that its ratings depend on: the weights, the chat template and its variables, the least mass."""
        return {
            "judge": "local",
            "weights": self.model.fingerprint,
            "dtype": str(self.model.dtype),
            "template": self.model.rendering_digest,
            "min_mass": self.min_mass,
            "replies": [DIGIT],
        }

    def count_tokens(self, asked: Sequence[Asked]) -> int:
        """The number of prompt tokens of all ratings together."""
        prompts = [each.rubric.prompt(each.question, each.answer) for each in asked]
        return sum(map(len, self.model.tokens(prompts))) if prompts else 0

    def rate(self, asked: Sequence[Asked]) -> Generator[tuple[int, Judgement], None, None]:
        """Each position in `asked` with its judgement; `kept` holds each digit's probability and their sum, `mass`.

        An answer too long for the model's context is unparsed.

        Raises:
            RuntimeError: if the model has hooks on, so that it may be edited.
            ValueError: if a rubric alone is too long for the model.
        """
        hooks = [name for name, point in self.model.hooked.hook_dict.items() if point.fwd_hooks]
        if hooks:
            raise RuntimeError(
                f"A judge is an unedited model, but {len(hooks)} hooks are on, e.g. {hooks[0]}. Leave `edited` first."
            )
        spelt = _spelt_digits(self.model)
        longest = max((len(tokens) for spellings in spelt for tokens in spellings), default=1)
        room = int(self.model.hooked.cfg.n_ctx) - longest
        self._check_rubrics(asked, room)
        for start in range(0, len(asked), _TOGETHER):
            positions = range(start, min(start + _TOGETHER, len(asked)))
            prompts = self.model.tokens([asked[i].rubric.prompt(asked[i].question, asked[i].answer) for i in positions])
            fitting = [i for i, tokens in enumerate(prompts) if len(tokens) <= room]
            shares = iter(self._shares([prompts[i] for i in fitting], spelt))
            for i, position in enumerate(positions):
                if len(prompts[i]) <= room:
                    yield position, self._judgement(asked[position], next(shares))
                else:
                    long = {"error": f"{len(prompts[i])} tokens, where {room} fit"}
                    yield position, Judgement(None, "unparsed", self._kept(asked[position]) | long)

    def _check_rubrics(self, asked: Sequence[Asked], room: int) -> None:
        rubrics = list(dict.fromkeys(each.rubric for each in asked))
        bare = self.model.tokens([rubric.prompt("", "") for rubric in rubrics])
        for rubric, tokens in zip(rubrics, bare, strict=True):
            if len(tokens) >= room:
                raise ValueError(
                    f"{self.model.name} reads {self.model.hooked.cfg.n_ctx} tokens at most, but the rubric "
                    f"{rubric.name!r} alone takes {len(tokens)}. Choose a judge that reads more."
                )

    def _shares(self, prompts: Sequence[list[int]], spelt: Sequence[Sequence[list[int]]]) -> list[np.ndarray]:
        """The probability of each digit after each prompt, summed over its spellings."""
        flat = [tokens for spellings in spelt for tokens in spellings]
        digits = np.array([digit for digit, spellings in enumerate(spelt) for _ in spellings])
        bounds = {"max_tokens": self.max_tokens, "max_rows": self.max_rows}
        with self.model.unshared():  # no two answers make one prompt
            logs = log_likelihoods(self.model, prompts, [flat] * len(prompts), **bounds)
        totals = [np.exp([float(log.double().sum()) for log in by_spelling]) for by_spelling in logs]
        return [np.bincount(digits, weights=shares, minlength=len(spelt)) for shares in totals]

    def _judgement(self, asked: Asked, shares: np.ndarray) -> Judgement:
        mass = min(float(shares.sum()), 1.0)
        kept = self._kept(asked) | {"mass": mass, "digits": shares.tolist()}
        if mass < self.min_mass or mass == 0:
            return Judgement(None, "unparsed", kept)
        expected = float((shares * np.array(LEVELS)).sum() / shares.sum())
        return Judgement(min(max(expected, 1.0), 5.0), "rated", kept)

    def _kept(self, asked: Asked) -> dict[str, Any]:
        return {
            "judge": self.name,
            "settings": dict(self.settings),
            "rubric": asked.rubric.name,
            "question": asked.question,
            "answer": asked.answer,
            "messages": asked.rubric.prompt(asked.question, asked.answer).messages,
        }


def _spelt_digits(model: Model) -> list[list[list[int]]]:
    """Token ids of each digit with and without a space before it, except spellings that begin with another."""
    spelt: list[list[list[int]]] = []
    for level in LEVELS:
        ways = model.answer_tokens([f"{level}", f" {level}"])
        spelt.append([way for i, way in enumerate(ways) if way and way not in ways[:i]])
    flat = [way for several in spelt for way in several]
    return [[way for way in several if not any(way[: len(o)] == o for o in flat if o != way)] for several in spelt]
