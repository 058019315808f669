"""Fluency of open answers: how likely they are to the unedited model, how much they repeat, how long they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.summarising import clustered_mean
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.results import Results
from workbench.score.fluency import MEASURES, answer_fluency

_QUANTITIES = ("log_perplexity", "repetition", "length")


@dataclass(frozen=True)
class Fluency(Outcome):
    """The fluency of the outcome `answers`; it asks the model nothing that it has not answered."""

    name = "fluency"
    cluster = "question"
    side_by_side = True
    needs = ("answers",)
    compared = False
    quantities = (
        Quantity("log_perplexity", "cost", "log perplexity under the unedited model", "nats"),
        Quantity("repetition", "cost", "n-grams that occurred before in the answer", SHARE),
        Quantity("length", "cost", "length of answers", "tokens"),
    )

    def work(self, split: Split) -> float:
        """A forward pass over answers that are there."""
        return 0.0

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row for each answer: perplexity, repetition, distinct and length beside the condition and question."""
        labels = ["arm", "trait", "direction", "gamma", "question"]
        return answer_fluency(model, asking.frames["answers"])[[*labels, *MEASURES]]

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with log_perplexity beside repetition and length."""
        return super().measured(frame.assign(log_perplexity=np.log(frame["perplexity"])))

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """`fluency`, changes by arm and dose; and the table of answers with the measures of each."""
        frame = results.frames[self.name]
        answers = results.frames["answers"]
        last = [name for name in ("scope",) if name in answers]
        beside = pd.concat([answers.drop(columns=last), frame[list(MEASURES)], answers[last]], axis=1)
        changes = fluency_changes(self.measured(frame), resamples=results.resamples)
        return {"answers": beside, "fluency": changes}


def fluency_changes(rows: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Perplexity, repetition and length of answers by arm and dose, all traits together, beside the unedited model's.

    Returns:
        Columns arm, gamma, quantity (`log_perplexity_change`: natural log of the answer's perplexity under the
        unedited model minus that of its own answer; `repetition_change`, a share; `length_change`, tokens),
        empty (answers without a token), estimate, low, high (95 %, clustered by question), n.
    """
    base = rows.loc[rows["arm"] == UNEDITED, ["trait", "question", *_QUANTITIES]]
    edited = rows[rows["arm"] != UNEDITED].merge(base, on=["trait", "question"], suffixes=("", "_base"))
    table = []
    for (arm, gamma), part in edited.groupby(["arm", "gamma"], sort=False):
        for quantity in _QUANTITIES:
            change = part.assign(change=part[quantity] - part[f"{quantity}_base"])
            empty = int((part["length"] == 0).sum())
            interval = clustered_mean(change, "change", "question", resamples=resamples)
            table.append({"arm": arm, "gamma": gamma, "quantity": f"{quantity}_change", "empty": empty} | interval)
    return pd.DataFrame(table)
