"""The other traits' statements: what else an edit moves in what a model finds likely to say of itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.comparing import specificity_matrix
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Caution, Split
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.outcome.statements import Statements
from workbench.score.statements.scoring import high_minus_low, statement_scores

TABLE = "statements_specificity"


@dataclass(frozen=True)
class OffTargetStatements(Statements):
    """The same statements as `Statements`, but each condition is asked those of every trait but its own."""

    name = "off-target-statements"
    when = "chosen dose"  # type: ignore[assignment]
    compared = False
    across = True
    needs = ("statements",)
    quantities: tuple[Quantity, ...] = ()

    def applies(self, traits: Sequence[str]) -> bool:
        """One trait alone has no others."""
        return len(traits) > 1

    def work(self, split: Split) -> float:
        """As many statements as the other traits have."""
        return super().work(split) * (len(self.traits) - 1)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition, other trait, statement and question: `trait` is the one whose statements are scored,
        `edited` the one that the condition edits.
        """
        tables = []
        for condition in asking.conditions:
            with asking.edited(model, condition):
                for trait in self.traits:
                    if trait == condition.trait:
                        continue
                    frame = statement_scores(
                        model,
                        self.statements_of(trait, asking.split),
                        questions_each=self.questions_each,
                        instruction=condition.instruction,
                    )
                    labels = replace(condition, trait=trait).labels
                    tables.append(frame.assign(**labels, edited=condition.trait))
        return pd.concat(tables, ignore_index=True)

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows as they are: what moves is a table of traits against traits, not one number."""
        return frame

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """`statements_specificity`, the edited against the measured trait; `statements_off_target`, every score."""
        across = results.frames[self.name]
        return {TABLE: specificity_of(across, results), "statements_off_target": across}

    def cautions(self, results: Results) -> tuple[Caution, ...]:
        """None: nothing is judged by it."""
        return ()


def specificity_of(across: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The trait that is edited against the trait whose statements are scored, by arm; see `specificity_matrix`.

    Shifts are in nats per token, high statements minus low ones, resampled by pair of statements.
    """
    own = high_minus_low(results.frames["statements"]).rename(columns={"pair": "question"})
    own = own.assign(measured=own["trait"])
    others = high_minus_low(across).rename(columns={"pair": "question"})
    others = others.assign(measured=others["trait"], trait=others["edited"]).drop(columns="edited")
    base = own[own["arm"] == UNEDITED]
    tables = []
    for arm in dict.fromkeys(others["arm"]):
        edited = results.at_chosen_dose(own[own["arm"] == arm])
        rows = pd.concat([base, others[others["arm"] == arm], edited], ignore_index=True)
        table = specificity_matrix(rows, resamples=results.resamples, seed=results.seed)
        table = table.drop(columns=["scored", "coverage_change"]).rename(columns={"trait": "edited"})
        tables.append(table.assign(arm=arm))
    return pd.concat(tables, ignore_index=True)
