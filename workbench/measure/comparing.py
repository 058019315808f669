"""Compares arms: item by item on capability, trait by trait for specificity, and at equal loss."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from workbench.measure.detectable import smallest_detectable
from workbench.measure.dosing import Changes, dose_curves
from workbench.measure.dosing import equal_loss as equal_loss_of
from workbench.measure.paired import bootstrap_mean, holm, mcnemar, non_inferiority, paired_change
from workbench.measure.permutation import permutation_test
from workbench.vocabulary import SIGN

UNEDITED = "none"
"""The arm of the unedited model."""


def specificity_matrix(
    answers: pd.DataFrame, *, resamples: int = 2000, permutations: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """How far an edit of each trait moves every trait, in both directions.

    Args:
        answers: of one arm at one dose and of the unedited model (`arm` none), with columns arm, trait (edited),
            direction, gamma, measured (the trait that the question is about), question and score.

    Returns:
        A row for each edited trait, measured trait and direction: trait, measured, direction, shift (points of the
        1 to 5 scale; positive where the measured trait moves in the direction of the edit; an answer without a score
        has not moved), low, high (95 %, bootstrap clustered by question), n (questions), scored (those with both
        scores), coverage_change (share of answers with a score, edited minus unedited), p (sign flips by question,
        two-sided), p_holm (over all rows).

    Raises:
        ValueError: if columns, unedited answers or edited ones are missing, or several arms or doses arrived.
    """
    rows = _shifts_of(answers)
    table = []
    for (trait, measured, direction), cell in rows.groupby(["trait", "measured", "direction"], sort=False):
        entry: dict[str, object] = {"trait": trait, "measured": measured, "direction": direction}
        shift, clusters = cell["shift"].fillna(0.0).to_numpy(float), cell["question"].to_numpy()
        interval = bootstrap_mean(shift, clusters=clusters, resamples=resamples, seed=seed)
        test = permutation_test(np.zeros_like(shift), shift, clusters=clusters, permutations=permutations, seed=seed)
        entry |= {"shift": interval.estimate, "low": interval.low, "high": interval.high}
        entry |= {"n": len(cell), "scored": int(cell["shift"].notna().sum())}
        entry["coverage_change"] = float(cell["score"].notna().mean() - cell["base_score"].notna().mean())
        table.append(entry | {"p": test.pvalue})
    return _with_holm(pd.DataFrame(table), "p")


def _shifts_of(answers: pd.DataFrame) -> pd.DataFrame:
    """Edited answers with their shift in the edit's direction against the unedited answer to the same question."""
    _require("specificity", answers, ("arm", "trait", "direction", "gamma", "measured", "question", "score"))
    edited = answers[answers["arm"] != UNEDITED]
    kinds = edited[["arm", "gamma"]].drop_duplicates()
    if len(kinds) != 1:
        raise ValueError(
            f"Specificity is measured at one arm and one dose, but {len(kinds)} arrived: "
            f"{kinds.head(3).to_numpy().tolist()}. Keep one of them, and the unedited answers (arm 'none')."
        )
    # An unedited answer does not depend on the trait that the edits are for, so each question has one.
    base = answers.loc[answers["arm"] == UNEDITED, ["measured", "question", "score"]]
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
    reference: str = UNEDITED,
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
        reference: the arm to compare with, present at one dose. The unedited model is never compared with another one.
        by: columns within which to compare; with none, everything is compared at once.
        margin: the loss that would be tolerated, as a share of items; fix it before you look at the results.
        power: the chance with which a loss of `detectable` would be found.

    Returns:
        A row for each arm, dose and group: arm, gamma, the columns of `by`, correct and reference_correct (shares),
        change (arm minus reference) with low and high (95 %, Tango's score interval, an item as one cluster), lost
        and gained (rows that only the reference, or only the arm, has right), mcnemar_p (over items), permutation_p
        (sign flips by item), p_holm (permutation_p over the groups of an arm and dose), lower and upper (one-sided 95 %
        bounds of the change: a loss of up to -lower cannot be excluded), margin, non_inferior, inferior (surely lost
        more than the margin), detectable (the smallest loss that a test with so many items, of which as many are
        discordant as here, finds with chance `power`), n (rows), items.

    Raises:
        ValueError: if the reference is missing or present at several doses, or an item has no partner in it.
    """
    _require("compare_arms", outcomes, ("arm", "trait", "direction", "gamma", "task", "item", "correct", *by))
    of_reference = outcomes[outcomes["arm"] == reference]
    doses = sorted(of_reference["gamma"].unique().tolist())
    if len(doses) != 1:
        raise ValueError(
            f"The reference {reference!r} must be present at one dose, but came at {doses}. Keep one dose of it."
        )
    # An unedited model that ran once for both directions is the partner of both.
    both = set(of_reference["direction"]) == {"none"}
    keys = ["trait", "task", "item"] if both else ["trait", "direction", "task", "item"]
    base = of_reference[[*keys, "correct"]].rename(columns={"correct": "reference_correct"})
    rows = outcomes[~outcomes["arm"].isin([reference, UNEDITED])].merge(
        base, on=keys, how="left", validate="many_to_one"
    )
    lacking = rows.loc[rows["reference_correct"].isna(), "item"]
    if len(lacking):
        raise ValueError(
            f"{len(lacking)} items of the arms have no partner in {reference!r}, e.g. {lacking.iloc[0]!r}. "
            "Give every arm the same items."
        )
    table = []
    for labels, part in rows.groupby(["arm", "gamma", *by], sort=False):
        a, b = part["reference_correct"].to_numpy(float), part["correct"].to_numpy(float)
        clusters = (part["task"] + "|" + part["item"]).to_numpy()
        drawn = {"clusters": clusters, "seed": seed}
        interval = paired_change(a, b, resamples=resamples, **drawn)
        counts, by_item = mcnemar(a, b), mcnemar(a, b, clusters=clusters)
        discordant = (by_item.b + by_item.c) / by_item.n
        bound = non_inferiority(a, b, margin=margin, resamples=resamples, **drawn)
        table.append(
            dict(zip(("arm", "gamma", *by), labels, strict=True))
            | {"correct": b.mean(), "reference_correct": a.mean()}
            | {"change": interval.estimate, "low": interval.low, "high": interval.high}
            | {"lost": counts.b, "gained": counts.c, "mcnemar_p": by_item.pvalue}
            | {"permutation_p": permutation_test(a, b, permutations=permutations, **drawn).pvalue}
            | {"lower": bound.lower, "upper": bound.upper, "margin": margin}
            | {"non_inferior": bound.non_inferior, "inferior": bound.inferior}
            | {"detectable": smallest_detectable(by_item.n, discordant=discordant, power=power)}
            | {"n": interval.n, "items": interval.clusters}
        )
    if not table:
        raise ValueError(f"There is no arm beside the reference {reference!r}. Add its outcomes.")
    families = pd.DataFrame(table).groupby(["arm", "gamma"], sort=False)
    return pd.concat([_with_holm(family, "permutation_p") for _, family in families], ignore_index=True)


def equal_loss(
    answers: pd.DataFrame,
    capability: pd.DataFrame,
    *,
    reference: str,
    losses: Sequence[float] = (0.01, 0.02, 0.05),
    cost: Literal["capability", "wellformed"] = "capability",
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """How far each arm has moved the traits by the dose at which it first costs a given loss.

    Shift and loss are rising fits to the means at an arm's doses, from the unedited model at dose 0, with straight
    lines between them. An arm that never loses so much is read at its greatest dose; so is a resample of it.

    Args:
        answers: as `Condition.answers` returns them, of every arm and of the unedited model (`arm` none).
        capability: as `answer_items` returns them, of the same arms and doses.
        reference: the arm whose shift the others' are compared with.
        losses: shares above 0.
        cost: what is lost: `capability` (share of items right) or `wellformed` (share of sentences).

    Returns:
        A row for each loss and arm: loss, arm, reached (whether the arm loses so much), reached_share (of the
        resamples), gamma, shift (points in the intended direction), against (shift minus the reference's); the last
        three with `_low` and `_high` (95 %, questions and items resampled, the same ones for every arm); against_p,
        two-sided from the resamples.

    Raises:
        ValueError: if a loss is not above 0, or the reference is missing.
    """
    changes = [*_changes_of_answers(answers), _changes_of_items(capability)]
    curves = dose_curves(changes, resamples=resamples, seed=seed)
    return equal_loss_of(curves, reference=reference, cost=f"{cost}_change", losses=losses)


def _changes_of_answers(answers: pd.DataFrame) -> list[Changes]:
    """The shift and the change in well-formedness of each edited answer, against the unedited one to its question."""
    base = answers.loc[answers["arm"] == UNEDITED, ["trait", "question", "score", "wellformed"]]
    base = base.rename(columns={"score": "base_score", "wellformed": "base_wellformed"})
    rows = answers[answers["arm"] != UNEDITED].merge(base, on=["trait", "question"], validate="many_to_one")
    rows = rows.assign(cluster=rows["trait"] + "|" + rows["question"])
    # An answer without a score has not moved the trait.
    shift = (rows["direction"].map(SIGN) * (rows["score"] - rows["base_score"])).fillna(0.0)
    wellformed = rows["wellformed"] - rows["base_wellformed"]
    return [Changes("shift", rows.assign(change=shift)), Changes("wellformed_change", rows.assign(change=wellformed))]


def _changes_of_items(capability: pd.DataFrame) -> Changes:
    """The change in each edited item's correctness against the unedited model's on the same item.

    Unedited items have a direction where each direction has items of its own; with none they stand for both.
    """
    unedited = capability[capability["arm"] == UNEDITED]
    keys = ["trait", "direction", "task", "item"]
    if set(unedited["direction"]) == {"none"}:
        keys.remove("direction")
    base = unedited[[*keys, "correct"]].rename(columns={"correct": "base_correct"})
    rows = capability[capability["arm"] != UNEDITED].merge(base, on=keys, validate="many_to_one")
    change = rows["correct"].astype(float) - rows["base_correct"].astype(float)
    cluster = rows["trait"] + "|" + rows["direction"] + "|" + rows["item"]
    return Changes("capability_change", rows.assign(change=change, cluster=cluster))


def _with_holm(table: pd.DataFrame, column: str) -> pd.DataFrame:
    known = table[column].notna()
    adjusted = np.full(len(table), np.nan)
    adjusted[known.to_numpy()] = holm(table.loc[known, column].to_numpy(float))
    return table.assign(p_holm=adjusted)


def _require(caller: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{caller} needs columns {', '.join(columns)}; missing {missing} from {list(frame.columns)}.")
