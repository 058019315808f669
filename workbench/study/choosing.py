"""The dose at which everything is reported, chosen on search questions."""

from collections.abc import Mapping

import pandas as pd

from workbench.arm.building import Arm
from workbench.measure.summarising import ALL
from workbench.model.model import Model
from workbench.study.asking import ask_jobs
from workbench.study.comparing.changes import measured_by
from workbench.study.comparing.doses import tradeoff
from workbench.study.jobs import search_jobs
from workbench.study.meter import Meter
from workbench.study.plan import Plan
from workbench.study.store import Store


def choose_dose(plan: Plan, method: Arm, model: Model, store: Store, meter: Meter) -> tuple[float, pd.DataFrame]:
    """The dose at which everything is reported, and the table from which it was chosen; see `dose_within`.

    Returns:
        The dose; and the columns of `tradeoff` with `allowed`, a row a dose.
    """
    config = plan.config
    frames, _ = ask_jobs(model, config, store, search_jobs(plan, method), meter)
    outcomes = [each for each in plan.compared if each in plan.searched]
    table = tradeoff(measured_by(frames, outcomes), plan.target, resamples=config.resamples)
    table = table[table["trait"] == ALL].sort_values("gamma", ignore_index=True)
    return dose_within(table, plan.bounds, shift=config.shift)


def dose_within(
    table: pd.DataFrame, bounds: Mapping[str, tuple[float | None, float | None]], *, shift: float | None = None
) -> tuple[float, pd.DataFrame]:
    """The dose with the greatest shift within the bounds on costs, or the least that reaches a given shift.

    Where no dose keeps within the bounds, the least one comes nearest and is taken. Where no dose within them reaches
    the shift, the one that moves furthest is.

    Args:
        table: columns gamma, shift, and for each bounded cost q, q and q_change; doses ascending.
        bounds: by cost, the greatest mean loss and the least mean; None for no bound.
        shift: the shift that the dose must reach.

    Returns:
        The dose; and the table with a column allowed.
    """
    table = table.assign(allowed=within(table, bounds))
    kept = table[table["allowed"]]
    reaching = kept if shift is None else kept[kept["shift"] >= shift]
    if shift is not None and len(reaching):
        chosen = reaching.head(1)
    else:
        chosen = kept.nlargest(1, "shift") if len(kept) else table.head(1)
    return float(chosen["gamma"].iloc[0]), table


def within(table: pd.DataFrame, bounds: Mapping[str, tuple[float | None, float | None]]) -> pd.Series:
    """Which rows keep within the bounds on costs; columns and bounds as `dose_within` takes them."""
    allowed = pd.Series(True, index=table.index)
    for name, (max_loss, min_level) in bounds.items():
        if max_loss is not None:
            allowed &= -table[f"{name}_change"] <= max_loss
        if min_level is not None:
            allowed &= table[name] >= min_level
    return allowed
