"""Answers to one question, from the model as it is and edited, under the same random draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import edited
from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit
from workbench.explore.choosing import Chosen
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.score.answers import Scorer

BASE = "base"


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        direction: `base` (unedited), `increase` or `decrease`.
        gamma: the dose; 0 for the base.
        text: the answer.
        edited: how many (position, layer) pairs were edited.
        score: the trait shown, 1 to 5; None where no scorer can tell.
        wellformed: share of whole sentences, where there is a scorer.
    """

    direction: str
    gamma: float
    text: str
    edited: int = 0
    score: float | None = None
    wellformed: float | None = None


@dataclass(frozen=True)
class Answers:
    """A question's answers: the base, then each edited one.

    Attributes:
        question: as it was put.
        neurons: how many each edit moves.
        base: the unedited answer.
        steered: the edited ones.
    """

    question: str
    neurons: int
    base: Answer
    steered: tuple[Answer, ...]

    def towards(self, direction: str) -> Answer:
        """The answer steered in a direction.

        Raises:
            ValueError: if there is none.
        """
        for answer in self.steered:
            if answer.direction == direction:
                return answer
        directions = ", ".join(dict.fromkeys(answer.direction for answer in self.steered))
        raise ValueError(f"These answers were steered to {directions}, but {direction!r} was asked for.")

    def frame(self) -> pd.DataFrame:
        """A row per answer: question, direction, gamma, answer, edited, score, wellformed."""
        return pd.DataFrame(
            [
                {
                    "question": self.question,
                    "direction": answer.direction,
                    "gamma": answer.gamma,
                    "answer": answer.text,
                    "edited": answer.edited,
                    "score": answer.score,
                    "wellformed": answer.wellformed,
                }
                for answer in (self.base, *self.steered)
            ]
        ).astype({"score": float, "wellformed": float})


def steered_answers(
    model: Model,
    effects: Effects,
    chosen: Chosen,
    question: str,
    doses: Sequence[tuple[str, float]],
    *,
    max_new_tokens: int,
    scorer: Scorer | None,
) -> Answers:
    """The base and an answer at each (direction, gamma), all in one batch with the same draws.

    Raises:
        ValueError: if nothing is chosen.
    """
    if chosen.selection is None:
        raise ValueError(chosen.why_empty)
    settings, selection = chosen.settings, chosen.selection
    edits = [dpn_edit(effects, selection, gamma=gamma, direction=way) for way, gamma in doses]
    texts, counts = _generated(model, edits, question, chosen, max_new_tokens)
    conditions = [(BASE, 0.0), *doses]
    answers = [
        Answer(way, gamma, text, edits_made, *_rated(scorer, text, settings.trait))
        for (way, gamma), text, edits_made in zip(conditions, texts, counts, strict=True)
    ]
    return Answers(question, len(selection), answers[0], tuple(answers[1:]))


def _generated(
    model: Model, edits: Sequence[Edit], question: str, chosen: Chosen, max_new_tokens: int
) -> tuple[list[str], list[int]]:
    settings, rows = chosen.settings, [-1, *range(len(edits))]
    with edited(model, list(edits), scope=settings.scope, rows=rows) as run:
        texts = model.generate(
            [Prompt(question)] * len(rows),
            max_new_tokens=max_new_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
            streams=[0] * len(rows),
        )
    return texts, [0, *(run.by_edit[number] for number in range(len(edits)))]


def _rated(scorer: Scorer | None, text: str, trait: str) -> tuple[float | None, float | None]:
    if scorer is None:
        return None, None
    rating = scorer(text, trait)
    return rating.score, rating.wellformed
