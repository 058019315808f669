"""Tasks of lm-evaluation-harness as an outcome of a study."""

from dataclasses import dataclass

import pandas as pd

from workbench.model.model import Model
from workbench.outcome.claims.items import kept, tell_tasks_kept
from workbench.outcome.finding import Claim
from workbench.outcome.items import item_tests
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.results import Results
from workbench.score.harness.evaluating import evaluate_harness
from workbench.score.harness.requests import require_harness

_TESTS = "harness_tests"


@dataclass(frozen=True)
class Harness(Outcome):
    """Whether each sample of each task is right, by the harness's own prompts, filters and metrics.

    The harness takes a task's documents in order, so the search split and the test split share them: name a cost
    that it measures for comparison, and let another outcome choose the dose.

    Attributes:
        tasks: names of tasks, or YAML files.
        seed: of few-shot examples.
        limit: documents of each task.
        data: a folder of further task files.
        chat: whether to apply the chat template; arms that speak to the model need it.
        margin: the loss that "is kept" tolerates, as a share of documents.
    """

    tasks: tuple[str, ...]
    seed: int
    limit: int = 100
    data: str | None = None
    chat: bool = True
    margin: float = 0.05

    name = "harness"
    cluster = "item"
    pairing = ("task", "item")
    when = "chosen dose"
    main = "tasks"
    quantities = (Quantity("harness", "cost", "harness tasks", SHARE, column="correct", losses=(0.01, 0.02, 0.05)),)

    def check(self) -> None:
        """The harness is installed and there is something to ask."""
        require_harness()
        if not self.tasks:
            raise ValueError("The outcome harness needs at least one task, but none arrived.")

    def work(self, split: Split) -> float:
        """A prompt and its options a document."""
        return 4.0 * self.limit * len(self.tasks)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition, task and sample: task, item, response and correct; see `evaluate_harness`."""
        outcomes = evaluate_harness(
            model,
            asking.conditions,
            self.tasks,
            scope=asking.scope,
            limit=self.limit,
            chat=self.chat,
            include_path=self.data,
            seed=self.seed,
            record=asking.record,
        )
        columns = ["arm", "trait", "direction", "gamma", "task", "item", "response", "correct"]
        return outcomes.graded[columns].assign(item=lambda frame: frame["item"].astype(str))

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Every answer, and every arm against the unedited model at the chosen dose by task; see `compare_arms`."""
        frame = results.frames[self.name]
        return {self.name: frame, _TESTS: item_tests(frame, results, margin=self.margin)}

    def claims(self) -> tuple[Claim, ...]:
        """Whether as many documents are right as before."""
        text = f"Harness tasks are kept to within {100 * self.margin:g} percentage points"
        evidence = ("harness-retention", _TESTS)
        return (Claim("keeps:harness", text, kept(_TESTS, self.margin), tell_tasks_kept, evidence),)
