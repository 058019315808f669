"""Outcomes as curves over doses, with the resamples that give their intervals."""

import numpy as np
import pandas as pd

from workbench.vocabulary import SIGN


def with_base(answers: pd.DataFrame) -> pd.DataFrame:
    """Edited answers beside the unedited answer to the same question under the same random draws.

    Returns:
        The edited rows with `base_score`, `base_wellformed` and `shift`: by how much the score moved in the
        intended direction, in points of the 1 to 5 scale; missing where either answer has no score.
    """
    base = answers.loc[answers["arm"] == "none", ["trait", "question", "score", "wellformed"]]
    base = base.rename(columns={"score": "base_score", "wellformed": "base_wellformed"})
    rows = answers[answers["arm"] != "none"].merge(base, on=["trait", "question"], validate="many_to_one")
    return rows.assign(shift=rows["direction"].map(SIGN) * (rows["score"] - rows["base_score"]))


def items_with_base(capability: pd.DataFrame) -> pd.DataFrame:
    """Edited capability outcomes beside the unedited outcome on the same item.

    Unedited items may be of a direction, which has items of its own in a study, or of none, and then stand for both.
    """
    unedited = capability[capability["arm"] == "none"]
    names = ["trait", "direction", "task", "item"]
    if set(unedited["direction"]) == {"none"}:
        names.remove("direction")
    base = unedited[[*names, "correct"]].rename(columns={"correct": "base_correct"})
    return capability[capability["arm"] != "none"].merge(base, on=names, validate="many_to_one")


def outcome_curves(
    answers: pd.DataFrame, capability: pd.DataFrame, *, resamples: int, seed: int = 0
) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Every arm's doses, from 0 up, and its outcomes there.

    Returns:
        by arm the doses and, for each of `shift` (points in the intended direction), `wellformed` and `capability`
        (edited minus unedited), `(1 + resamples, doses)` means: the sample's, then those of resamples of questions
        and of items, the same ones for every arm.
    """
    questions = with_base(answers)
    questions = questions.assign(
        wellformed_change=questions["wellformed"] - questions["base_wellformed"],
        cluster=questions["trait"] + "|" + questions["question"],
    )
    items = items_with_base(capability)
    items = items.assign(
        change=items["correct"].astype(float) - items["base_correct"].astype(float),
        cluster=items["trait"] + "|" + items["direction"] + "|" + items["item"],
    )
    generator = np.random.default_rng(seed)
    by_question, by_item = (np.asarray(frame["cluster"].unique()) for frame in (questions, items))
    question_weights = resampling_weights(generator, len(by_question), resamples)
    item_weights = resampling_weights(generator, len(by_item), resamples)
    curves = {}
    for arm, part in questions.groupby("arm", sort=False):
        own = items[items["arm"] == arm]
        gammas = np.sort(part["gamma"].unique())
        curves[str(arm)] = (
            np.concatenate([[0.0], gammas]),
            {
                "shift": dose_curve(part, "shift", gammas, by_question, question_weights),
                "wellformed": dose_curve(part, "wellformed_change", gammas, by_question, question_weights),
                "capability": dose_curve(own, "change", gammas, by_item, item_weights),
            },
        )
    return curves


def resampling_weights(generator: np.random.Generator, clusters: int, resamples: int) -> np.ndarray:
    """`(1 + resamples, clusters)`: how often each cluster is drawn; the first row is the sample itself."""
    drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return np.vstack([np.ones(clusters), drawn])


def dose_curve(
    rows: pd.DataFrame, column: str, gammas: np.ndarray, clusters: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """`(1 + resamples, 1 + gammas)` means of a column by dose, 0 at dose 0; missing values are left out."""
    known = rows.dropna(subset=[column])
    cluster = pd.Categorical(known["cluster"], categories=clusters).codes
    place = (cluster, np.searchsorted(gammas, known["gamma"]))
    sums, counts = np.zeros((len(clusters), len(gammas))), np.zeros((len(clusters), len(gammas)))
    np.add.at(sums, place, known[column].to_numpy(float))
    np.add.at(counts, place, 1.0)
    means = (weights @ sums) / np.maximum(weights @ counts, 1e-12)
    return np.hstack([np.zeros((len(weights), 1)), means])


def first_reaching(doses: np.ndarray, shifts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least dose at which each row's shift, straight between doses, reaches its target; nan if none does."""
    needed = np.full(len(target), np.nan)
    for i, (row, goal) in enumerate(zip(shifts, target, strict=True)):
        reaching = np.flatnonzero(row >= goal)
        if len(reaching):
            j = int(reaching[0])
            if j == 0:
                needed[i] = doses[0]
            else:
                share = (goal - row[j - 1]) / (row[j] - row[j - 1])
                needed[i] = doses[j - 1] + share * (doses[j] - doses[j - 1])
    return needed


def summary(name: str, values: np.ndarray) -> dict[str, float]:
    """The sample's own value and the 95 % percentile interval of the resamples, where most of them have one."""
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or len(resampled) < 0.5 * (len(values) - 1):
        return {name: float(values[0]), f"{name}_low": np.nan, f"{name}_high": np.nan}
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def two_sided(values: np.ndarray) -> float:
    """A two-sided bootstrap p-value of 0: twice the smaller share of resamples on one side, never below 2 / (n + 1).

    The first value is the sample's own and is not counted; nan where most resamples have no value.

    Reference:
        Davison and Hinkley (1997), section 4.4 and equation 4.11.

    Example:
        >>> two_sided(np.array([1.0, 1.0, 2.0, 3.0]))
        0.5
    """
    resampled = values[1:][np.isfinite(values[1:])]
    n = len(resampled)
    if not np.isfinite(values[0]) or n < 0.5 * (len(values) - 1):
        return float("nan")
    below, above = (resampled <= 0).sum(), (resampled >= 0).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (n + 1)))
