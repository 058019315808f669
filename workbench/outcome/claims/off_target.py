"""Whether an edit leaves the other traits alone."""

import numpy as np
import pandas as pd

from workbench.measure.paired import holm
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Number, Numbers, Verdict
from workbench.outcome.results import Results

SHARE_LEFT_ALONE = 0.5
"""A trait that moves, either way, by less than this share of what the edited trait moves is left alone."""
LEVEL = 0.05
_QUANTILE = 1.959964


def leaves_others(results: Results, trait: str) -> tuple[Verdict, Numbers] | None:
    """Supported where the others together surely move, in root mean square and whichever way, by less than half of the
    edited one; refuted where one of them surely moves by more than that (Holm over the pairs of edited and measured
    trait). Undecided where the edited one does not surely move.
    """
    if "specificity" not in results.tables:
        return None
    rows = results.tables["specificity"]
    rows = rows[rows["arm"] == results.method]
    rows = rows if trait == ALL else rows[rows["edited"] == trait]
    own, others = rows[rows["edited"] == rows["measured"]], rows[rows["edited"] != rows["measured"]]
    if own.empty or others.empty:
        return None
    shift, error = _mean(own)
    apart = {side: _p_beyond(others, sign * SHARE_LEFT_ALONE, shift, error) for side, sign in (("+", 1), ("-", -1))}
    moved = holm(np.minimum(1.0, 2 * np.minimum(apart["+"], apart["-"]))) < LEVEL
    p_within = _p_within(others, SHARE_LEFT_ALONE * (shift - error))
    verdict: Verdict = "undecided"
    if shift - _QUANTILE * error > 0:
        verdict = "refuted" if moved.any() else "supported" if p_within < LEVEL else "undecided"
    largest = others.iloc[int(others["shift"].abs().argmax())]
    way = str(largest["direction"]).removesuffix("e")
    across, across_error = _mean(others)
    noise = float((_errors(others) ** 2).mean() ** 0.5)
    beyond = max(0.0, float((others["shift"] ** 2).mean()) - noise**2) ** 0.5
    return verdict, {
        "gamma": Number(results.gamma),
        "edited": _number(shift, error),
        "others": _number(across, across_error),
        "noise": Number(noise, "points"),
        "beyond_noise": Number(beyond, "points"),
        "moved": Number(int(moved.sum()), "pairs", n=len(others)),
        "within": Number(SHARE_LEFT_ALONE * shift, "points", p=p_within),
        "coverage": Number(100 * float(others["coverage_change"].mean()), "percentage points"),
        "largest": Number(
            float(largest["shift"]),
            "points",
            float(largest["low"]),
            float(largest["high"]),
            of=f"{largest['measured']} where {largest['edited']} is {way}ed",
        ),
    }


def tell_others(numbers: Numbers, verdict: Verdict) -> str:
    """How far the edited trait and the others move, what noise alone would show, and which moves most."""
    largest, moved, within = (numbers[name] for name in ("largest", "moved", "within"))
    return (
        f"At gamma {numbers['gamma'].value:g} the edited trait moves {numbers['edited'].text()} points, the others "
        f"{numbers['others'].text()} on average (positive: the same way). Noise alone makes single pairs differ by "
        f"{numbers['noise'].value:.2f}; beyond it they move by {numbers['beyond_noise'].value:.2f} (root mean square; "
        f"below {within.value:.2f}, half of the edited trait's shift, with p = {within.p:.2g}). Of {moved.n} pairs of "
        f"edited and measured trait {moved.value:.0f} surely go beyond that half. The largest change is "
        f"{largest.text()}, of {largest.of}. The share of their answers with a score changes by "
        f"{numbers['coverage'].value:+.1f} percentage points; an answer without one has not moved."
    )


def _errors(rows: pd.DataFrame) -> np.ndarray:
    """Each pair's standard error, from its bootstrap interval, which is too narrow by a factor for few questions."""
    few = np.sqrt(rows["n"] / np.maximum(rows["n"] - 1, 1))
    return ((rows["high"] - rows["low"]) / (2 * _QUANTILE) * few).to_numpy(float)


def _mean(rows: pd.DataFrame) -> tuple[float, float]:
    """The mean shift over pairs, whose questions differ, and its standard error."""
    return float(rows["shift"].mean()), float((_errors(rows) ** 2).sum() ** 0.5 / len(rows))


def _p_beyond(others: pd.DataFrame, share: float, shift: float, error: float) -> np.ndarray:
    """One-sided p-values of whether a pair moves beyond a share of the edited trait's shift, on the share's side."""
    from scipy import stats  # brings much with it

    distance = np.sign(share) * (others["shift"].to_numpy(float) - share * shift)
    spread = np.hypot(_errors(others), share * error)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, distance / spread, np.sign(distance) * np.inf)
    return stats.t.sf(np.nan_to_num(z, nan=0.0, posinf=np.inf, neginf=-np.inf), np.maximum(others["n"] - 1, 1))


def _p_within(others: pd.DataFrame, margin: float) -> float:
    """The p-value of a root mean square as small as the others', were the true one as large as the margin.

    The sum of squared shifts is compared with what noise and the margin together would make it, by its normal
    approximation, which is on the safe side for sums that are too small. What moves is taken to be the pair that is
    known worst, and the variance is doubled, as pairs share the unedited answers.
    """
    from scipy import stats  # brings much with it

    noise = _errors(others) ** 2
    if margin <= 0 or not (noise > 0).any():
        return 1.0
    tolerated = len(others) * margin**2
    beyond = float((others["shift"] ** 2).sum() - noise.sum()) - tolerated
    variance = 2 * float((2 * noise**2).sum() + 4 * tolerated * noise.max())
    return float(stats.norm.cdf(beyond / variance**0.5))


def _number(value: float, error: float) -> Number:
    return Number(value, "points", value - _QUANTILE * error, value + _QUANTILE * error)
