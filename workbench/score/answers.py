"""Put open questions to a model, edited or not, and score its answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import EditedRun
from workbench.edit.edit import AnyEdit
from workbench.edit.prompting import Instruction
from workbench.model.embedded import require_embedded
from workbench.model.model import Model
from workbench.score.side_by_side import edited_rows
from workbench.testbed.scorer import trait_score, wellformed
from workbench.vocabulary import Scope


@dataclass(frozen=True)
class Rating:
    """A scorer's rating of one answer: a trait score from 1 to 5, None where the scorer cannot tell; and the share of
    well-formed sentences.
    """

    score: float | None
    wellformed: float


Scorer = Callable[[str, str], Rating]


def testbed_scorer(answer: str, trait: str) -> Rating:
    """Score an answer of the embedded model by the grammar that taught it."""
    return Rating(trait_score(answer, trait), wellformed(answer))


@dataclass(frozen=True)
class Condition:
    """One way to run the model: an edit of one trait in one direction at one dose, an instruction, or neither.

    Attributes:
        arm: the arm's name in a study, `none` for the model as it is.
        trait: the trait that is edited, and about which open questions are asked.
        direction: `increase`, `decrease`, or `none` for the model as it is.
        gamma: the dose, 0 for the model as it is.
        edit: the edit of the activations, if any.
        instruction: the instruction before each prompt, if any.
        draw: the number of the draw, of an arm that is random; the first is 0.
    """

    arm: str
    trait: str
    direction: str
    gamma: float
    edit: AnyEdit | None
    instruction: Instruction | None = None
    draw: int = 0

    @classmethod
    def unedited(cls, trait: str) -> "Condition":
        """The model as it is, asked about `trait`."""
        return cls("none", trait, "none", 0.0, None)

    @property
    def labels(self) -> dict[str, str | float]:
        """The columns that identify the condition in a frame; a first draw needs no number."""
        labels: dict[str, str | float] = {"arm": self.arm, "trait": self.trait, "direction": self.direction}
        return labels | {"gamma": self.gamma} | ({"draw": self.draw} if self.draw else {})

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt with this condition's instruction, if it has one."""
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
    """Generate each condition's answers to its own prompts.

    All conditions share batches. The j-th prompt of every condition gets the same random draws.

    Args:
        prompts: for each condition, its prompts.
        record: called with the run, which counts what was edited, if any condition has an edit.

    Returns:
        For each condition, its answers in the order of its prompts.
    """
    texts = [condition.put(prompt) for condition, asked in zip(conditions, prompts, strict=True) for prompt in asked]
    streams = [j for asked in prompts for j in range(len(asked))]
    edits = [condition.edit for condition in conditions]
    with edited_rows(model, edits, [len(asked) for asked in prompts], scope=scope, record=record):
        generated = model.generate(
            texts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, streams=streams
        )
    answers = iter(generated)
    return [[next(answers) for _ in asked] for asked in prompts]


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
    """Ask each condition the questions about its trait, without a persona, and score the answers.

    Args:
        scorer: by default the embedded model's grammar, which scores no other model.

    Returns:
        A row for each answer: arm, trait, direction, gamma, question, answer, score (1 to 5; missing where the
        scorer cannot tell), wellformed (0 to 1).

    Raises:
        ValueError: if the scorer is the embedded model's grammar and the model is another.
    """
    if scorer is testbed_scorer:
        require_embedded(model, "the scorer, its grammar", "Pass scorer=, e.g. a judge's; statements need none.")
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
    for condition, asked, answered in zip(conditions, prompts, answers, strict=True):
        for prompt, answer in zip(asked, answered, strict=True):
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
