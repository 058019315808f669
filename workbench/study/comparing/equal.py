"""Arms at equal shift and at equal loss: at every dose of the method, over all traits and for each."""

from collections.abc import Sequence

import pandas as pd

from workbench.measure.dosing import DoseCurves, dose_curves, equal_loss, equal_shift
from workbench.measure.summarising import ALL
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.comparing.changes import Measured, changes_of


def curves_of(measured: Sequence[Measured], results: Results) -> dict[str, DoseCurves]:
    """The curves of every arm that ran at several doses, and of the method."""
    doses = measured[0].rows.groupby("arm")["gamma"].nunique()
    several = {*doses.index[doses > 1], "none", results.method}
    graded = [each.only(each.rows["arm"].isin(several)) for each in measured]
    changes = changes_of(graded, results.target, results.costs)
    return dose_curves(changes, resamples=results.resamples, seed=results.seed)


def equal_shift_by_trait(measured: Sequence[Measured], results: Results) -> pd.DataFrame:
    """`equal_shift` for the shift that the method reaches at each of its doses, so that none is favoured.

    Returns:
        Columns method_gamma (the method's dose whose shift is the target), those of `equal_shift`, and trait: all
        traits together and each alone.
    """
    traits = list(dict.fromkeys(measured[0].rows["trait"]))
    together = _by_dose(curves_of(measured, results), results)
    tables = [together.assign(trait=ALL)]
    for trait in traits if len(traits) > 1 else []:
        alone = curves_of([each.of_trait(trait) for each in measured], results)
        tables.append(_by_dose(alone, results).assign(trait=trait))
    if len(traits) == 1:
        tables.append(together.assign(trait=traits[0]))
    return pd.concat(tables, ignore_index=True)


def _by_dose(curves: dict[str, DoseCurves], results: Results) -> pd.DataFrame:
    names = [cost.change for cost in results.costs]
    tables = []
    for dose in curves[results.method].doses[1:].tolist():
        table = equal_shift(curves, reference=results.method, gamma=dose, costs=names)
        tables.append(table.assign(method_gamma=dose))
    frame = pd.concat(tables, ignore_index=True)
    return frame[["method_gamma", *frame.columns.drop("method_gamma")]]


def equal_losses(measured: Sequence[Measured], results: Results) -> pd.DataFrame:
    """The shift of each arm where it first costs a given loss, for every cost, in a column cost; see `equal_loss`."""
    curves = curves_of(measured, results)
    costs: list[Quantity] = sorted(results.costs, key=lambda cost: cost.name)
    tables = [
        equal_loss(curves, reference=results.method, cost=cost.change, losses=cost.losses).assign(cost=cost.name)
        for cost in costs
    ]
    columns = ["loss", "arm", "reached", "reached_share", "cost"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
