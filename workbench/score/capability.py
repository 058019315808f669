"""Capability: items with one right answer, greedy decoding, exact match, each item's outcome kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import EditedRun
from workbench.model.model import Model
from workbench.score.answers import Condition, run_conditions
from workbench.vocabulary import Scope


@runtime_checkable
class Item(Protocol):
    """A question of a task that can tell whether an answer is right."""

    @property
    def task(self) -> str: ...

    @property
    def question(self) -> str: ...

    def correct(self, text: str) -> bool: ...


@dataclass(frozen=True)
class Grade:
    """What an answer is worth: right or not, a share of right from 0 to 1 (e.g. F1), and whether it could be read."""

    correct: bool
    score: float
    parsed: bool


@runtime_checkable
class GradedItem(Item, Protocol):
    """An item that also tells how near an answer is, and whether it is an answer at all."""

    def grade(self, text: str) -> Grade: ...


def answer_items(
    model: Model,
    conditions: Sequence[Condition],
    items: Sequence[Sequence[Item]],
    *,
    scope: Scope = "generated",
    max_new_tokens: int = 12,
    record: Callable[[EditedRun], None] | None = None,
) -> pd.DataFrame:
    """Each condition's greedy answers to its own items.

    Returns:
        A row per answer: arm, trait, direction, gamma, task, item (the question), answer, correct. Where any item is
        a `GradedItem`, also score (0 to 1; of an item without grades, whether it is correct) and parsed.
    """
    prompts = [[Prompt(item.question) for item in own] for own in items]
    answers = run_conditions(model, conditions, prompts, scope=scope, max_new_tokens=max_new_tokens, record=record)
    graded = any(isinstance(item, GradedItem) for own in items for item in own)
    return pd.DataFrame(
        [
            {
                **condition.labels,
                "task": item.task,
                "item": item.question,
                "answer": text,
                **_judged(item, text, graded),
            }
            for condition, own, given in zip(conditions, items, answers, strict=True)
            for item, text in zip(own, given, strict=True)
        ]
    )


def _judged(item: Item, text: str, graded: bool) -> dict[str, bool | float]:
    if isinstance(item, GradedItem):
        grade = item.grade(text)
    else:
        right = item.correct(text)
        grade = Grade(right, float(right), True)
    return {"correct": grade.correct} | ({"score": grade.score, "parsed": grade.parsed} if graded else {})
