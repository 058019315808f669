"""Agreement of two judges on the same answers, with intervals clustered by question."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from workbench.measure.curves import resampling_weights, summary
from workbench.score.judge.judging import QUANTITIES
from workbench.score.judge.rubric import LEVELS

MEASURES = ("weighted_kappa", "krippendorff_alpha", "spearman", "difference")


def judge_agreement(
    frame: pd.DataFrame, first: str, second: str, *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """The agreement of two judges on the same answers.

    Each distinct pair of question and answer counts once, however many rows share it, and only if both judges rated
    it. Intervals resample whole questions.

    Args:
        frame: as `judge_answers` returns it, with both judges' columns.
        first, second: the judges' names.

    Returns:
        A row for each quantity (`score`, `fluency`) and measure: `weighted_kappa` (Cohen's, quadratic weights, ratings
        rounded to whole levels), `krippendorff_alpha` (interval metric), `spearman` (rank correlation) and
        `difference` (second minus first, points); estimate, low, high (95 %, percentile bootstrap by question), n
        (answers that both rated), questions, answers (distinct ones), first_missing and second_missing (answers that
        the judge did not rate). A measure is missing where it is not defined, e.g. where a judge rates all answers
        equally.

    Raises:
        ValueError: if a judge's columns are missing.

    Reference:
        Cohen (1968); Krippendorff (2011), Computing Krippendorff's alpha-reliability.
    """
    names = {f"{judge}_{quantity}" for judge in (first, second) for quantity in QUANTITIES}
    missing = sorted({"question", "answer", *names} - set(frame.columns))
    if missing:
        raise ValueError(f"judge_agreement needs both judges' columns; missing {missing}. Judge the answers first.")
    trait = [name for name in ("measured", "trait") if name in frame.columns][:1]
    table = []
    for quantity in QUANTITIES:
        keys = ["question", "answer", *(trait if quantity == "score" else [])]
        distinct = frame.drop_duplicates(keys)
        a, b = (distinct[f"{judge}_{quantity}"].to_numpy(float) for judge in (first, second))
        both = ~np.isnan(a) & ~np.isnan(b)
        counts = {
            "n": int(both.sum()),
            "questions": int(distinct.loc[both, "question"].nunique()),
            "answers": len(distinct),
            "first_missing": int(np.isnan(a).sum()),
            "second_missing": int(np.isnan(b).sum()),
        }
        values = _resampled(a[both], b[both], distinct.loc[both, "question"], resamples, seed)
        for measure in MEASURES:
            summarised = summary("estimate", values[measure]) if both.any() else dict.fromkeys(_SUMMARY, np.nan)
            interval = dict(zip(("estimate", "low", "high"), (summarised[name] for name in _SUMMARY), strict=True))
            labels = {"quantity": quantity, "first": first, "second": second, "measure": measure}
            table.append(labels | interval | counts)
    return pd.DataFrame(table)


_SUMMARY = ("estimate", "estimate_low", "estimate_high")


def krippendorff_alpha(ratings: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Krippendorff's alpha with the interval metric: 1 minus observed over expected squared disagreement.

    Args:
        ratings: `(answer, judge)` ratings, nan where there is none. An answer with fewer than two ratings is left out.
        weights: how often each answer counts; once by default.

    Returns:
        1 where judges always agree, 0 where they agree as often as by chance, below 0 where they agree less often;
        nan where all ratings are equal or no answer has two.

    Reference:
        Krippendorff (2011), Computing Krippendorff's alpha-reliability, section D.

    Example:
        >>> krippendorff_alpha([[1, 1], [3, 3], [5, 5]])
        1.0
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"alpha needs a row for each answer and a column for each judge, but got shape {table.shape}.")
    times = np.ones(len(table)) if weights is None else np.asarray(weights, dtype=np.float64)
    rated = (~np.isnan(table)).sum(axis=1)
    table, times, rated = table[rated > 1], times[rated > 1], rated[rated > 1]
    n = float((times * rated).sum())
    if n < 2:
        return float("nan")
    centred = table - np.nanmean(table)  # a shift does not change alpha, and keeps the sums exact
    total, squares = np.nansum(centred, axis=1), np.nansum(centred**2, axis=1)
    observed = (times * 2 * (rated * squares - total**2) / (rated - 1)).sum() / n
    expected = 2 * (n * (times * squares).sum() - (times * total).sum() ** 2) / (n * (n - 1))
    return float(1 - observed / expected) if expected > 1e-12 else float("nan")


def _kappa(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    """Weighted kappa; ratings that are no whole levels are rounded to the nearest, halves upwards."""
    levels = [np.floor(each + 0.5).astype(int) for each in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample may hold one rating only
        return float(cohen_kappa_score(*levels, labels=list(LEVELS), weights="quadratic", sample_weight=weights))


def _spearman(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    times = weights.astype(int)
    x, y = np.repeat(a, times), np.repeat(b, times)
    if len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return float("nan")
    return float(spearmanr(x, y)[0])  # type: ignore[arg-type]


def _alpha(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    return krippendorff_alpha(np.column_stack([a, b]), weights)


def _difference(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    return float((weights * (b - a)).sum() / weights.sum()) if weights.sum() else float("nan")


_MEASURED: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "weighted_kappa": _kappa,
    "krippendorff_alpha": _alpha,
    "spearman": _spearman,
    "difference": _difference,
}


def _resampled(a: np.ndarray, b: np.ndarray, questions: pd.Series, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """For each measure, its value in the sample, then in each resample of whole questions."""
    codes, names = pd.factorize(questions)
    weights = resampling_weights(np.random.default_rng(seed), max(1, len(names)), resamples)
    if len(names) < 2:  # a single question has nothing to resample
        weights = np.vstack([weights[:1], np.full((resamples, weights.shape[1]), 0.0)])
    by_answer = weights[:, codes]
    return {
        name: np.array([measure(a, b, times) if times.sum() else np.nan for times in by_answer])
        for name, measure in _MEASURED.items()
    }
