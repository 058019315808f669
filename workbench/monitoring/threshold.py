"""A threshold on texts' projections, chosen on one part of labelled texts and judged on the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from workbench.measure.bootstrap import Interval
from workbench.measure.detection import detection_area
from workbench.measure.paired import wilson
from workbench.monitoring.monitoring import Monitoring

_LEAST = 4  # texts of each kind: two choose, two judge


@dataclass(frozen=True)
class Threshold:
    """A text whose mean projection is at least `value` is flagged as high.

    The rates and the area are of texts that had no part in choosing `value`.

    Attributes:
        trait: the trait.
        value: in the unit of projections.
        part: whose tokens count; None as in `Monitoring.scores`.
        false_positive: share of low texts that are flagged.
        false_negative: share of high texts that are not.
        area: the probability that a high text scores higher than a low one.
        chosen_on: texts that chose it, high and low.
        probe: the digest of what was read.
    """

    trait: str
    value: float
    part: str | None
    false_positive: Interval
    false_negative: Interval
    area: Interval
    chosen_on: tuple[int, int]
    probe: str

    def flags(self, watched: Monitoring) -> Bool[np.ndarray, " text"]:
        """Which texts are flagged.

        Raises:
            ValueError: if they were read along another edit, or with other draws.
        """
        if watched.reference.probe != self.probe:
            raise ValueError(
                f"The threshold is of another edit, or of other draws, than {watched!r}. Choose it with the same ones."
            )
        return watched.scores(self.part) >= self.value

    def frame(self) -> pd.DataFrame:
        """Columns quantity, estimate, low, high, n: the two error rates and the area, a row each."""
        named = {
            "false positives": self.false_positive,
            "false negatives": self.false_negative,
            "area under the curve": self.area,
        }
        rows = [(name, each.estimate, each.low, each.high, each.n) for name, each in named.items()]
        return pd.DataFrame(rows, columns=["quantity", "estimate", "low", "high", "n"])

    def __repr__(self) -> str:
        said = ", ".join(
            f"{name} {each.estimate:.0%} [{each.low:.0%}, {each.high:.0%}]"
            for name, each in (("false positives", self.false_positive), ("false negatives", self.false_negative))
        )
        area = f"area {self.area.estimate:.2f} [{self.area.low:.2f}, {self.area.high:.2f}]"
        return f"Threshold({self.trait} at {self.value:+.3f}: {said}, {area}, on {self.area.n} held-out texts)"


def choose_threshold(
    high: Monitoring,
    low: Monitoring,
    *,
    part: str | None = None,
    groups: tuple[Sequence[str], Sequence[str]] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Threshold:
    """The threshold that tells high from low (or neutral) texts best, and its error rates on texts held out from it.

    Half of the groups choose it: the one with the least sum of both error rates, the middle one of several. The other
    half judges it.

    Args:
        high, low: texts of both kinds, read with one reference.
        part: whose tokens count; see `Monitoring.scores`.
        groups: a label for each high and each low text; texts with one label, such as answers to one question, stay
            together, and count as one. By default the i-th text of each kind are a group, if there are as many of both.
        seed: seeds the division.

    Raises:
        ValueError: if the two were read otherwise, or there are fewer than 4 groups of a kind.
    """
    if high.reference.probe != low.reference.probe or not np.array_equal(high.reference.centre, low.reference.centre):
        raise ValueError("Both kinds of texts need one reference, but they have two. Pass reference=high.reference.")
    scores = high.scores(part), low.scores(part)
    labels = _labels(groups, len(scores[0]), len(scores[1]))
    choosing = _half(labels, seed)
    chosen, judged = [], []
    for values, names in zip(scores, labels, strict=True):
        mine = np.array([name in choosing for name in names])
        chosen.append(values[mine])
        judged.append((values[~mine], len({name for name in names if name not in choosing})))
    value = _least_wrong(*chosen)
    (above, units), (below, others) = judged
    return Threshold(
        trait=high.trait,
        value=value,
        part=part,
        false_positive=wilson(float((below >= value).mean()) * others, others, level=level),
        false_negative=wilson(float((above < value).mean()) * units, units, level=level),
        area=detection_area(above, below, units=(units, others), level=level),
        chosen_on=(len(chosen[0]), len(chosen[1])),
        probe=high.reference.probe,
    )


def _labels(groups: tuple[Sequence[str], Sequence[str]] | None, n: int, m: int) -> tuple[list[str], list[str]]:
    if groups is None:
        paired = n == m
        return [f"{i}" if paired else f"high {i}" for i in range(n)], [
            f"{i}" if paired else f"low {i}" for i in range(m)
        ]
    first, second = (list(map(str, each)) for each in groups)
    if (len(first), len(second)) != (n, m):
        raise ValueError(
            f"Each text needs its group, but {len(first)} and {len(second)} arrived for {n} and {m} texts."
        )
    return first, second


def _half(labels: tuple[list[str], list[str]], seed: int) -> set[str]:
    """The groups that choose: half of those that both kinds have, and of those that one has alone."""
    first, second = (list(dict.fromkeys(each)) for each in labels)
    for kind, names in (("high", first), ("low", second)):
        if len(names) < _LEAST:
            raise ValueError(
                f"A threshold needs {_LEAST} {kind} texts of different groups, half to choose and half to judge it, "
                f"but {len(names)} arrived."
            )
    generator = np.random.default_rng(seed)
    both = [name for name in first if name in second]
    strata = [both, [n for n in first if n not in both], [n for n in second if n not in both]]
    chosen: set[str] = set()
    for names in strata:
        order = generator.permutation(len(names))
        chosen |= {names[i] for i in order[: (len(names) + 1) // 2]}
    for kind, names in (("high", first), ("low", second)):
        if not set(names) - chosen or not set(names) & chosen:
            raise ValueError(f"The {kind} texts' groups leave none to judge the threshold. Give other groups.")
    return chosen


def _least_wrong(high: Float64[np.ndarray, " _n"], low: Float64[np.ndarray, " _m"]) -> float:
    """The threshold with the least sum of both error rates; the middle one where several have it."""
    points = np.unique(np.concatenate([high, low]))
    reach = max(float(points[-1] - points[0]), 1e-6)
    between = np.concatenate([[points[0] - reach], (points[1:] + points[:-1]) / 2, [points[-1] + reach]])
    wrong = np.array([(low >= at).mean() + (high < at).mean() for at in between])
    best = between[wrong <= wrong.min() + 1e-12]
    return float(best[len(best) // 2])
