"""Curves of changes over doses, and arms compared on them at equal shift and at equal loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.measure.curves import dose_curve, first_reaching, resampling_weights, summary, two_sided


@dataclass(frozen=True)
class Changes:
    """One quantity's changes against the unedited model.

    Attributes:
        name: the quantity's column, e.g. `shift` or `wellformed_change`.
        rows: columns arm, gamma, cluster and change, a row for each answer or item; missing changes are left out.
    """

    name: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class DoseCurves:
    """One arm's mean changes at each of its doses.

    Attributes:
        doses: `(dose,)`, 0 first.
        means: by quantity `(1 + resamples, dose)`: the sample's means, then those of the resamples; 0 at dose 0.
    """

    doses: np.ndarray
    means: Mapping[str, np.ndarray]

    def at(self, name: str, needed: np.ndarray) -> np.ndarray:
        """`(1 + resamples,)`: a quantity at each row's `needed` dose, a straight line between doses; nan if that is."""
        values = np.array(
            [np.interp(dose, self.doses, row) for dose, row in zip(needed, self.means[name], strict=True)]
        )
        values[~np.isfinite(needed)] = np.nan
        return values


def dose_curves(changes: Sequence[Changes], *, resamples: int, seed: int = 0) -> dict[str, DoseCurves]:
    """Every arm's curves, at the doses of the first quantity.

    All arms, and all quantities that have the same clusters, share the same resamples.

    Returns:
        the curves by arm, in the order of the first quantity's rows; a quantity without rows at a dose is nan there.
    """
    generator = np.random.default_rng(seed)
    drawn: list[tuple[np.ndarray, np.ndarray]] = []
    weights = {}
    for each in changes:
        clusters = np.asarray(each.rows["cluster"].unique())
        shared = next((pair for pair in drawn if np.array_equal(pair[0], clusters)), None)
        if shared is None:
            shared = (clusters, resampling_weights(generator, len(clusters), resamples))
            drawn.append(shared)
        weights[each.name] = shared
    curves = {}
    for arm, part in changes[0].rows.groupby("arm", sort=False):
        gammas = np.sort(part["gamma"].unique())
        means = {}
        for each in changes:
            rows = each.rows[each.rows["arm"] == arm]
            means[each.name] = dose_curve(rows, "change", gammas, *weights[each.name])
            lacking = ~np.isin(gammas, rows["gamma"])
            means[each.name][:, 1:][:, lacking] = np.nan
        curves[str(arm)] = DoseCurves(np.concatenate([[0.0], gammas]), means)
    return curves


def equal_shift(
    curves: Mapping[str, DoseCurves], *, reference: str, gamma: float, costs: Sequence[str], target: str = "shift"
) -> pd.DataFrame:
    """What each arm costs at the dose at which it moves the target as far as the reference does at `gamma`.

    Each arm's shift and costs are straight lines between its doses, from the unedited model at dose 0. Costs are read
    at the dose where the shift first reaches the reference's. Intervals (95 %, percentile) resample clusters; the
    reference's shift is that of the same resample.

    Args:
        costs: names of changes, e.g. `wellformed_change`.

    Returns:
        A row for each arm: arm, reached (the share of resamples in which the arm reaches the shift), gamma, shift (the
        reference's), and for each cost its change and `_against`, the arm's minus the reference's; each with `_low`,
        `_high`, the last with `_p`, two-sided, from the resamples. Missing where the arm never reaches the shift.
    """
    doses, means = curves[reference].doses, curves[reference].means
    at = int(np.flatnonzero(doses == gamma)[0])
    goal = means[target][:, at]
    table = []
    for arm, curve in curves.items():
        # The reference is read at its own dose, as a noisy curve may reach its shift there at an earlier dose too.
        needed = np.full(len(goal), gamma)
        if arm != reference:
            needed = first_reaching(curve.doses, curve.means[target], goal)
        entry: dict[str, object] = {"arm": arm, "reached": float(np.isfinite(needed[1:]).mean())}
        entry |= summary("gamma", needed) | summary("shift", goal)
        for name in costs:
            stem = name.removesuffix("_change")
            cost = curve.at(name, needed)
            against = cost - means[name][:, at]
            entry |= summary(name, cost) | summary(f"{stem}_against", against)
            entry |= {f"{stem}_against_p": two_sided(against)}
        table.append(entry)
    return pd.DataFrame(table)


def equal_loss(
    curves: Mapping[str, DoseCurves], *, reference: str, cost: str, losses: Sequence[float], target: str = "shift"
) -> pd.DataFrame:
    """How far each arm has moved the target by the dose at which it first costs a given loss.

    Shift and cost are straight lines between an arm's doses, from the unedited model at dose 0. An arm that never
    loses so much is read at its greatest dose; so is a resample of it.

    Args:
        cost: the name of a change, e.g. `capability_change`.
        losses: above 0, in the cost's own unit.

    Returns:
        A row for each loss and arm: loss, arm, reached (whether the arm loses so much), reached_share (of the
        resamples), gamma, shift, against (shift minus the reference's); the last three with `_low` and `_high` (95 %,
        the same resamples for every arm); against_p, two-sided from the resamples.

    Raises:
        ValueError: if a loss is not above 0, or the reference is missing.
    """
    if not all(loss > 0 for loss in losses):
        raise ValueError(f"A loss is above 0, but {list(losses)} arrived. Give losses as e.g. 0.02.")
    if reference not in curves:
        raise ValueError(f"equal_loss compares with {reference!r}, but the arms are {sorted(curves)}.")
    table = []
    for loss in losses:
        readings = {}
        for arm, curve in curves.items():
            needed = first_reaching(curve.doses, -curve.means[cost], np.full(len(curve.means[cost]), float(loss)))
            reached = np.isfinite(needed)
            readings[arm] = (reached, np.where(reached, needed, curve.doses[-1]))
        shifts = {arm: curves[arm].at(target, needed) for arm, (_, needed) in readings.items()}
        for arm, (reached, needed) in readings.items():
            against = shifts[arm] - shifts[reference]
            table.append(
                {"loss": loss, "arm": arm, "reached": bool(reached[0]), "reached_share": float(reached[1:].mean())}
                | summary("gamma", needed)
                | summary("shift", shifts[arm])
                | summary("against", against)
                | {"against_p": two_sided(against)}
            )
    return pd.DataFrame(table)
