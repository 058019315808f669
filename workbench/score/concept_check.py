"""Whether a concept is fit to be studied on a model: enough texts, poles alike but for it, and a model that follows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.concept.concept import Concept
from workbench.concept.named import AnyConcept, concept_of
from workbench.contrast.balance import Balance
from workbench.contrast.contrast import Contrast
from workbench.measure.bootstrap import Interval
from workbench.measure.paired import bootstrap_mean
from workbench.model.embedded import is_embedded
from workbench.model.model import Model
from workbench.score.concept_lacks import counts_of, lacks_of, remarks_on
from workbench.score.statements.reading import TraitStatement, at_most, read_statements
from workbench.score.statements.scoring import high_minus_low, statement_scores

PERSONAS, STATEMENTS, PAIRS = 3, 16, 120
"""At most so many personas of a pole, pairs of statements and pairs of prompts are looked at."""


@dataclass(frozen=True, eq=False, repr=False)
class ConceptCheck:
    """What a concept has and lacks, and how a model takes it. It prints as a page.

    Attributes:
        concept: what was checked.
        model: the model's name; empty where the texts alone were checked.
        counts: a row for each kind of text: `texts`, `high`, `low`, `others` (of what has no pole) and `held_out`.
        balance: what differs between the poles' pairs besides the concept; None without personas or a model.
        shifts: how the personas shift the likelihood of statements, high minus low, in nats per token: a row for high
            against low personas (`both`), high ones against no system prompt (`high`), and none against low ones
            (`low`), with `shift`, its 95 % interval `low_end` to `high_end` over pairs of statements, and `n`. Above 0
            is as intended. Empty where there are no personas or no statements.
        remarks: what is out of balance, in sentences.
        lacking: what is missing and what that costs, in sentences.
    """

    concept: Concept
    model: str
    counts: pd.DataFrame
    balance: Balance | None
    shifts: pd.DataFrame
    remarks: tuple[str, ...]
    lacking: tuple[str, ...]

    @property
    def follows(self) -> bool | None:
        """Whether high personas surely make high statements likelier against low ones; None where nothing tells."""
        return None if self.shifts.empty else self._end("low_end") > 0

    @property
    def carried_by(self) -> tuple[str, ...]:
        """The poles whose personas surely shift the statements from where the model is without any."""
        alone = self.shifts[self.shifts["personas"] != "both"] if len(self.shifts) else self.shifts
        return tuple(alone.loc[alone["low_end"] > 0, "personas"]) if len(alone) else ()

    @property
    def verdict(self) -> str:
        """How well the poles differ on this model, in a sentence."""
        if not self.model:
            return "How well the poles differ was not measured: that takes a model."
        if self.follows is None:
            return f"Whether {self.model} follows the personas was not measured: that takes personas and statements."
        found = {row["personas"]: _said(row) for row in self.shifts.to_dict("records")}
        told = f"{found['both']} nats per token by high against low personas"
        by = f"from no persona, {found['high']} by high ones and {found['low']} by low ones"
        if self._end("high_end") < 0:
            return f"The personas move {self.model} the wrong way: {told}; {by}. See whether the poles are exchanged."
        if not self.follows:
            return (
                f"The personas do not surely move {self.model}: {told}; {by}. Plainer personas may, or a larger model."
            )
        if len(self.carried_by) == 2:
            return f"The personas move {self.model}, and both poles carry it: {told}; {by}."
        if not self.carried_by:
            return f"The personas move {self.model}, but neither pole alone surely does: {told}; {by}."
        (pole,) = self.carried_by
        other = "low" if pole == "high" else "high"
        return (
            f"The personas move {self.model}, and the {pole} pole carries it: {told}; {by}. The {other} pole is where "
            f"the model is already, or it does not follow there: expect little of edits towards "
            f"{self.concept.word(other)!r}."
        )

    def _end(self, column: str) -> float:
        """An end of the interval of high against low personas."""
        return float(self.shifts.loc[self.shifts["personas"] == "both", column].iloc[0])

    def entry(self) -> dict[str, object]:
        """Everything as plain values."""
        return {
            "concept": self.concept.name,
            **self.concept.record,
            "model": self.model or None,
            "counts": self.counts.astype(object).where(self.counts.notna(), None).to_dict("records"),
            "auc": None if self.balance is None else self.balance.auc,
            "shifts": self.shifts.to_dict("records"),
            "follows": self.follows,
            "carried_by": list(self.carried_by),
            "verdict": self.verdict,
            "remarks": list(self.remarks),
            "lacking": list(self.lacking),
        }

    def __repr__(self) -> str:
        on = f", on {self.model}" if self.model else ""
        lines = [f"{self.concept.name}: from {self.concept.low} to {self.concept.high}{on}", ""]
        lines += self.counts.fillna("").to_string(index=False).splitlines()
        lines += ["", self.verdict]
        if self.balance is not None:
            lines += ["", f"Besides the concept, the poles' pairs: {self.balance!r}"]
        lines += [f"- {remark}" for remark in self.remarks]
        lines += ["", "Nothing is missing." if not self.lacking else "What is missing, and what that costs:"]
        return "\n".join([*lines, *(f"- {lack}" for lack in self.lacking)])


def check_concept(
    concept: AnyConcept,
    model: Model | None,
    *,
    personas: int = PERSONAS,
    statements: int = STATEMENTS,
    pairs: int = PAIRS,
    seed: int = 0,
) -> ConceptCheck:
    """Whether a concept is fit to be studied on a model, in a few seconds for a small one.

    Args:
        concept: a concept, a built-in one's name, or a concept's file.
        model: one that reads plain English; with None the texts alone are checked.
        personas, statements, pairs: at most so many personas of a pole, pairs of statements and pairs of prompts are
            looked at.
        seed: of the pairs, and of the intervals.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there is no such concept, its file has a mistake, or the model is the embedded one, which knows
            its own words alone.
    """
    found = concept_of(concept)
    if model is not None and is_embedded(model):
        raise ValueError(
            f"A concept is checked on a model that reads plain English, but {model.name} knows the words of its own "
            "Big Five alone. Give another, e.g. --model smollm2."
        )
    balance = None
    if model is not None and found.personas:
        balance = Contrast.builtin(found, n=pairs, seed=seed).balance(model, seed=seed)
    shifts = pd.DataFrame()
    if model is not None and found.personas and found.statements:
        shifts = _shifts(found, model, personas, statements, seed)
    return ConceptCheck(
        found,
        "" if model is None else model.name,
        counts_of(found),
        balance,
        shifts,
        remarks_on(found, balance),
        lacks_of(found),
    )


def _shifts(concept: Concept, model: Model, personas: int, statements: int, seed: int) -> pd.DataFrame:
    asked = at_most(read_statements("builtin", concept), statements)
    of_style = concept.personas[0]
    scores = {
        "high": _scores(model, asked, _evenly(of_style.high.part(), personas)),
        "none": _scores(model, asked, [None]),
        "low": _scores(model, asked, _evenly(of_style.low.part(), personas)),
    }
    rows = []
    for name, above, below in (("both", "high", "low"), ("high", "high", "none"), ("low", "none", "low")):
        shift = (scores[above] - scores[below]).to_numpy(float)
        if not np.isfinite(shift).all():
            raise ValueError(
                f"{model.name} gives no finite likelihood to statements of {concept.name}. Load it in float32."
            )
        each: Interval = bootstrap_mean(shift, clusters=scores[above].index.to_numpy(), seed=seed)
        rows.append({"personas": name, "shift": each.estimate, "low_end": each.low, "high_end": each.high, "n": each.n})
    return pd.DataFrame(rows)


def _scores(model: Model, asked: Sequence[TraitStatement], systems: Sequence[str | None]) -> pd.Series:
    """By pair of statements, high minus low in nats per token, the mean over system prompts."""
    frames = [high_minus_low(statement_scores(model, asked, system=system)) for system in systems]
    return pd.concat(frames).groupby("pair")["score"].mean()


def _evenly(texts: Sequence[str], most: int) -> list[str]:
    count = min(most, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]


def _said(row: dict) -> str:
    ends = "" if math.isnan(row["low_end"]) else f" [{row['low_end']:+.2f}, {row['high_end']:+.2f}]"
    return f"{row['shift']:+.2f}{ends}"
