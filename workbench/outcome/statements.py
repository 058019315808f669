"""First-person statements by log-likelihood: what a model finds likely to say of itself, without a judge."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from workbench.concept.concept import Concept
from workbench.concept.named import concept_of
from workbench.digest import key_of
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Caution, Outcome, Split
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.outcome.statement_tables import cautions_of, item_shifts, pair_shifts, shares, validity, wrong_way
from workbench.score.statements.reading import BUILT_IN, TESTBED, TraitStatement, at_most, read_statements, split_of
from workbench.score.statements.scoring import QUESTIONS, high_minus_low, statement_scores

_STATEMENT = 0.5  # rough cost of a statement, in prompts captured: its prompt is shared


@dataclass(frozen=True)
class Statements(Outcome):
    """How much likelier a model finds statements high in a trait than statements low in it, as its own answer.

    The score is the mean log-probability per token over high statements minus that over low ones. It says what the
    model finds likely to say of itself, not what a reader would judge. Statements are resampled in pairs of a high and
    a low one, so that what changes all statements alike cancels.

    Attributes:
        traits: whose statements are scored.
        file: `builtin` for the concepts' own, `testbed` for the embedded model's phrases, or a file or folder; see
            `read_statements`.
        questions_each: under how many of the four neutral questions each statement is scored.
        n: how many statements of each pole are reported, at most; all by default. Half as many choose the dose.
        persona: the arm whose shift is 1 on the scale of `statements_share`, and which must move the statements for
            anything to be judged by them.
        concepts: those of the traits that are no built-in ones.
    """

    traits: tuple[str, ...]
    file: str = "builtin"
    questions_each: int = 1
    n: int | None = None
    persona: str = "description prompt"
    concepts: tuple[Concept, ...] = ()

    name = "statements"
    cluster = "pair"
    main = "file"
    quantities = (
        Quantity("statements", "trait", "likelihood of its own statements, high minus low", "nats per token", "score"),
    )

    def read(self, trait: str) -> list[TraitStatement]:
        """All of a trait's statements."""
        return read_statements(self.file, concept_of(trait, among=self.concepts) if self.file == BUILT_IN else trait)

    def statements_of(self, trait: str, split: Split) -> list[TraitStatement]:
        """A trait's statements: every third chooses the dose, the others are reported."""
        statements = split_of(self.read(trait), split)
        most = self.n if self.n is None or split == "test" else max(2, self.n // 2)
        return at_most(statements, most)

    def check(self) -> None:
        """Every trait has statements of its own, and numbers are within their bounds."""
        if not 1 <= self.questions_each <= len(QUESTIONS):
            raise ValueError(
                f"questions_each is 1 to {len(QUESTIONS)}, as there are so many, but {self.questions_each} arrived."
            )
        if self.n is not None and self.n < 2:
            raise ValueError(f"n is 2 statements a pole or more, but {self.n} arrived.")
        owners: dict[str, str] = {}
        for trait in self.traits:
            for each in self.read(trait):
                said = f"{each.question} {each.text}"
                if said in owners:
                    raise ValueError(
                        f"A statement is of one trait, but in {Path(self.file).name} {each.text[:60]!r} stands for "
                        f"{owners[said]} and {trait}. Give the file a column trait, or study one trait."
                    )
                owners[said] = trait

    def of_embedded(self) -> tuple[str, ...]:
        """The statements, where they are its own."""
        return ("statements = 'testbed'",) if self.file == TESTBED else ()

    def key(self, split: Split) -> str:
        """The statements' texts, poles and questions are part of it."""
        texts = {
            trait: [(each.text, each.pole, each.question) for each in self.statements_of(trait, split)]
            for trait in self.traits
        }
        return key_of(own=Outcome.key(replace(self, concepts=()), split), texts=texts)

    def work(self, split: Split) -> float:
        """A short answer a statement and question, to prompts that they share."""
        return _STATEMENT * self.questions_each * len(self.statements_of(self.traits[0], split))

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition, statement and question: see `statement_scores`."""
        tables = []
        for condition in asking.conditions:
            with asking.edited(model, condition):
                frame = statement_scores(
                    model,
                    self.statements_of(condition.trait, asking.split),
                    questions_each=self.questions_each,
                    instruction=condition.instruction,
                )
            tables.append(frame.assign(**condition.labels))
        return pd.concat(tables, ignore_index=True)

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A row for each condition and pair of statements; see `high_minus_low`."""
        return high_minus_low(frame).rename(columns={"score": "statements"})

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """`statements`, every score; `statements_items`, each statement's own shift at the chosen dose, by arm;
        `statements_wrong_way`, the share of statements that move against the intended direction;
        `statements_share`, each arm's shift as a share of the persona prompt's; `statements_validity`, whether that
        prompt moves the statements at all.
        """
        frame = results.at_chosen_dose(results.frames[self.name], unedited=True)
        items, pairs = item_shifts(frame), pair_shifts(self.measured(frame), self.quantities[0].name)
        return {
            "statements": results.frames[self.name],
            "statements_items": items,
            "statements_wrong_way": wrong_way(items, resamples=results.resamples),
            "statements_share": shares(pairs, self.persona, resamples=results.resamples, seed=results.seed),
            "statements_validity": validity(pairs, self.persona, results),
        }

    def cautions(self, results: Results) -> tuple[Caution, ...]:
        """A trait whose statements the persona prompt does not move is judged by them in nothing."""
        return cautions_of(results.tables["statements_validity"])
