"""What every outcome is: a value that asks a model under many conditions and says what its answers may be used for."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from workbench.arm.spec import ArmSpec
from workbench.contrast.contrast import Contrast
from workbench.contrast.prompt import Prompt
from workbench.digest import code_of_type, key_of
from workbench.edit.applying import EditedRun, edited
from workbench.model.model import Model
from workbench.outcome.finding import Claim
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.score.answers import Condition, run_conditions
from workbench.vocabulary import NeuronSet, Scope

Split = Literal["search", "test"]
"""`search`: what chooses the dose; `test`: what is reported. No question or item is in both."""

When = Literal["every dose", "chosen dose"]
"""Whether an outcome is asked at every dose of every arm, or at the chosen dose alone."""

SELECTED, MATCHED = "selected", "matched random"
"""The sets of neurons that outcomes of a trait compare."""


@dataclass(frozen=True)
class Caution:
    """What an outcome says against judging a trait by it.

    Attributes:
        trait: which trait.
        text: the reason, in sentences that stand by themselves.
        judged: whether claims may still be judged, with the reason beside them; otherwise they are undecided.
    """

    trait: str
    text: str
    judged: bool = False


@dataclass(frozen=True)
class Asking:
    """Under what conditions an outcome asks the model: one arm at one dose, or the unedited model; several of these
    where the outcome is `side_by_side`.

    Attributes:
        conditions: one for each trait and direction. Of the unedited model, one for each trait, or one for each
            trait and direction where the outcome's items are of a direction (`by_direction`).
        split: whose questions or items are asked.
        scope: which positions are edited.
        frames: what outcomes that came before gave under the same conditions, by name.
        record: is called with the count of what was edited by each run of the model.
    """

    conditions: tuple[Condition, ...]
    split: Split
    scope: Scope
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    record: Callable[[EditedRun], None] | None = None

    def answers(
        self,
        model: Model,
        prompts: Sequence[Sequence[Prompt]],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[list[str]]:
        """Each condition's answers to its own prompts; the j-th prompt of each gets the same random draws."""
        sampling: dict[str, Any] = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        return run_conditions(model, self.conditions, prompts, scope=self.scope, record=self.record, **sampling)

    @contextmanager
    def edited(self, model: Model, condition: Condition) -> Iterator[None]:
        """The model as a condition has it: edited, with the edit counted, or as it is."""
        if condition.edit is None:
            yield
            return
        with edited(model, condition.edit, scope=self.scope) as run:
            yield
        if self.record is not None:
            self.record(run)


class Measure(ABC):
    """What outcomes of arms and outcomes of traits have in common.

    Attributes:
        name: as the study's file, tables and folder call it.
        needs: names of outcomes whose frames it reads; they come before it.
        main: the field that a study's file gives as its value, e.g. `tasks` in `{ harness = ["arc_easy"] }`.
    """

    name: str
    needs: tuple[str, ...] = ()
    main: str = ""

    def check(self) -> None:  # noqa: B027
        """Refuse what is known to fail, before anything runs.

        Raises:
            ValueError, OSError: say what is missing.
        """

    def of_embedded(self) -> tuple[str, ...]:
        """What it asks or scores by that is of the embedded model alone, as a study's file says it.

        A study refuses another model for these before anything runs; see `is_embedded`.
        """
        return ()

    def key(self, split: Split) -> str:
        """A hash of all that its results depend on besides the model and the edits: its fields and its code."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        return key_of(outcome=self.name, split=split, values=values, code=code_of_type(type(self)))

    def work(self, split: Split) -> float:
        """Its rough cost for one condition, in prompts of a capture; it divides the progress bar, nothing else."""
        return 1.0

    def applies(self, traits: Sequence[str]) -> bool:
        """Whether there is anything to ask in a study of these traits."""
        return True

    def claims(self) -> tuple[Claim, ...]:
        """What it can judge besides what every quantity can: whether it moves, and whether it is kept."""
        return ()


class TraitOutcome(Measure):
    """What a study measures once for each trait, on its neurons and held-out pairs instead of on arms."""

    @abstractmethod
    def trace(
        self, model: Model, pairs: Contrast, sets: Mapping[str, NeuronSet], *, resamples: int, seed: int
    ) -> dict[str, pd.DataFrame]:
        """One trait's tables by name.

        Args:
            pairs: the trait's held-out pairs.
            sets: the selected neurons, under `SELECTED`, and their matched controls, under `MATCHED`.
        """


class Outcome(Measure):
    """What a study measures under every arm and dose.

    Write one as a frozen dataclass: its fields are what is asked, and part of the key under which a study keeps its
    results; so is its code. Where a study's file names the outcome, fields are filled from the file's entries of the
    same name.

    Attributes:
        cluster: the column of its frame that is resampled, e.g. `question`.
        quantities: the numbers that each row holds.
        pairing: the columns that tell which unedited row an edited row is compared with; by default the cluster.
        by_direction: whether each direction has items of its own, so that both together are twice as many.
        when: see `When`.
        compared: whether its quantities stand in the tables that compare all arms at every dose.
        across: whether it is asked of the arms alone whose `across` is set, and never of the unedited model.
        side_by_side: whether it may be asked in several arms and doses at once, which is quicker. Each row that it
            gives must then depend on its own condition alone; `Asking.conditions` are of all of them, and
            `Asking.frames` have the rows of all.
    """

    cluster: str = "question"
    quantities: tuple[Quantity, ...] = ()
    pairing: tuple[str, ...] = ()
    by_direction: bool = False
    when: When = "every dose"
    compared: bool = True
    across: bool = False
    side_by_side: bool = False

    @abstractmethod
    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer: `condition.labels`, the columns of `pairing` and `cluster`, and every quantity."""

    def prepare(self, model: Model) -> None:
        """Refuse what is known to fail with this model, before anything runs.

        Raises:
            ValueError, ImportError: say what is missing.
        """

    def reach(self, model: Model, folder: Path) -> None:
        """Ask a service that is needed later whether it answers, unless the study's folder holds what it gave.

        Raises:
            ConnectionError, PermissionError, ValueError: say what does not answer, and what to do.
        """

    def refuse(self, frame: pd.DataFrame, model: Model) -> None:
        """Stop a study whose unedited model cannot be measured so.

        Raises:
            ValueError: says how little could be measured, and what to do.
        """

    def rate(
        self, frame: pd.DataFrame, model: Model, folder: Path, progress: Callable[[str, float], None]
    ) -> pd.DataFrame:
        """The rows of all arms together, rated where that is done once, in a random order, when all have answered."""
        return frame

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with a column of numbers for each quantity, under the quantity's name."""
        columns = {quantity.name: frame[quantity.reads].astype(float) for quantity in self.quantities}
        return frame.assign(**columns)

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Its own tables by name, beside those that compare arms; by default what every answer was."""
        return {self.name.replace(" ", "_"): results.frames[self.name]}

    def cautions(self, results: Results) -> tuple[Caution, ...]:
        """Traits that cannot be judged by this outcome, or only in part, by its own tables; by default none."""
        return ()

    @property
    def pairs(self) -> tuple[str, ...]:
        """The columns that tell which unedited row an edited row is compared with."""
        return self.pairing or (self.cluster,)

    def asked_of(self, arm: ArmSpec) -> bool:
        """Whether it is asked under an arm."""
        return arm.across or not self.across


AnyOutcome = Outcome | TraitOutcome


def by_name(outcomes: Sequence[AnyOutcome]) -> dict[str, AnyOutcome]:
    """Outcomes by name.

    Raises:
        ValueError: if two have one name, or one needs another that does not come before it.
    """
    known: dict[str, AnyOutcome] = {}
    for outcome in outcomes:
        if outcome.name in known:
            raise ValueError(f"Outcomes need names of their own, but two are called {outcome.name!r}.")
        lacking = [name for name in outcome.needs if name not in known]
        if lacking:
            raise ValueError(f"The outcome {outcome.name!r} reads {lacking[0]!r}, which must come before it. Add it.")
        known[outcome.name] = outcome
    return known
