"""Open answers: put questions to a model, edited or not, and score what it says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import EditedRun, edited
from workbench.edit.edit import AnyEdit
from workbench.edit.prompting import Instruction
from workbench.model.model import Model
from workbench.testbed.scorer import trait_score, wellformed
from workbench.vocabulary import BIG_FIVE, Scope


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
    """One way to run the model: an edit of one trait in one direction at one dose, an instruction, or neither.

    Attributes:
        arm: its name in the study, `none` for the model as it is.
        edit: what is done to the activations, if anything.
        instruction: what is said to the model before each prompt, if anything.
    """

    arm: str
    trait: str
    direction: str
    gamma: float
    edit: AnyEdit | None
    instruction: Instruction | None = None

    @classmethod
    def unedited(cls, trait: str) -> "Condition":
        """The model as it is, asked about `trait`."""
        return cls("none", trait, "none", 0.0, None)

    @property
    def labels(self) -> dict[str, str | float]:
        """The columns that name the condition in a frame."""
        return {"arm": self.arm, "trait": self.trait, "direction": self.direction, "gamma": self.gamma}

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt as this condition puts it to the model."""
        return prompt if self.instruction is None else self.instruction.apply(prompt)


def run_conditions(
    model: Model,
    conditions: Sequence[Condition],
    prompts: Sequence[Sequence[Prompt]],
    *,
    scope: Scope,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    record: Callable[[EditedRun], None] | None = None,
) -> list[list[str]]:
    """Each condition's answers to its own prompts.

    All conditions share batches. The j-th prompt of every condition gets the same random draws.

    Args:
        record: called with the count of what was edited, where anything was.
    """
    edits = [condition.edit for condition in conditions if condition.edit is not None]
    place = iter(range(len(edits)))
    which = [-1 if condition.edit is None else next(place) for condition in conditions]
    flat = [condition.put(prompt) for condition, own in zip(conditions, prompts, strict=True) for prompt in own]
    rows = [which[i] for i, own in enumerate(prompts) for _ in own]
    streams = [j for own in prompts for j in range(len(own))]

    def answer() -> list[str]:
        return model.generate(flat, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, streams=streams)

    if edits:
        with edited(model, edits, scope=scope, rows=rows) as run:
            answers = iter(answer())
        if record is not None:
            record(run)
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
    record: Callable[[EditedRun], None] | None = None,
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
        record=record,
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


def score_traits(
    answers: pd.DataFrame, traits: Sequence[str] = BIG_FIVE, *, scorer: Scorer = testbed_scorer
) -> pd.DataFrame:
    """What each answer shows of each trait, whichever trait its question was about.

    An answer need say nothing of other traits: the embedded model's say nothing, as its grammar answers a question
    about the trait alone. To see other traits move, ask about them (`ask_across`).

    Returns:
        The rows once a trait, with `measured` (the trait), and `score` and `wellformed` for it; `score` is missing
        where the scorer cannot tell, which `parsed` says.
    """
    parts = []
    for trait in traits:
        ratings = [scorer(answer, trait) for answer in answers["answer"]]
        scores = pd.Series([rating.score for rating in ratings], index=answers.index, dtype=float)
        shares = pd.Series([rating.wellformed for rating in ratings], index=answers.index, dtype=float)
        parts.append(answers.assign(measured=trait, score=scores, wellformed=shares, parsed=scores.notna()))
    return pd.concat(parts, ignore_index=True)


def ask_across(
    model: Model,
    conditions: Sequence[Condition],
    questions_by_trait: Mapping[str, Sequence[str]],
    *,
    scorer: Scorer = testbed_scorer,
    scope: Scope = "generated",
    max_new_tokens: int = 56,
    temperature: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Every condition's open answers to every trait's questions: what an edit of one trait does to the others.

    The same question gets the same random draws under every condition. Unedited conditions of several traits say
    the same, so one of them is enough.

    Returns:
        A row per condition, measured trait and question: arm, trait (edited), direction, gamma, measured (the
        question's trait), question, answer, score (1 to 5 on the measured trait; missing where the scorer cannot
        tell), wellformed (0 to 1).
    """
    asked = [(trait, question) for trait, several in questions_by_trait.items() for question in several]
    prompts = [[Prompt(question) for _, question in asked] for _ in conditions]
    given = run_conditions(
        model, conditions, prompts, scope=scope, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed
    )
    rows = []
    for condition, answers in zip(conditions, given, strict=True):
        for (trait, question), answer in zip(asked, answers, strict=True):
            rating = scorer(answer, trait)
            rows.append(
                {
                    **condition.labels,
                    "measured": trait,
                    "question": question,
                    "answer": answer,
                    "score": rating.score,
                    "wellformed": rating.wellformed,
                }
            )
    return pd.DataFrame(rows).astype({"score": float})
