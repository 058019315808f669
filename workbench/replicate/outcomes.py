"""The tasks of papers as outcomes: the items that a paper took, in the file's order, and none kept for a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from workbench.model.model import Model
from workbench.outcome.finding import Claim
from workbench.outcome.items import Gsm8k, QuestionAnswering
from workbench.outcome.outcome import Asking, Split
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.questionnaire import Questionnaire, item_means
from workbench.outcome.results import Results
from workbench.score.answers import Condition
from workbench.score.capability import Item
from workbench.score.items.rows import read_rows
from workbench.score.questionnaire.asking import Statement
from workbench.score.questionnaire.keys import read_keys, statements_of
from workbench.score.questionnaire.respondents import read_split

ITEMS = "questionnaire_items"
"""The table with the score of each item under each condition."""


def first_items(items: Sequence[Item], n: int) -> list[Item]:
    """The first n of the items whose questions differ."""
    kept: dict[str, Item] = {}
    for item in items:
        kept.setdefault(item.question, item)
    return list(kept.values())[:n]


@dataclass(frozen=True)
class FirstGsm8k(Gsm8k):
    """The first problems of a GSM8K file."""

    @property
    def quantity(self) -> Quantity:
        """The share that is right, which bounds no dose: a paper's doses are given."""
        return replace(super().quantity, max_loss=None)

    def items(self, condition: Condition, split: Split) -> Sequence[Item]:
        """The file's first n, each question once."""
        return first_items(self.read(), self.n)

    def check(self) -> None:
        """The file can be read."""
        self.read()


@dataclass(frozen=True)
class FirstQuestions(QuestionAnswering):
    """The first questions of a HotpotQA or TriviaQA file, by F1.

    Attributes:
        task: `hotpotqa` or `triviaqa`.
    """

    task: str = "hotpotqa"

    @property
    def name(self) -> str:  # type: ignore[override]
        """The task's."""
        return self.task

    @property
    def quantity(self) -> Quantity:
        """F1, from 0 to 1."""
        return Quantity(f"{self.task}_f1", "cost", f"{self.task} F1", SHARE, "score", (0.01, 0.02, 0.05), margin=0.05)

    def items(self, condition: Condition, split: Split) -> Sequence[Item]:
        """The file's first n, each question once."""
        return first_items(self.read(), self.n)

    def check(self) -> None:
        """The file can be read."""
        self.read()

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Every answer."""
        return {self.task: results.frames[self.name]}

    def claims(self) -> tuple[Claim, ...]:
        """None besides those that every cost has."""
        return ()


def questions_of(file: Path, task: str, *, n: int, max_new_tokens: int, margin: float, seed: int) -> FirstQuestions:
    """The outcome of a file; it is asked without contexts where no row has one."""
    closed = not any(row.get("context") for row in read_rows(file))
    return FirstQuestions(margin, seed, str(file), n, max_new_tokens, closed, task)


@dataclass(frozen=True)
class FirstItems(Questionnaire):
    """The items of an inventory, edited from the last prompt position on, whatever the study's scope.

    The answer is one letter: where decode steps alone are edited, the letter is not.

    Attributes:
        n: how many items of a trait.
        split: PAPI's file of items that are given and asked, of which the asked ones are put; empty for all items.
    """

    n: int = 36
    split: str = ""

    def statements_of(self, trait: str, split: Split) -> list[Statement]:
        """The first n of the asked items; a search takes the given ones, or where there is no split the same."""
        every = [one for one in statements_of(read_keys(self.statements)) if one.trait == trait]
        if self.split:
            sides = read_split(self.split)
            side = sides.given if split == "search" else sides.asked
            every = [one for one in every if one.id in side]
        return every[: self.n]

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """As a questionnaire, in the scope `generated`."""
        return super().ask(model, replace(asking, scope="generated"))

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """The shifts, and the score of each item under each condition."""
        return {**super().tables(results), ITEMS: item_means(results.frames[self.name])}
