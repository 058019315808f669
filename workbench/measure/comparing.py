"""Arms compared: item by item on capability, trait by trait for specificity, and at equal loss."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from workbench.measure.curves import dose_curve, first_reaching, outcome_curves, resampling_weights, summary, two_sided
from workbench.measure.detectable import smallest_detectable
from workbench.measure.paired import bootstrap_difference, bootstrap_mean, holm, mcnemar, non_inferiority
from workbench.measure.permutation import permutation_test
from workbench.vocabulary import SIGN

ALL = "all"


def specificity_matrix(
    answers: pd.DataFrame, *, resamples: int = 2000, permutations: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """What an edit of each trait does to every trait, in both directions.

    Args:
        answers: of one arm at one dose and of the unedited model (`arm` none), as `ask_across` returns them.

    Returns:
        A row per edited trait, measured trait and direction: trait, measured, direction, shift (points of the
        1 to 5 scale in the edit's direction: positive where the measured trait moves the way the edited one is
        meant to), low, high (95 %, bootstrap clustered by question), n (questions with both scores), asked,
        p (sign flips by question, two-sided), p_holm (over all cells). Missing where no question has both scores.

    Raises:
        ValueError: if columns, unedited answers or edited ones are missing, or several arms or doses came.
    """
    rows = _across_with_base(answers)
    found = []
    for (trait, measured, direction), cell in rows.groupby(["trait", "measured", "direction"], sort=False):
        entry: dict[str, object] = {"trait": trait, "measured": measured, "direction": direction}
        known = cell.dropna(subset=["shift"])
        entry |= {"shift": np.nan, "low": np.nan, "high": np.nan, "n": len(known), "asked": len(cell), "p": np.nan}
        if len(known):
            shift, clusters = known["shift"].to_numpy(float), known["question"].to_numpy()
            interval = bootstrap_mean(shift, clusters=clusters, resamples=resamples, seed=seed)
            test = permutation_test(
                np.zeros_like(shift), shift, clusters=clusters, permutations=permutations, seed=seed
            )
            entry |= {"shift": interval.estimate, "low": interval.low, "high": interval.high, "p": test.pvalue}
        found.append(entry)
    return _with_holm(pd.DataFrame(found), "p")


def specificity_summary(answers: pd.DataFrame, *, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """How far each edit moves its own trait more than the others.

    Returns:
        A row per edited trait and direction, and one for `all`: trait, direction, own (shift of the edited trait,
        points), others (mean size of the shift over the other traits), dominance (own minus others); each with
        `_low` and `_high` (95 %, questions resampled within the trait that they measure, the same ones for every
        edit). A mean of sizes is above 0 by noise alone, so dominance errs against the edit. Missing where no
        other trait was measured.

    Raises:
        ValueError: as `specificity_matrix`.
    """
    rows = _across_with_base(answers)
    generator = np.random.default_rng(seed)
    cells: dict[tuple[str, str, str], np.ndarray] = {}
    for measured, part in rows.groupby("measured", sort=False):
        part = part.assign(cluster=part["question"], gamma=1.0)
        questions = np.asarray(part["question"].unique())
        weights = resampling_weights(generator, len(questions), resamples)
        for (trait, direction), cell in part.groupby(["trait", "direction"], sort=False):
            means = dose_curve(cell, "shift", np.array([1.0]), questions, weights)[:, 1]
            if cell["shift"].isna().all():
                means = np.full_like(means, np.nan)
            cells[str(trait), str(direction), str(measured)] = means
    found, everything = [], []
    edits = dict.fromkeys((trait, direction) for trait, direction, _ in cells)
    for trait, direction in edits:
        nothing = np.full(1 + resamples, np.nan)
        own = cells.get((trait, direction, trait), nothing)
        sizes = [np.abs(v) for (t, d, measured), v in cells.items() if (t, d) == (trait, direction) and measured != t]
        others = np.mean(sizes, axis=0) if sizes else nothing
        everything.append((own, others))
        found.append({"trait": trait, "direction": direction} | _dominance(own, others))
    own, others = (np.mean(several, axis=0) for several in zip(*everything, strict=True))
    found.append({"trait": ALL, "direction": ALL} | _dominance(own, others))
    return pd.DataFrame(found)


def _dominance(own: np.ndarray, others: np.ndarray) -> dict[str, float]:
    return summary("own", own) | summary("others", others) | summary("dominance", own - others)


def _across_with_base(answers: pd.DataFrame) -> pd.DataFrame:
    """Edited answers with their shift in the edit's direction against the unedited answer to the same question."""
    _require("specificity", answers, ("arm", "trait", "direction", "gamma", "measured", "question", "score"))
    edited = answers[answers["arm"] != "none"]
    kinds = edited[["arm", "gamma"]].drop_duplicates()
    if len(kinds) != 1:
        raise ValueError(
            f"Specificity is read at one arm and one dose, but {len(kinds)} arrived: "
            f"{kinds.head(3).to_numpy().tolist()}. Keep one of them, and the unedited answers (arm 'none')."
        )
    # The unedited model answers the same whatever trait is about to be edited.
    base = answers.loc[answers["arm"] == "none", ["measured", "question", "score"]]
    base = base.drop_duplicates(["measured", "question"]).rename(columns={"score": "base_score"})
    rows = edited.merge(base, on=["measured", "question"], how="left", validate="many_to_one", indicator=True)
    lacking = rows.loc[rows["_merge"] == "left_only", "question"]
    if len(lacking):
        raise ValueError(
            f"{len(lacking)} answers have no unedited answer to compare with, e.g. to {lacking.iloc[0]!r}. "
            "Ask the unedited model too."
        )
    return rows.assign(shift=rows["direction"].map(SIGN) * (rows["score"] - rows["base_score"]))


def compare_arms(
    outcomes: pd.DataFrame,
    *,
    reference: str = "none",
    by: Sequence[str] = ("task", "trait"),
    margin: float = 0.05,
    power: float = 0.8,
    resamples: int = 2000,
    permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Capability of every arm and dose against a reference's, on the same items.

    Args:
        outcomes: as `answer_items` returns them.
        reference: the arm to compare with, present at one dose; the unedited model is never an arm beside it.
        by: columns within which to compare; none compares everything at once.
        margin: the loss that would be tolerated, as a share of items; fix it before looking.

    Returns:
        A row per arm, dose and group: arm, gamma, the columns of `by`, correct and reference_correct (shares),
        change (arm minus reference) with low and high (95 %, paired bootstrap clustered by item), lost and gained
        (items that the reference alone, or the arm alone, has right), mcnemar_p, permutation_p (sign flips by
        item), p_holm (permutation_p over the groups of an arm and dose), lower (one-sided 95 % bound of the
        change), margin, non_inferior, detectable (smallest loss that this many rows find with `power` at the share
        of discordant ones seen), n (rows), items.

    Raises:
        ValueError: if the reference is missing or came at several doses, or an item has no partner in it.
    """
    _require("compare_arms", outcomes, ("arm", "trait", "direction", "gamma", "task", "item", "correct", *by))
    own = outcomes[outcomes["arm"] == reference]
    doses = sorted(own["gamma"].unique().tolist())
    if len(doses) != 1:
        raise ValueError(
            f"The reference {reference!r} must be present at one dose, but came at {doses}. Keep one dose of it."
        )
    # An unedited model run once for both directions is the partner of both.
    keys = ["trait", "task", "item"] if set(own["direction"]) == {"none"} else ["trait", "direction", "task", "item"]
    base = own[[*keys, "correct"]].rename(columns={"correct": "reference_correct"})
    rows = outcomes[~outcomes["arm"].isin([reference, "none"])].merge(base, on=keys, how="left", validate="many_to_one")
    lacking = rows.loc[rows["reference_correct"].isna(), "item"]
    if len(lacking):
        raise ValueError(
            f"{len(lacking)} items of the arms have no partner in {reference!r}, e.g. {lacking.iloc[0]!r}. "
            "Give every arm the same items."
        )
    found = []
    for labels, part in rows.groupby(["arm", "gamma", *by], sort=False):
        a, b = part["reference_correct"].to_numpy(float), part["correct"].to_numpy(float)
        clusters = (part["task"] + "|" + part["item"]).to_numpy()
        drawn = {"clusters": clusters, "seed": seed}
        interval = bootstrap_difference(a, b, resamples=resamples, **drawn)
        counts = mcnemar(a, b)
        bound = non_inferiority(a, b, margin=margin, resamples=resamples, **drawn)
        found.append(
            dict(zip(("arm", "gamma", *by), labels, strict=True))
            | {"correct": b.mean(), "reference_correct": a.mean()}
            | {"change": interval.estimate, "low": interval.low, "high": interval.high}
            | {"lost": counts.b, "gained": counts.c, "mcnemar_p": counts.pvalue}
            | {"permutation_p": permutation_test(a, b, permutations=permutations, **drawn).pvalue}
            | {"lower": bound.lower, "margin": margin, "non_inferior": bound.non_inferior}
            | {"detectable": smallest_detectable(len(a), discordant=(counts.b + counts.c) / len(a), power=power)}
            | {"n": interval.n, "items": interval.clusters}
        )
    if not found:
        raise ValueError(f"There is no arm beside the reference {reference!r}. Add its outcomes.")
    families = pd.DataFrame(found).groupby(["arm", "gamma"], sort=False)
    return pd.concat([_with_holm(family, "permutation_p") for _, family in families], ignore_index=True)


def equal_loss(
    answers: pd.DataFrame,
    capability: pd.DataFrame,
    *,
    losses: Sequence[float] = (0.01, 0.02, 0.05),
    cost: Literal["capability", "wellformed"] = "capability",
    reference: str = "DPN-LE",
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """How far each arm has moved the traits by the dose at which it first costs a given loss.

    Shift and cost are straight lines between an arm's doses, from the unedited model at dose 0. An arm, or a
    resample of it, that never loses so much is read at its greatest dose.

    Args:
        cost: what is lost: `capability` (share of items right) or `wellformed` (share of sentences).
        losses: shares above 0.

    Returns:
        A row per loss and arm: loss, arm, reached (whether the arm loses so much), reached_share (of resamples that
        do), gamma, shift (points in the intended direction), against (shift minus the reference's); the last three
        with `_low` and `_high` (95 %, questions and items resampled, the same ones for every arm); against_p, two-sided
        from the resamples.

    Raises:
        ValueError: if a loss is not above 0, or the reference is missing.
    """
    if not all(loss > 0 for loss in losses):
        raise ValueError(f"A loss is a share above 0, but {list(losses)} arrived. Give losses as e.g. 0.02.")
    curves = outcome_curves(answers, capability, resamples=resamples, seed=seed)
    if reference not in curves:
        raise ValueError(f"equal_loss compares with {reference!r}, but the arms are {sorted(curves)}.")
    found = []
    for loss in losses:
        readings = {}
        for arm, (doses, curve) in curves.items():
            needed = first_reaching(doses, -curve[cost], np.full(1 + resamples, float(loss)))
            reached = np.isfinite(needed)
            needed = np.where(reached, needed, doses[-1])
            shift = np.array([np.interp(dose, doses, row) for dose, row in zip(needed, curve["shift"], strict=True)])
            readings[arm] = (reached, needed, shift)
        for arm, (reached, needed, shift) in readings.items():
            found.append(
                {"loss": loss, "arm": arm, "reached": bool(reached[0]), "reached_share": float(reached[1:].mean())}
                | summary("gamma", needed)
                | summary("shift", shift)
                | summary("against", shift - readings[reference][2])
                | {"against_p": two_sided(shift - readings[reference][2])}
            )
    return pd.DataFrame(found)


def _with_holm(table: pd.DataFrame, column: str) -> pd.DataFrame:
    known = table[column].notna()
    adjusted = np.full(len(table), np.nan)
    adjusted[known.to_numpy()] = holm(table.loc[known, column].to_numpy(float))
    return table.assign(p_holm=adjusted)


def _require(caller: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{caller} needs columns {', '.join(columns)}; missing {missing} from {list(frame.columns)}.")
