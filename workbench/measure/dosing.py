"""Curves of changes over doses, and arms compared on them at equal shift and at equal loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.measure.curves import dose_curve, first_reaching, monotone, resampling_weights, summary, two_sided


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
        known = np.isfinite(needed)
        dose = np.where(known, needed, 0.0)
        after = np.clip(np.searchsorted(self.doses, dose), 1, len(self.doses) - 1)
        share = (dose - self.doses[after - 1]) / (self.doses[after] - self.doses[after - 1])
        rows = np.arange(len(needed))
        low, high = self.means[name][rows, after - 1], self.means[name][rows, after]
        # At a dose itself its own mean counts, whether or not its neighbour has one.
        values = np.where(share == 0, low, np.where(share == 1, high, (1 - share) * low + share * high))
        return np.where(known, values, np.nan)

    def rising(self, name: str, *, sign: float = 1.0) -> "DoseCurves":
        """The curves with one quantity, times `sign`, replaced by its rising fit; see `monotone`."""
        return DoseCurves(self.doses, {**self.means, name: sign * monotone(sign * self.means[name])})

    def reaching(self, name: str, goal: np.ndarray, *, sign: float = 1.0) -> np.ndarray:
        """`(1 + resamples,)`: the least dose at which `sign` times a quantity reaches each row's goal; nan if none."""
        return first_reaching(self.doses, sign * self.means[name], goal)


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
    """What each arm costs at the dose at which it moves the target as far as the reference does by `gamma`.

    Every arm is read alike, the reference too: its shift is a rising fit to the means at its doses, from the unedited
    model at dose 0, with straight lines between them, and its costs, straight lines between their means, are read at
    the dose at which that fit first reaches the shift. An arm whose shift falls again at greater doses is so read
    where it has come as far at less cost. Intervals (95 %, percentile) resample clusters; the fits and the
    reference's shift are those of the same resample.

    Args:
        costs: names of changes, e.g. `wellformed_change`.

    Returns:
        A row for each arm: arm, reached (the share of resamples in which the arm reaches the shift), gamma, shift (the
        reference's), and for each cost its change and `_against`, the arm's minus the reference's; each with `_low`,
        `_high`, the last with `_p`, two-sided, from the resamples. Missing where the arm never reaches the shift.
    """
    fits = {arm: curve.rising(target) for arm, curve in curves.items()}
    at = int(np.flatnonzero(fits[reference].doses == gamma)[0])
    goal = fits[reference].means[target][:, at]
    needed_by = {arm: fit.reaching(target, goal) for arm, fit in fits.items()}
    of_reference = {name: fits[reference].at(name, needed_by[reference]) for name in costs}
    table = []
    for arm, fit in fits.items():
        needed = needed_by[arm]
        entry: dict[str, object] = {"arm": arm, "reached": float(np.isfinite(needed[1:]).mean())}
        entry |= summary("gamma", needed) | summary("shift", goal)
        for name in costs:
            stem = name.removesuffix("_change")
            cost = fit.at(name, needed)
            against = cost - of_reference[name]
            entry |= summary(name, cost) | summary(f"{stem}_against", against)
            entry |= {f"{stem}_against_p": two_sided(against)}
        table.append(entry)
    return pd.DataFrame(table)


def equal_loss(
    curves: Mapping[str, DoseCurves], *, reference: str, cost: str, losses: Sequence[float], target: str = "shift"
) -> pd.DataFrame:
    """How far each arm has moved the target by the dose at which it first costs a given loss.

    Shift and loss are rising fits to the means at an arm's doses, from the unedited model at dose 0, with straight
    lines between them. An arm that never loses so much is read at its greatest dose; so is a resample of it.

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
    fits = {arm: curve.rising(target).rising(cost, sign=-1.0) for arm, curve in curves.items()}
    table = []
    for loss in losses:
        readings = {}
        for arm, fit in fits.items():
            needed = fit.reaching(cost, np.full(len(fit.means[cost]), float(loss)), sign=-1.0)
            reached = np.isfinite(needed)
            readings[arm] = (reached, np.where(reached, needed, fit.doses[-1]))
        shifts = {arm: fits[arm].at(target, needed) for arm, (_, needed) in readings.items()}
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
