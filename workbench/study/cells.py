"""The cells of a study: one arm at one dose in one scope, for every trait and direction, run and kept whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from workbench.edit.applying import EditedRun
from workbench.model.model import Model
from workbench.score.answers import Condition, answer_questions, testbed_scorer
from workbench.score.capability import answer_items
from workbench.score.fluency import answer_fluency
from workbench.score.questionnaire.asking import ask_questionnaire, testbed_statements
from workbench.study.config import StudyConfig
from workbench.study.judging import unscored
from workbench.study.questions import TESTBED, open_questions
from workbench.study.store import key_of
from workbench.testbed import grammar, tasks
from workbench.vocabulary import Scope

Outcomes = dict[str, pd.DataFrame]
"""Tables of a cell by kind."""

ANSWER, ITEM = 8.0, 2.0  # rough cost of an answer and of a capability item, in prompts captured
DIRECTIONS = ("increase", "decrease")


@dataclass(frozen=True)
class Cell:
    """Conditions that are run together, and what they are asked.

    Attributes:
        arm, gamma, scope: what the conditions have in common.
        split: whose questions: `search` chooses the dose, `test` is what is reported.
        part: whose capability items.
        questions: how many of them for each trait.
        conditions: which answer questions.
        tested: which answer capability items; the same ones, but for the unedited model, which answers every
            direction's items and each question once.
        kinds: the tables that it makes: `answers`, `capability`, and any of `questionnaire` and `off-target`.
        digest: of the edits and instructions of its conditions.
    """

    arm: str
    gamma: float
    scope: Scope
    split: grammar.Split
    part: tasks.Part
    questions: int
    conditions: tuple[Condition, ...]
    tested: tuple[Condition, ...]
    kinds: tuple[str, ...]
    digest: str

    @property
    def name(self) -> str:
        """The stem of its files."""
        arm = self.arm.replace(" ", "-")
        dose = "" if self.arm == "none" else f".gamma-{self.gamma:g}.{self.scope}"
        return f"{self.split}/{arm}{dose}"

    def file(self, kind: str) -> str:
        """Where a table of it is kept."""
        return f"outcomes/{self.name}.{kind}.parquet"

    @property
    def files(self) -> list[str]:
        """Where all of its tables are kept."""
        return [self.file(kind) for kind in (*self.kinds, "edited")]

    @property
    def label(self) -> str:
        """What it does, in a line."""
        said = "unedited" if self.arm == "none" else f"{self.arm} at gamma {self.gamma:g}"
        said = said if self.scope == "generated" or self.arm == "none" else f"{said}, scope {self.scope}"
        return f"choosing gamma: {said}" if self.split == "search" else said

    def work(self, config: StudyConfig) -> float:
        """Its rough cost, in prompts captured."""
        items = config.items_per_task * len(tasks.TASKS)
        asked = len(self.conditions) * self.questions * ANSWER
        if "off-target" in self.kinds:
            asked *= len(config.traits)
        return asked + len(self.tested) * items * ITEM

    def key(self, model: Model, config: StudyConfig) -> str:
        """A hash of all that its outcomes depend on; a judge scores them later and is no part of it."""
        told = ("temperature", "items_per_task", "seed", "traits", "max_new_tokens", "scorer")
        asked = {name: value for name, value in config.told.items() if name in told}
        if config.questions != TESTBED:
            asked["questions"] = {
                trait: open_questions(config, trait, self.split, self.questions) for trait in config.traits
            }
        return key_of(
            model=model.fingerprint,
            settings=asked,
            fluency="fluency" in config.outcomes,
            edits=self.digest,
            place=(self.arm, self.gamma, self.scope, self.split, self.part, self.questions),
        )


def run_cell(model: Model, config: StudyConfig, cell: Cell) -> Outcomes:
    """A cell's tables by kind, a row for each outcome; `edited` counts what was edited in making them."""
    runs: list[tuple[str, EditedRun]] = []
    questions = {trait: open_questions(config, trait, cell.split, cell.questions) for trait in config.traits}

    def answers(conditions: Sequence[Condition], kind: str) -> pd.DataFrame:
        return answer_questions(
            model,
            conditions,
            questions,
            scorer=testbed_scorer if config.scorer == "grammar" else unscored,
            scope=cell.scope,
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            seed=config.seed,
            record=lambda run: runs.append((kind, run)),
        )

    made = {"answers": answers(cell.conditions, "answers")}
    if "fluency" in config.outcomes:
        made["answers"] = answer_fluency(model, made["answers"])
    made["capability"] = answer_items(
        model,
        cell.tested,
        items_of(cell, config),
        scope=cell.scope,
        record=lambda run: runs.append(("capability", run)),
    )
    if "off-target" in cell.kinds:
        across = [(one, replace(one, trait=trait)) for one in cell.conditions for trait in config.traits]
        across = [(one, other) for one, other in across if one.trait != other.trait]
        made["off-target"] = answers([other for _, other in across], "off-target").assign(
            edited=[one.trait for one, other in across for _ in questions[other.trait]]
        )
    if "questionnaire" in cell.kinds:
        made["questionnaire"] = pd.concat(
            [
                ask_questionnaire(
                    model,
                    [condition for condition in cell.conditions if condition.trait == trait],
                    testbed_statements(trait, split="test"),
                    scope=cell.scope,
                    seed=config.seed,
                    record=lambda run: runs.append(("questionnaire", run)),
                )
                for trait in config.traits
            ],
            ignore_index=True,
        )
    made["edited"] = _certificates(runs)
    labels = {"scope": cell.scope}
    return {
        kind: frame.assign(**labels) if kind != "edited" else frame.assign(arm=cell.arm, gamma=cell.gamma, **labels)
        for kind, frame in made.items()
    }


def _certificates(runs: Sequence[tuple[str, EditedRun]]) -> pd.DataFrame:
    rows = [
        {"outcome": kind, "phase": phase, "edited_pairs": run.pairs[phase], "passes": run.passes[phase]}
        for kind, run in runs
        for phase in ("prompt", "decode")
    ]
    return pd.DataFrame(rows, columns=["outcome", "phase", "edited_pairs", "passes"])


def items_of(cell: Cell, config: StudyConfig) -> list[list[tasks.Item]]:
    """Each tested condition's items: a trait and direction has items of its own, so that all together are many."""
    return [
        [
            item
            for task in tasks.TASKS
            for item in tasks.items(
                task,
                cell.part,
                n=config.items_per_task,
                seed=f"{config.seed} {condition.trait} {condition.direction}",
            )
        ]
        for condition in cell.tested
    ]


def unedited(config: StudyConfig, split: grammar.Split, part: tasks.Part, questions: int) -> Cell:
    """The model as it is, on the questions and items of every trait and direction."""
    return Cell(
        "none",
        0.0,
        config.scope,
        split,
        part,
        questions,
        tuple(Condition.unedited(trait) for trait in config.traits),
        tuple(Condition("none", trait, way, 0.0, None) for trait in config.traits for way in DIRECTIONS),
        ("answers", "capability", *(("questionnaire",) if split == "test" and asks_statements(config) else ())),
        "",
    )


def asks_statements(config: StudyConfig) -> bool:
    """Whether the questionnaire is among a study's outcomes."""
    return "questionnaire" in config.outcomes
