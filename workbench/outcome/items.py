"""Questions with one right answer: the embedded model's tasks, grade-school arithmetic, and trivia from a file."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.digest import key_of
from workbench.measure.comparing import compare_arms
from workbench.measure.summarising import ALL
from workbench.model.model import Model
from workbench.outcome.claims.items import kept, tell_kept
from workbench.outcome.finding import Claim
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.results import Results
from workbench.score.answers import Condition
from workbench.score.capability import Item, answer_items
from workbench.score.items.gsm8k import read_gsm8k
from workbench.score.items.question_answering import read_questions
from workbench.testbed import tasks

PERMUTATIONS = 2000
"""Sign flips behind each p-value."""
_ITEM = 2.0  # rough cost of an item, in prompts captured


@dataclass(frozen=True)
class _Items(Outcome):
    """Greedy answers to items, right or wrong.

    Attributes:
        margin: the loss that "is kept" tolerates, as a share of items.
        seed: of the items that are drawn, and of the tests' permutations.
    """

    margin: float
    seed: int

    cluster = "item"
    side_by_side = True
    pairing = ("task", "item")

    @property
    def quantity(self) -> Quantity:
        """The share of items that are answered rightly."""
        name = self.name.replace("-", "_").replace(" ", "_")
        losses = (0.01, 0.02, 0.05)
        return Quantity(name, "cost", self.name, SHARE, "correct", losses, max_loss=0.02)

    @property
    def quantities(self) -> tuple[Quantity, ...]:  # type: ignore[override]
        """The share of items that are answered rightly."""
        return (self.quantity,)

    @abstractmethod
    def items(self, condition: Condition, split: Split) -> Sequence[Item]:
        """What a condition is asked."""

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Every answer, and every arm against the unedited model at the chosen dose; see `compare_arms`."""
        frame = results.frames[self.name]
        stem = self.quantity.name
        return {stem: frame, f"{stem}_tests": item_tests(frame, results, margin=self.margin)}

    def claims(self) -> tuple[Claim, ...]:
        """Whether the capability is kept."""
        stem = self.quantity.name
        text = f"{stem.capitalize().replace('_', ' ')} is kept to within {100 * self.margin:g} percentage points"
        evidence = (f"trait-against-{stem}", f"{stem}-retention", f"{stem}_tests")
        return (Claim(f"keeps:{stem}", text, kept(f"{stem}_tests", self.margin), tell_kept, evidence),)


@dataclass(frozen=True)
class Capability(_Items):
    """The embedded model's tasks: each trait and direction has items of its own, so that all together are many.

    Attributes:
        items_per_task: for each task, trait and direction.
    """

    items_per_task: int

    name = "capability"
    by_direction = True

    def of_embedded(self) -> tuple[str, ...]:
        """All of its tasks."""
        return ("the outcome capability",)

    def work(self, split: Split) -> float:
        """A short answer an item."""
        return self.items_per_task * len(tasks.TASKS) * _ITEM

    def items(self, condition: Condition, split: Split) -> Sequence[Item]:
        """Items of every task, drawn for the condition's trait and direction."""
        part: tasks.Part = "train" if split == "search" else "test"
        drawn_for = f"{self.seed} {condition.trait} {condition.direction}"
        return [item for task in tasks.TASKS for item in tasks.items(task, part, n=self.items_per_task, seed=drawn_for)]

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer: see `answer_items`."""
        items = [self.items(condition, asking.split) for condition in asking.conditions]
        return answer_items(model, asking.conditions, items, scope=asking.scope, record=asking.record)


@dataclass(frozen=True)
class _FileItems(_Items):
    """Items of a file, the same for every condition; the search split takes other items than the test split.

    Attributes:
        file: where they are.
        n: how many of them are reported; as many others, at most, choose the dose.
        max_new_tokens: of an answer.
    """

    file: str
    n: int = 50
    max_new_tokens: int = 256

    main = "file"

    @abstractmethod
    def read(self) -> Sequence[Item]:
        """All items of the file."""

    def check(self) -> None:
        """There are at least two items, so that each split has some."""
        if len(self.read()) < 2:
            raise ValueError(f"Items are needed to choose the dose and to report, but {Path(self.file).name} has 1.")

    def key(self, split: Split) -> str:
        """The file's questions are part of it."""
        return key_of(own=super().key(split), items=[item.question for item in self.read()])

    def items(self, condition: Condition, split: Split) -> Sequence[Item]:
        """The first of the drawn items are reported, the ones after them choose the dose."""
        every = self.read()
        items = Random(self.seed).sample(every, len(every))
        reported = min(self.n, len(items) - len(items) // 2)
        return items[:reported] if split == "test" else items[reported : 2 * reported]

    def work(self, split: Split) -> float:
        """A longer answer an item."""
        return self.n * _ITEM * max(1.0, self.max_new_tokens / 12)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer: see `answer_items`."""
        items = [self.items(condition, asking.split) for condition in asking.conditions]
        limit = self.max_new_tokens
        return answer_items(
            model, asking.conditions, items, scope=asking.scope, max_new_tokens=limit, record=asking.record
        )


@dataclass(frozen=True)
class Gsm8k(_FileItems):
    """Grade-school arithmetic in words, by exact match of the last number."""

    name = "gsm8k"

    def read(self) -> Sequence[Item]:
        """The file's items; see `read_gsm8k`."""
        return read_gsm8k(self.file)


@dataclass(frozen=True)
class QuestionAnswering(_FileItems):
    """Questions with short answers, e.g. TriviaQA's or HotpotQA's, by exact match.

    Attributes:
        closed_book: ask without the contexts; must be set where the file has none.
    """

    max_new_tokens: int = 32
    closed_book: bool = False

    name = "question-answering"

    def read(self) -> Sequence[Item]:
        """The file's items; see `read_questions`."""
        return read_questions(self.file, closed_book=self.closed_book)


def item_tests(frame: pd.DataFrame, results: Results, *, margin: float) -> pd.DataFrame:
    """Every arm against the unedited model at the chosen dose, by task and trait, by either, and altogether (`all`)."""
    rows = results.at_chosen_dose(frame, unedited=True)
    tables = []
    for by in (("task", "trait"), ("task",), ("trait",), ()):
        table = compare_arms(
            rows.assign(whole=ALL),
            reference=UNEDITED,
            by=by or ("whole",),
            margin=margin,
            resamples=results.resamples,
            permutations=PERMUTATIONS,
            seed=results.seed,
        ).drop(columns="whole", errors="ignore")
        tables.append(table.assign(**{name: ALL for name in ("task", "trait") if name not in by}))
    joined = pd.concat(tables, ignore_index=True)
    front = ["arm", "gamma", "task", "trait"]
    return joined[[*front, *joined.columns.drop(front)]]
