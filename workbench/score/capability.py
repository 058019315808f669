"""Capability: items with one right answer, greedy decoding, exact match, each item's outcome kept."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import EditedRun, Scope
from workbench.model.model import Model
from workbench.score.answers import Condition, run_conditions


@runtime_checkable
class Item(Protocol):
    """A question of a task that can tell whether an answer is right."""

    @property
    def task(self) -> str: ...

    @property
    def question(self) -> str: ...

    def correct(self, text: str) -> bool: ...


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
        A row per answer: arm, trait, direction, gamma, task, item (the question), answer, correct.
    """
    prompts = [[Prompt(item.question) for item in own] for own in items]
    answers = run_conditions(model, conditions, prompts, scope=scope, max_new_tokens=max_new_tokens, record=record)
    return pd.DataFrame(
        [
            {
                **condition.labels,
                "task": item.task,
                "item": item.question,
                "answer": text,
                "correct": item.correct(text),
            }
            for condition, own, given in zip(conditions, items, answers, strict=True)
            for item, text in zip(own, given, strict=True)
        ]
    )
