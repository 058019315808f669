"""Every quantity over doses, the target's shift against what it costs, and arms at the same dose."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.summarising import ALL, by_trait, clustered_change, clustered_mean
from workbench.outcome.quantity import Quantity
from workbench.study.comparing.changes import SHIFT, Measured
from workbench.vocabulary import SIGN


def dose(measured: Sequence[Measured], *, resamples: int) -> pd.DataFrame:
    """Every quantity by arm, dose, direction and trait, the unedited model as dose 0 of each arm.

    An edited answer without a number of the trait counts as the unedited one.

    Returns:
        Columns arm, gamma, direction, trait (`all` for all), quantity, estimate, low, high (95 %, clustered), n.
    """
    table = []
    arms = [arm for arm in dict.fromkeys(measured[0].rows["arm"]) if arm != UNEDITED]
    for each in measured:
        for (arm, gamma, direction), rows in each.counted().groupby(["arm", "gamma", "direction"], sort=False):
            for trait, part in by_trait(rows):
                for quantity in each.quantities:
                    interval = clustered_mean(part, quantity.name, each.outcome.cluster, resamples=resamples)
                    labels = {"arm": arm, "gamma": gamma, "direction": direction, "trait": trait}
                    table.append(labels | {"quantity": quantity.name} | interval)
    frame = pd.DataFrame(table)
    return pd.concat([_base_as_dose_zero(frame, arms), frame[frame["arm"] != UNEDITED]], ignore_index=True)


def _base_as_dose_zero(table: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    base = table[table["arm"] == UNEDITED]
    copies = []
    for arm in arms:
        for direction in SIGN:
            either = base[base["direction"].isin([direction, "none"])]
            copies.append(either.assign(arm=arm, direction=direction, gamma=0.0))
    return pd.concat(copies, ignore_index=True)


def tradeoff(measured: Sequence[Measured], target: Quantity, *, resamples: int) -> pd.DataFrame:
    """The target's shift against every other quantity, both directions together.

    Args:
        measured: the target's outcome first.

    Returns:
        Columns arm, gamma, trait, and the estimate with its `_low` and `_high` (95 %, clustered) of: `shift`, the
        target's change in the intended direction; for each cost q its mean `q` and `q_change` (paired, edited minus
        unedited; of right and wrong answers with a score interval); for each other quantity of the trait `q_shift`.
    """
    parts = [(each, _groups(each.edited())) for each in measured]
    table = []
    for (arm, gamma), rows in parts[0][1].items():
        for trait, _ in by_trait(rows):
            entry: dict[str, object] = {"arm": arm, "gamma": gamma, "trait": trait}
            for each, groups in parts:
                part = groups.get((arm, gamma))
                if part is None:
                    continue
                part = part if trait == ALL else part[part["trait"] == trait]
                for name, interval in _intervals(each, part, target, resamples):
                    entry |= {name: interval["estimate"], f"{name}_low": interval["low"]}
                    entry |= {f"{name}_high": interval["high"]}
            table.append(entry)
    return pd.DataFrame(table)


def _groups(edited: pd.DataFrame) -> dict[tuple[Any, Any], pd.DataFrame]:
    return {(arm, gamma): part for (arm, gamma), part in edited.groupby(["arm", "gamma"], sort=False)}


def _intervals(
    each: Measured, rows: pd.DataFrame, target: Quantity, resamples: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """What an outcome's edited rows say of each of its quantities, by the name of the column."""
    cluster = each.outcome.cluster
    for quantity in each.quantities:
        if quantity.role == "trait":
            name = SHIFT if quantity.name == target.name else quantity.shift
            yield name, clustered_mean(rows, quantity.shift, cluster, resamples=resamples)
        else:
            yield quantity.name, clustered_mean(rows, quantity.name, cluster, resamples=resamples)
            before = f"base_{quantity.name}"
            yield quantity.change, clustered_change(rows, before, quantity.name, cluster, resamples=resamples)


def equal_dose(tradeoff: pd.DataFrame, *, gamma: float, doseless: Collection[str]) -> pd.DataFrame:
    """Every arm at the same dose, all traits together; arms without a dose are among them."""
    here = (tradeoff["gamma"] == gamma) | tradeoff["arm"].isin(doseless)
    table = tradeoff[here & (tradeoff["trait"] == ALL)]
    return table.drop(columns="trait").reset_index(drop=True)


def scopes(
    measured: Sequence[Measured], target: Quantity, *, method: str, gamma: float, resamples: int
) -> pd.DataFrame:
    """The method's shift and costs at the chosen dose in each scope, in a column scope; see `tradeoff`."""
    first = measured[0].rows
    ran = first[(first["arm"] == method) & (first["gamma"] == gamma)]
    tables = []
    for scope in dict.fromkeys(ran["scope"]):
        here = [
            each.only(
                (each.rows["arm"] == UNEDITED)
                | ((each.rows["arm"] == method) & (each.rows["gamma"] == gamma) & (each.rows["scope"] == scope))
            )
            for each in measured
        ]
        tables.append(tradeoff(here, target, resamples=resamples).assign(scope=scope))
    return pd.concat(tables, ignore_index=True)


def cost_by_breadth(equal_shift: pd.DataFrame, sizes: pd.DataFrame, costs: Sequence[Quantity]) -> pd.DataFrame:
    """What each arm costs at the same shift, beside how many units it edits.

    Args:
        equal_shift: as `measure.dosing.equal_shift` returns it.
        sizes: columns arm, site and units, a row a trait and direction.

    Returns:
        Columns arm, site, units (mean over traits and directions), reached, gamma, shift and each cost's change, the
        last ones with `_low` and `_high`; fewest units first.
    """
    edited = sizes.groupby("arm", sort=False).agg(site=("site", "first"), units=("units", "mean")).reset_index()
    names = ["gamma", "shift", *(cost.change for cost in costs)]
    values = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    table = edited.merge(equal_shift[["arm", "reached", *values]], on="arm", validate="one_to_one")
    return table.sort_values("units", kind="stable", ignore_index=True)
