"""Open answers to questions about the trait: scored by the embedded model's grammar or by a judge, or only shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from workbench.arm.spec import ArmSpec
from workbench.concept.concept import Concept
from workbench.concept.named import big_five_of, concept_of
from workbench.digest import key_of
from workbench.model.model import Model
from workbench.outcome.judged import build_judge, judged, reach_judge
from workbench.outcome.outcome import Asking, Outcome, Split, When
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.questions import TESTBED, open_questions
from workbench.outcome.results import Results
from workbench.score.answers import Condition, Rating, Scorer, answer_questions, testbed_scorer
from workbench.score.judge.rubric import concept_rubric
from workbench.score.judge.settings import JudgeConfig

_ANSWER = 8.0  # rough cost of an answer, in prompts captured
_LEAST_COVERAGE = 0.5  # share of the unedited model's answers that must have a score


@dataclass(frozen=True)
class Answers(Outcome):
    """Open answers to questions about each condition's trait, without a persona in the prompt.

    Attributes:
        traits: whose questions are asked.
        questions: `testbed` for the embedded model's, `builtin` for the concepts', or a PersonalityBench folder.
        scorer: `grammar`, the one that taught the embedded model; `judge`; or `none`, and the answers are shown and
            measure nothing. Then they are asked at the chosen dose, of the arms that stand for all others.
        judge: which judge.
        model: the name of the study's model, which a local judge may be.
        temperature, max_new_tokens: of the answers.
        search_questions, test_questions: how many for each trait.
        seed: of the answers.
        concepts: those of the traits that are no built-in ones.
    """

    traits: tuple[str, ...]
    questions: str
    scorer: Literal["grammar", "judge", "none"]
    judge: JudgeConfig | None
    model: str
    temperature: float
    max_new_tokens: int
    search_questions: int
    test_questions: int
    seed: int
    concepts: tuple[Concept, ...] = ()

    name = "answers"
    cluster = "question"

    @property
    def quantities(self) -> tuple[Quantity, ...]:  # type: ignore[override]
        """Trait score from 1 to 5, well-formedness (with a judge, its fluency rating), share of scored answers; none
        where answers are only shown.
        """
        if self.scorer == "none":
            return ()
        label = "well-formed sentences" if self.scorer == "grammar" else "rated fluency (of its range)"
        losses = (0.01, 0.02, 0.05)
        return (
            Quantity("trait_score", "trait", "trait score of open answers", "points of 4", "score", span=(1.0, 5.0)),
            Quantity("wellformed", "cost", label, SHARE, losses=losses, min_level=0.95),
            Quantity("coverage", "cost", "answers with a score", SHARE, losses=losses, max_loss=0.05),
        )

    @property
    def when(self) -> When:  # type: ignore[override]
        """Answers that are only shown are asked for at the chosen dose."""
        return "chosen dose" if self.scorer == "none" else "every dose"

    def asked_of(self, arm: ArmSpec) -> bool:
        """Answers that are only shown are those of the arms that stand for all others."""
        return super().asked_of(arm) and (self.scorer != "none" or arm.across)

    def questions_of(self, trait: str, split: Split) -> list[str]:
        """The questions of a split about a trait."""
        count = self.search_questions if split == "search" else self.test_questions
        asked = trait if self.questions == TESTBED else self.concept(trait)
        return open_questions(self.questions, asked, split, count, seed=self.seed)

    def concept(self, trait: str) -> Concept:
        """What a trait's questions and rubric are taken from."""
        return concept_of(trait, among=self.concepts)

    def check(self) -> None:
        """Every question is there, and where a judge rates every rubric."""
        for trait in self.traits:
            if self.judge is not None:
                concept_rubric(self.concept(trait))
            if self.scorer == "grammar":
                big_five_of(trait, "the grammar that scores answers")
            self.questions_of(trait, "search")
            self.questions_of(trait, "test")

    def of_embedded(self) -> tuple[str, ...]:
        """The grammar that scores, and the questions."""
        grammar = ("scorer = 'grammar'",) if self.scorer == "grammar" else ()
        return (*grammar, *(("questions = 'testbed'",) if self.questions == TESTBED else ()))

    def prepare(self, model: Model) -> None:
        """A judge that cannot be asked is reported at once."""
        if self.judge is not None:
            build_judge(self.judge, model, self.model)

    def reach(self, model: Model, folder: Path) -> None:
        """An endpoint that is not there, or does not rate, is reported at once."""
        if self.judge is not None and self.judge.kind == "endpoint":
            reach_judge(build_judge(self.judge, model, self.model), folder)

    def key(self, split: Split) -> str:
        """What is asked counts, not where it comes from; a judge rates later, and keeps its ratings itself."""
        anywhere = replace(self, questions="", judge=None, concepts=())
        texts = {trait: self.questions_of(trait, split) for trait in self.traits}
        return key_of(asked=Outcome.key(anywhere, split), texts=texts)

    def work(self, split: Split) -> float:
        """An answer costs as much as several prompts."""
        return _ANSWER * (self.search_questions if split == "search" else self.test_questions)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer: see `answer_questions`."""
        return self.answer(model, asking, asking.conditions)

    def answer(self, model: Model, asking: Asking, conditions: Sequence[Condition]) -> pd.DataFrame:
        """Each condition's answers to the questions about its trait."""
        scorer: Scorer = testbed_scorer if self.scorer == "grammar" else _unscored
        return answer_questions(
            model,
            conditions,
            {trait: self.questions_of(trait, asking.split) for trait in self.traits},
            scorer=scorer,
            scope=asking.scope,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            seed=self.seed,
            record=asking.record,
        )

    def rate(
        self, frame: pd.DataFrame, model: Model, folder: Path, progress: Callable[[str, float], None]
    ) -> pd.DataFrame:
        """The judge's ratings, if there is a judge: all arms' together, in a random order."""
        if self.judge is None:
            return frame
        judge = build_judge(self.judge, model, self.model)
        rubrics = {trait: concept_rubric(self.concept(trait)) for trait in self.traits}
        return judged(frame, judge, folder, rubrics=rubrics, seed=self.seed, progress=progress)

    def refuse(self, frame: pd.DataFrame, model: Model) -> None:
        """At least half of the unedited model's answers must have a score, if any are to have one."""
        if self.scorer == "none":
            return
        coverage = frame["score"].notna().mean()
        if coverage >= _LEAST_COVERAGE:
            return
        if self.judge is not None:
            raise ValueError(
                f"The judge {self.judge.model} gave a trait rating to only {coverage:.0%} of {model.name}'s unedited "
                "answers. Its replies are kept in the study's folder judge; see why, or choose another judge."
            )
        raise ValueError(
            f"The outcome answers scores by the embedded model's grammar, but only {coverage:.0%} of {model.name}'s "
            "answers can be scored so. Use a model trained on its corpus, scorer = 'judge', or other outcomes."
        )

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with trait_score, wellformed and coverage; as they are where they are only shown."""
        if self.scorer == "none":
            return frame
        return frame.assign(coverage=frame["score"].notna().astype(float), trait_score=frame["score"])

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Every answer."""
        return {"answers": results.frames[self.name]}


def _unscored(answer: str, trait: str) -> Rating:
    """Scores nothing: a judge will rate the answer later, or nobody."""
    return Rating(None, float("nan"))
