"""Open answers: put questions to a model, edited or not, and score what it says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import Scope, edited
from workbench.edit.edit import Edit
from workbench.model.model import Model
from workbench.testbed.scorer import trait_score, wellformed


@dataclass(frozen=True)
class Rating:
    """What a scorer makes of one answer: a trait score from 1 to 5, None if it cannot tell; a share well-formed."""

    score: float | None
    wellformed: float


Scorer = Callable[[str, str], Rating]


def testbed_scorer(answer: str, trait: str) -> Rating:
    """Scores an answer of the embedded model by the grammar that taught it."""
    return Rating(trait_score(answer, trait), wellformed(answer))


@dataclass(frozen=True)
class Condition:
    """One way to run the model: an edit of one trait in one direction at one dose, or none.

    Attributes:
        arm: the edit's name in the study, `none` for the model as it is.
    """

    arm: str
    trait: str
    direction: str
    gamma: float
    edit: Edit | None

    @classmethod
    def unedited(cls, trait: str) -> "Condition":
        """The model as it is, asked about `trait`."""
        return cls("none", trait, "none", 0.0, None)

    @property
    def labels(self) -> dict[str, str | float]:
        """The columns that name the condition in a frame."""
        return {"arm": self.arm, "trait": self.trait, "direction": self.direction, "gamma": self.gamma}


def run_conditions(
    model: Model,
    conditions: Sequence[Condition],
    prompts: Sequence[Sequence[Prompt]],
    *,
    scope: Scope,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[list[str]]:
    """Each condition's answers to its own prompts.

    All conditions share batches. The j-th prompt of every condition gets the same random draws.
    """
    edits = [condition.edit for condition in conditions if condition.edit is not None]
    place = iter(range(len(edits)))
    which = [-1 if condition.edit is None else next(place) for condition in conditions]
    flat = [prompt for own in prompts for prompt in own]
    rows = [which[i] for i, own in enumerate(prompts) for _ in own]
    streams = [j for own in prompts for j in range(len(own))]

    def answer() -> list[str]:
        return model.generate(flat, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, streams=streams)

    if edits:
        with edited(model, edits, scope=scope, rows=rows):
            answers = iter(answer())
    else:
        answers = iter(answer())
    return [[next(answers) for _ in own] for own in prompts]


def answer_questions(
    model: Model,
    conditions: Sequence[Condition],
    questions: Mapping[str, Sequence[str]],
    *,
    scorer: Scorer = testbed_scorer,
    scope: Scope = "generated",
    max_new_tokens: int = 56,
    temperature: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Open answers to each condition's trait's questions, without a persona, and their scores.

    Returns:
        A row per answer: arm, trait, direction, gamma, question, answer, score (1 to 5; missing where the
        scorer cannot tell), wellformed (0 to 1).
    """
    prompts = [[Prompt(question) for question in questions[condition.trait]] for condition in conditions]
    answers = run_conditions(
        model,
        conditions,
        prompts,
        scope=scope,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
    )
    rows = []
    for condition, asked, given in zip(conditions, prompts, answers, strict=True):
        for prompt, answer in zip(asked, given, strict=True):
            rating = scorer(answer, condition.trait)
            rows.append(
                {
                    **condition.labels,
                    "question": prompt.user,
                    "answer": answer,
                    "score": rating.score,
                    "wellformed": rating.wellformed,
                }
            )
    return pd.DataFrame(rows).astype({"score": float})
