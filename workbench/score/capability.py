"""Items with one right answer, answered by greedy decoding and graded one by one."""

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
    """A question of a task, with a method that says whether an answer is right."""

    @property
    def task(self) -> str: ...

    @property
    def question(self) -> str: ...

    def correct(self, text: str) -> bool: ...


@dataclass(frozen=True)
class Grade:
    """The grade of an answer.

    Attributes:
        correct: whether it is right.
        score: how near it is to a right answer, 0 to 1, e.g. F1.
        parsed: whether an answer could be read from the text.
    """

    correct: bool
    score: float
    parsed: bool


@runtime_checkable
class GradedItem(Item, Protocol):
    """An item that grades an answer by more than right or wrong."""

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
    """Ask each condition its own items, with greedy decoding, and grade the answers.

    Args:
        items: for each condition, its items.
        record: as in `run_conditions`.

    Returns:
        A row for each answer: arm, trait, direction, gamma, task, item (the question), answer, correct. Where any item
        is a `GradedItem`, also score (0 to 1; of an item without grades, 1 if correct) and parsed.
    """
    prompts = [[Prompt(item.question) for item in asked] for asked in items]
    answers = run_conditions(model, conditions, prompts, scope=scope, max_new_tokens=max_new_tokens, record=record)
    graded = any(isinstance(item, GradedItem) for asked in items for item in asked)
    return pd.DataFrame(
        [
            {
                **condition.labels,
                "task": item.task,
                "item": item.question,
                "answer": text,
                **_graded(item, text, graded),
            }
            for condition, asked, texts in zip(conditions, items, answers, strict=True)
            for item, text in zip(asked, texts, strict=True)
        ]
    )


def _graded(item: Item, text: str, graded: bool) -> dict[str, bool | float]:
    if isinstance(item, GradedItem):
        grade = item.grade(text)
    else:
        right = item.correct(text)
        grade = Grade(right, float(right), True)
    return {"correct": grade.correct} | ({"score": grade.score, "parsed": grade.parsed} if graded else {})
