"""Claims, what the data say of them, and the numbers behind that, as values; sentences are made from these last."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from workbench.measure.summarising import ALL
from workbench.outcome.results import Results

Verdict = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Number:
    """A number behind a verdict.

    Attributes:
        value: the estimate or count.
        unit: what it is counted in, e.g. `points`, `percentage points`, `neurons`.
        low, high: its 95 % interval, where it has one.
        p: the p-value of its test, where there is one.
        n: how many rows it rests on, where that is known.
        of: what it is a number of, where its name does not tell, e.g. a control's.
    """

    value: float | int
    unit: str = ""
    low: float | None = None
    high: float | None = None
    p: float | None = None
    n: int | None = None
    of: str = ""

    def scaled(self, factor: float | int, unit: str) -> "Number":
        """In another unit: the value and its interval multiplied."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return replace(self, value=self.value * factor, low=low, high=high, unit=unit)

    def text(self, digits: int = 2) -> str:
        """The value with its sign, and its interval in brackets.

        Example:
            >>> Number(0.345, "points", 0.2, 0.49).text()
            '+0.34 [+0.20, +0.49]'
        """
        value = f"{self.value:+.{digits}f}"
        if self.low is None or self.high is None:
            return value
        return f"{value} [{self.low:+.{digits}f}, {self.high:+.{digits}f}]"


Numbers = Mapping[str, Number]


@dataclass(frozen=True)
class Finding:
    """A claim, whether the data support it, and the numbers that say so.

    Attributes:
        id: its name, which no wording changes, e.g. `moves:trait_score` or `costs-less:broad`.
        claim: what is claimed.
        verdict: what the data say.
        numbers: the numbers behind the verdict, by name.
        evidence: names of the tables and figures that show them.
        trait: for which trait; `all` for all together.
        sentence: the numbers as a reader is told them.
    """

    id: str
    claim: str
    verdict: Verdict
    numbers: Numbers
    evidence: tuple[str, ...]
    trait: str = ALL
    sentence: str = ""

    def entry(self) -> dict[str, Any]:
        """As a manifest keeps it."""
        return asdict(self)

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> "Finding":
        """What `entry` made."""
        numbers = {name: Number(**number) for name, number in entry["numbers"].items()}
        return cls(**{**entry, "numbers": numbers, "evidence": tuple(entry["evidence"])})


@dataclass(frozen=True)
class Claim:
    """What a study can judge.

    Attributes:
        id: see `Finding`.
        text: what is claimed.
        judge: the verdict and its numbers, from the study's results, for a trait or for all; None where the study
            has nothing to judge it by.
        tell: a sentence from the numbers and the verdict.
        evidence: names of the tables and figures that show it; those that a study lacks are left out by readers.
        by_trait: whether it is judged for each trait too.
        rests_on: the quantity of the trait that it is judged by; what that quantity's outcome says against judging a
            trait by it holds for the claim.
        of_method: whether it is about the arm under test, so that nothing can be said where that selects no neuron.
    """

    id: str
    text: str
    judge: Callable[[Results, str], tuple[Verdict, Numbers] | None]
    tell: Callable[[Numbers, Verdict], str]
    evidence: tuple[str, ...] = field(default=())
    by_trait: bool = True
    rests_on: str = ""
    of_method: bool = True

    def finding(self, results: Results, trait: str) -> Finding | None:
        """The claim judged; None where there is nothing to judge it by."""
        judged = self.judge(results, trait)
        if judged is None:
            return None
        verdict, numbers = judged
        return Finding(self.id, self.text, verdict, numbers, self.evidence, trait, self.tell(numbers, verdict))
