"""The paper's numbers beside ours, each with an interval, and whether the paper's lies within it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from workbench.arm.spec import ONCE, UNEDITED
from workbench.export.npti import read_npti_folder
from workbench.measure.paired import bootstrap_mean, paired_change
from workbench.replicate.protocol import Published
from workbench.study.study import Study
from workbench.study.sweeping import swept_name

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
INSIDE, OUTSIDE = "inside", "outside"
NOT_RUN, NO_INTERVAL = "not run", "no interval"
COLUMNS = (
    *("id", "step", "quantity", "arm", "gamma", "direction", "paper", "ours", "low", "high", "n"),
    *("verdict", "why", "where"),
)


class NotMeasured(Exception):
    """A number of the paper has no counterpart in what ran; says why."""


@dataclass(frozen=True)
class Ours:
    """What came out: the estimate, its 95 % interval, and over how many rows."""

    estimate: float
    low: float
    high: float
    n: int
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """A number of the paper and ours.

    Attributes:
        verdict: of the paper's model and protocol `reproduced` where the paper's number lies within our interval, else
            `not reproduced`; of another model or a small run, which can do neither, `inside` or `outside`; `not run`
            with the reason in `why`; `no interval` where there are too few rows for one.
        where: where the paper's number stands.
    """

    id: str
    step: str
    quantity: str
    arm: str
    gamma: float | None
    direction: str
    paper: float
    ours: float
    low: float
    high: float
    n: int
    verdict: str
    why: str
    where: str

    @classmethod
    def of(cls, number: Published, measure: Callable[[], Ours], *, faithful: bool) -> "Comparison":
        """A number compared with what `measure` gives.

        Args:
            faithful: whether what ran is the paper's protocol on the paper's model.
        """
        try:
            ours = measure()
        except NotMeasured as reason:
            ours, verdict = Ours(math.nan, math.nan, math.nan, 0, str(reason)), NOT_RUN
        else:
            verdict = _verdict(number.value, ours, faithful)
        labels = number.model_dump(include={"id", "step", "quantity", "arm", "gamma", "direction", "where"})
        return cls(paper=number.value, ours=ours.estimate, low=ours.low, high=ours.high, n=ours.n, verdict=verdict,
                   why=ours.why, **labels)  # fmt: skip


def _verdict(paper: float, ours: Ours, faithful: bool) -> str:
    if not ours.low < ours.high:  # rows that are all alike show no spread, and a single one has none
        return NO_INTERVAL
    within = ours.low <= paper <= ours.high
    words = (REPRODUCED, NOT_REPRODUCED) if faithful else (INSIDE, OUTSIDE)
    return words[0] if within else words[1]


def table_of(comparisons: list[Comparison]) -> pd.DataFrame:
    """A row for each comparison; `COLUMNS`."""
    return pd.DataFrame([asdict(each) for each in comparisons], columns=list(COLUMNS))


def measured_in(study: Study, number: Published, tried: Sequence[float] | None = None) -> Ours:
    """What a study measured of a number.

    Args:
        tried: the doses among which the best is taken where the number says none; by default all that ran.

    Raises:
        NotMeasured: if it did not.
    """
    if number.arm not in set(study.tables["arms"]["arm"]):
        raise NotMeasured(study.left_out.get(number.arm) or f"no arm {number.arm!r} ran")
    if number.quantity == "trait of 10":
        return _of_ten(study, number, "score", True, tried)
    return _MEASURES[number.quantity](study, number)


def counted_in(folder: Path, pole: str) -> Ours:
    """The mean number of neurons of a pole in NPTI's published sets, over the traits that are there."""
    counts = [len(neurons) for (_, of), neurons in read_npti_folder(folder).items() if of == pole]
    if not counts:
        raise NotMeasured(f"{folder.name} has no sets of the {pole} pole")
    return _over_traits(counts)


def _of_ten(study: Study, number: Published, column: str, trait: bool, allowed: Sequence[float] | None = None) -> Ours:
    """Both directions' mean ratings together, out of 10, question by question.

    Under decrease a trait rating counts as six minus it. A question without both ratings is left out.
    """
    if number.quantile is not None and number.quantile != study.config.quantile:
        return _swept(study, number, trait)
    rows = study.tables["answers"]
    rows = rows[rows["arm"] == number.arm]
    doses = sorted(set(rows["gamma"]))
    if number.gamma is not None and number.gamma not in doses:
        raise NotMeasured(f"{number.arm} ran at {_listed(doses)}, not at {number.gamma:g}")
    tried = [number.gamma] if number.gamma is not None else [dose for dose in doses if dose in (allowed or doses)]
    if not tried:
        raise NotMeasured(f"{number.arm} ran at {_listed(doses)}, none of which is published")
    results = [_both_ways(study, rows[rows["gamma"] == dose], column, trait) for dose in tried]
    best = max(range(len(tried)), key=lambda index: results[index].estimate)
    if len(tried) == 1:
        return results[best]
    why = f"the best of doses {_listed(tried)}, at {tried[best]:g}, chosen on the same questions: too high if anything"
    return replace(results[best], why=why)


def _both_ways(study: Study, rows: pd.DataFrame, column: str, trait: bool) -> Ours:
    rating = rows[column] if trait else 1 + 4 * rows[column]
    ways = rows.assign(rating=rating).pivot_table(
        index=["trait", "question"], columns="direction", values="rating", dropna=False
    )
    lacking = [way for way in ("increase", "decrease") if way not in ways or ways[way].isna().all()]
    if lacking:
        raise NotMeasured(f"no answer under {lacking[0]} has a rating")
    down = ways["decrease"]
    sums = (ways["increase"] + ((6 - down) if trait else down)).dropna()
    if sums.empty:
        raise NotMeasured("no question has a rating in both directions")
    keys = [f"{trait}|{question}" for trait, question in sums.index]
    mean = bootstrap_mean(sums.to_numpy(), clusters=keys, resamples=study.config.resamples)
    return Ours(mean.estimate, mean.low, mean.high, mean.n)


def _swept(study: Study, number: Published, trait: bool) -> Ours:
    """The same at another quantile, from the sweep's means: both ways together are twice the mean of either."""
    sweep = study.tables.get("quantile_sweep")
    if sweep is None or number.quantile not in set(sweep["quantile"]):
        raise NotMeasured(f"{swept_name(number.arm, number.quantile or 0)} was not run")
    if number.gamma is not None and number.gamma != study.gamma:
        raise NotMeasured(f"other quantiles run at the chosen dose, {study.gamma:g}, not at {number.gamma:g}")
    here = sweep[(sweep["quantile"] == number.quantile) & (sweep["arm"] == number.arm) & (sweep["trait"] == "all")]
    if here.empty:
        raise NotMeasured(f"{number.arm} was not run at quantile {number.quantile:g}")
    name, scale, start = ("shift", 2.0, 6.0) if trait else ("wellformed", 8.0, 2.0)
    at, low, high = (start + scale * float(here[column].iloc[0]) for column in (name, f"{name}_low", f"{name}_high"))
    n = int((study.tables["answers"]["arm"] == number.arm).sum())
    return Ours(at, low, high, n)


def _change(study: Study, number: Published, table: str, column: str) -> Ours:
    """The change against the unedited model in one direction, in percentage points, item by item."""
    frame = study.tables[table]
    base = frame[frame["arm"] == UNEDITED].drop_duplicates(["trait", "item"])[["trait", "item", column]]
    rows = frame[(frame["arm"] == number.arm) & (frame["gamma"] == (ONCE if number.gamma is None else number.gamma))]
    if number.direction != "both":
        rows = rows[rows["direction"] == number.direction]
    if rows.empty:
        doses = sorted(set(frame.loc[frame["arm"] == number.arm, "gamma"]))
        raise NotMeasured(f"{number.arm} ran at {_listed(doses)}, not at {number.gamma}")
    both = rows.merge(base.rename(columns={column: "before"}), on=["trait", "item"], validate="many_to_one")
    change = paired_change(
        both["before"].astype(float),
        both[column].astype(float),
        clusters=both["item"],
        resamples=study.config.resamples,
    )
    return Ours(100 * change.estimate, 100 * change.low, 100 * change.high, change.n)


def _neurons(study: Study, pole: str) -> Ours:
    counts = study.tables["counts"]
    return _over_traits(counts[counts["pole"] == pole].groupby("trait")["neurons"].sum().tolist())


def _over_traits(counts: Sequence[int]) -> Ours:
    """The mean over traits with Student's interval; no interval of a single trait."""
    mean, n = float(np.mean(counts)), len(counts)
    if n < 2:
        return Ours(mean, math.nan, math.nan, n, "one trait alone has no interval")
    half = float(stdtrit(n - 1, 0.975) * np.std(counts, ddof=1) / math.sqrt(n))
    return Ours(mean, mean - half, mean + half, n, f"over {n} traits")


def _listed(doses: Sequence[float]) -> str:
    return ", ".join(f"{dose:g}" for dose in doses)


_MEASURES: dict[str, Callable[[Study, Published], Ours]] = {
    "trait of 10": lambda study, number: _of_ten(study, number, "score", True),
    "fluency of 10": lambda study, number: _of_ten(study, number, "wellformed", False),
    "gsm8k change": lambda study, number: _change(study, number, "gsm8k", "correct"),
    "hotpotqa change": lambda study, number: _change(study, number, "hotpotqa", "score"),
    "triviaqa change": lambda study, number: _change(study, number, "triviaqa", "score"),
    "neurons high": lambda study, number: _neurons(study, "high"),
    "neurons low": lambda study, number: _neurons(study, "low"),
}
"""How each quantity of a protocol is read from a study."""
QUANTITIES: tuple[str, ...] = (*_MEASURES, "published neurons high", "published neurons low", "share matching")
