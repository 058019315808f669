"""A questionnaire by log-probability: the embedded model's statements, or a published inventory's items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.digest import key_of
from workbench.measure.summarising import by_trait, clustered_mean
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.score.questionnaire.asking import (
    ACCURACY_OPTIONS,
    TESTBED_OPTIONS,
    Statement,
    ask_questionnaire,
    testbed_statements,
)
from workbench.score.questionnaire.keys import read_keys, statements_of
from workbench.vocabulary import SIGN

TESTBED = "testbed"
_STATEMENT = 1.0  # rough cost of a statement, in prompts captured


@dataclass(frozen=True)
class Questionnaire(Outcome):
    """Statements to agree or disagree with, answered by the probability of each option.

    Attributes:
        traits: whose statements are put.
        seed: of the orders in which options are listed.
        statements: `testbed` for the embedded model's, or an item key in IPIP's layout.
    """

    traits: tuple[str, ...]
    seed: int
    statements: str = TESTBED

    name = "questionnaire"
    cluster = "item"
    when = "chosen dose"
    main = "statements"
    quantities = (
        Quantity("questionnaire", "trait", "questionnaire score", "points of 4", "expected", span=(1.0, 5.0)),
    )

    def statements_of(self, trait: str, split: Split) -> list[Statement]:
        """A trait's statements: those of the embedded model that were never taught are reported.

        Of an inventory, every second item chooses the dose.
        """
        if self.statements == TESTBED:
            return testbed_statements(trait, split="train" if split == "search" else "test")
        every = [one for one in statements_of(read_keys(self.statements)) if one.trait == trait]
        return every[1::2] if split == "search" else every[::2]

    def of_embedded(self) -> tuple[str, ...]:
        """The statements, where they are its own."""
        return ("the questionnaire's statements",) if self.statements == TESTBED else ()

    def check(self) -> None:
        """Every trait has statements."""
        for trait in self.traits:
            if not self.statements_of(trait, "test") or not self.statements_of(trait, "search"):
                measured = ", ".join(dict.fromkeys(read_keys(self.statements)["trait"]))
                raise ValueError(
                    f"The questionnaire {self.statements} measures {measured}, with fewer than 2 items about "
                    f"{trait}. Leave the questionnaire or the trait out."
                )

    def key(self, split: Split) -> str:
        """The statements' texts are part of it."""
        texts = {trait: [one.text for one in self.statements_of(trait, split)] for trait in self.traits}
        return key_of(own=super().key(split), texts=texts)

    def work(self, split: Split) -> float:
        """A short prompt a statement and wording."""
        return _STATEMENT * len(self.statements_of(self.traits[0], split))

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition, statement, wording and order: see `ask_questionnaire`."""
        taught = self.statements == TESTBED
        settings: dict[str, Any] = {"options": TESTBED_OPTIONS if taught else ACCURACY_OPTIONS}
        # An arm may have conditions of some traits alone.
        by_trait = {
            trait: [condition for condition in asking.conditions if condition.trait == trait] for trait in self.traits
        }
        parts = [
            ask_questionnaire(
                model,
                conditions,
                self.statements_of(trait, asking.split),
                scope=asking.scope,
                seed=self.seed,
                record=asking.record,
                **settings,
            )
            for trait, conditions in by_trait.items()
            if conditions
        ]
        return pd.concat(parts, ignore_index=True)

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A row for each condition and item: the mean over wordings and orders that could be read."""
        return item_means(frame).rename(columns={"expected": "questionnaire"})

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """`questionnaire`, the shift by arm, dose and trait."""
        return {"questionnaire": questionnaire_shifts(results.frames[self.name], resamples=results.resamples)}


def item_means(asked: pd.DataFrame) -> pd.DataFrame:
    """Columns arm, gamma, direction, trait, item, expected (missing where no wording could be read) and parsed."""
    scored = asked.assign(expected=asked["expected"].where(asked["parsed"]))
    keys: Sequence[str] = ["arm", "gamma", "direction", "trait", "item"]
    return scored.groupby(list(keys), sort=False, as_index=False).agg(
        expected=("expected", "mean"), parsed=("parsed", "mean")
    )


def questionnaire_shifts(asked: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Shift of the keyed questionnaire score by arm, dose and trait, in the intended direction.

    Returns:
        Columns arm, gamma, trait, shift (points of 1 to 5; the expected score over options and their orders), low,
        high (95 %, clustered by item), n, unparsed (the share of items whose options carry too little probability).
    """
    means = item_means(asked)
    keys = ["trait", "item"]
    base = means.loc[means["arm"] == UNEDITED, [*keys, "expected"]].rename(columns={"expected": "base"})
    rows = means[means["arm"] != UNEDITED].merge(base, on=keys, validate="many_to_one")
    rows = rows.assign(shift=rows["direction"].map(SIGN) * (rows["expected"] - rows["base"]))
    table = []
    for (arm, gamma), part in rows.groupby(["arm", "gamma"], sort=False):
        for trait, each in by_trait(part):
            interval = clustered_mean(each, "shift", "item", resamples=resamples)
            table.append(
                {"arm": arm, "gamma": gamma, "trait": trait, "shift": interval.pop("estimate")}
                | interval
                | {"unparsed": 1 - each["parsed"].mean()}
            )
    return pd.DataFrame(table)
