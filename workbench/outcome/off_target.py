"""Open answers to the other traits' questions: what else an edit moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.comparing import specificity_matrix
from workbench.model.model import Model
from workbench.outcome.answers import Answers
from workbench.outcome.claims.off_target import leaves_others, tell_others
from workbench.outcome.finding import Claim
from workbench.outcome.outcome import Asking, Split
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results


@dataclass(frozen=True)
class OffTarget(Answers):
    """The same questions and scorer as `Answers`, but each condition is asked about every trait but its own."""

    name = "off-target"
    when = "chosen dose"  # type: ignore[assignment]
    compared = False
    across = True
    needs = ("answers",)

    @property
    def quantities(self) -> tuple[Quantity, ...]:  # type: ignore[override]
        """None: what moves is a table of traits against traits, not one number."""
        return ()

    def applies(self, traits: Sequence[str]) -> bool:
        """One trait alone has no others."""
        return len(traits) > 1

    def work(self, split: Split) -> float:
        """As many answers as there are other traits."""
        return super().work(split) * (len(self.traits) - 1)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer: trait is the one asked about, edited the one that the condition edits."""
        across = [
            (condition, replace(condition, trait=trait)) for condition in asking.conditions for trait in self.traits
        ]
        across = [(condition, other) for condition, other in across if condition.trait != other.trait]
        frame = self.answer(model, asking, [other for _, other in across])
        edited = [condition.trait for condition, other in across for _ in self.questions_of(other.trait, asking.split)]
        return frame.assign(edited=edited)

    def refuse(self, frame: pd.DataFrame, model: Model) -> None:
        """The unedited model is not asked: `answers` has done so."""

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """`off_target`, every answer; `specificity`, the edited against the measured trait."""
        across = results.frames[self.name]
        return {"specificity": specificity(across, results), "off_target": across}

    def claims(self) -> tuple[Claim, ...]:
        """Whether the other traits are left alone."""
        return (
            Claim(
                "leaves-other-traits",
                "The edit leaves the other traits alone",
                leaves_others,
                tell_others,
                ("specificity",),
            ),
        )


def specificity(across: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The trait that is edited against the trait that is measured, by arm; see `specificity_matrix`."""
    answers = results.frames["answers"]
    base = answers[answers["arm"] == UNEDITED].assign(measured=lambda frame: frame["trait"])
    tables = []
    for arm in dict.fromkeys(across["arm"]):
        edited = results.at_chosen_dose(answers[answers["arm"] == arm])
        others = across[across["arm"] == arm]
        others = others.assign(measured=others["trait"], trait=others["edited"])
        rows = pd.concat([base, others, edited.assign(measured=edited["trait"])], ignore_index=True)
        table = specificity_matrix(rows, resamples=results.resamples, seed=results.seed)
        tables.append(table.rename(columns={"trait": "edited"}).assign(arm=arm))
    return pd.concat(tables, ignore_index=True)
