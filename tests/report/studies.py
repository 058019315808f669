"""Small studies for the report's tests: one with every outcome, and outcomes that nobody built in."""

from dataclasses import dataclass, replace

import pandas as pd

import workbench as wb
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import Quantity
from workbench.study.study import Study
from workbench.testbed import grammar

SMALL = {
    "pairs": 20,
    "quantile": 0.99,
    "quantiles": (),
    "gammas": (0.5, 1.0),
    "broad_gammas": (0.1, 0.3),
    "search_questions": 1,
    "draws": 2,
    "test_questions": 2,
    "items_per_task": 1,
    "patching_pairs": 4,
    "permutations": 19,
    "resamples": 100,
}
EVERYTHING = wb.StudyConfig(
    **{
        **SMALL,
        "traits": ("Extraversion", "Openness"),
        "arms": ("DPN-LE", "magnitude only", "broad", "residual", "random", "simple prompt"),
        "quantiles": (0.9, 0.99),
        "scopes": ("generated", "decode"),
    }
)


@dataclass(frozen=True)
class _Said(Outcome):
    """How many letters and words the model answers with."""

    count: int = 2

    cluster = "question"

    def ask(self, model: wb.Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer."""
        questions = [grammar.questions(each.trait, asking.split)[: self.count] for each in asking.conditions]
        prompts = [[wb.Prompt(question) for question in asked] for asked in questions]
        answers = asking.answers(model, prompts, max_new_tokens=16)
        rows = [
            {**condition.labels, "question": question, "letters": float(len(text)), "words": float(len(text.split()))}
            for condition, asked, given in zip(asking.conditions, questions, answers, strict=True)
            for question, text in zip(asked, given, strict=True)
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class Letters(_Said):
    """Takes the length of an answer for the trait."""

    name = "letters of answers"
    quantities = (Quantity("letters", "trait", "length of an answer", "letters"),)


@dataclass(frozen=True)
class Words(_Said):
    """Takes short answers for a cost."""

    name = "words of answers"
    quantities = (Quantity("words", "cost", "words of an answer", "words", losses=(0.5, 1.0), margin=2.0),)


def with_tables(study: Study, **tables: pd.DataFrame | None) -> Study:
    """The same study with other tables; without those that are None."""
    changed = replace(study)
    every = {**study.tables, **tables}
    changed.__dict__["tables"] = {name: table for name, table in every.items() if table is not None}
    return changed
