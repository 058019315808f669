"""Whether the arm under test keeps each cost to within its margin at the chosen dose."""

from collections.abc import Sequence

import pandas as pd

from workbench.measure.paired import non_inferiority
from workbench.measure.summarising import by_trait
from workbench.outcome.results import Results
from workbench.study.comparing.changes import Measured

COLUMNS = ["quantity", "trait", "change", "lower", "upper", "margin", "non_inferior", "inferior", "n", "clusters"]


def kept(measured: Sequence[Measured], results: Results) -> pd.DataFrame:
    """Every cost that has a margin, of the arm under test against the unedited model; see `non_inferiority`.

    Returns:
        Columns quantity, trait (`all` for all), change, lower and upper (one-sided 95 % bounds: a loss of up to -lower
        cannot be excluded; missing where the rows do not show how much the change varies), margin, non_inferior,
        inferior (surely lost more), n (rows) and clusters. No row where no cost has a margin.
    """
    table = []
    for each in measured:
        costs = [cost for cost in each.quantities if cost.role == "cost" and cost.margin is not None]
        if not costs:
            continue
        edited = each.edited()
        rows = results.at_chosen_dose(edited[edited["arm"] == results.method])
        rows = rows.assign(cluster=each.clusters(rows))
        for cost in costs:
            for trait, part in by_trait(rows.dropna(subset=[cost.change])):
                if part.empty:
                    continue
                assert cost.margin is not None
                test = non_inferiority(
                    part[f"base_{cost.name}"],
                    part[cost.name],
                    margin=cost.margin,
                    clusters=part["cluster"],
                    resamples=results.resamples,
                    seed=results.seed,
                )
                entry = {"quantity": cost.name, "trait": trait, "change": test.estimate, "margin": cost.margin}
                entry |= {"lower": test.lower, "upper": test.upper, "n": test.n, "clusters": test.clusters}
                table.append(entry | {"non_inferior": test.non_inferior, "inferior": test.inferior})
    return pd.DataFrame(table, columns=COLUMNS)
