"""The shift of a quantity at the chosen dose: of every arm, and of the method beyond each control's."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.measure.draws import against_draws
from workbench.measure.paired import bootstrap_mean, holm
from workbench.measure.permutation import permutation_test
from workbench.measure.summarising import ALL, by_trait
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.comparing.changes import SHIFT, Measured
from workbench.vocabulary import SIGN

PERMUTATIONS = 2000
"""Sign flips behind each p-value."""


def shifts(measured: Measured, quantity: Quantity, results: Results) -> pd.DataFrame:
    """Every arm's shift against the unedited model at the chosen dose, by trait and direction.

    A row without a number counts as one that has not moved.

    Returns:
        Columns arm, trait, direction (`both` for both), unscored (rows without a number), shift, low, high (95 %),
        least and most (the shift if those rows had moved as far as can be against the intended direction, or along
        it; missing where the quantity has no span), n, p (sign flips of whole clusters) and p_holm (over the traits of
        an arm and direction).
    """
    rows = results.at_chosen_dose(_shifted(measured, quantity))
    table = []
    for arm, part in rows.groupby("arm", sort=False):
        for direction in ("both", *SIGN):
            one_way = part if direction == "both" else part[part["direction"] == direction]
            for trait, each in by_trait(one_way):
                unscored = int((~each[f"{quantity.name}_known"]).sum())
                entry = {"arm": arm, "trait": trait, "direction": direction, "unscored": unscored}
                bounds = {end: each[f"{quantity.name}_{end}"].mean(skipna=False) for end in ("least", "most")}
                table.append(entry | _shift_of(each, measured.outcome.cluster, results) | bounds)
    return _with_holm(pd.DataFrame(table), ["arm", "direction"])


def _shift_of(rows: pd.DataFrame, cluster: str, results: Results) -> dict[str, float]:
    if rows.empty:
        return {"shift": np.nan, "low": np.nan, "high": np.nan, "n": 0, "p": 1.0}
    clusters = (rows["trait"] + rows[cluster].astype(str)).to_numpy()
    shift = rows[SHIFT].to_numpy()
    mean = bootstrap_mean(shift, clusters=clusters, resamples=results.resamples, seed=results.seed)
    test = permutation_test(
        np.zeros(len(shift)), shift, clusters=clusters, permutations=PERMUTATIONS, seed=results.seed
    )
    return {"shift": mean.estimate, "low": mean.low, "high": mean.high, "n": mean.n, "p": test.pvalue}


def against_controls(measured: Measured, quantity: Quantity, results: Results, controls: Sequence[str]) -> pd.DataFrame:
    """The method's shift beyond each control's at the chosen dose, paired by what was asked.

    A control that was drawn several times is compared by the mean of its draws, and the method ranked among them.

    Returns:
        Columns control, trait, difference, low, high (95 %; over clusters and over draws), n (rows of the method),
        draws, least_draw and greatest_draw (the shifts of the draws that move least and furthest), p_draws (the chance
        of a rank so high if the method were one more draw; missing with one draw), p_below (of a rank so low), p (sign
        flips of whole clusters, two-sided, with the draws' mean) and p_holm (p over the traits of a control).
    """
    rows = results.at_chosen_dose(_shifted(measured, quantity))
    cluster = measured.outcome.cluster
    names = list(dict.fromkeys(["trait", "direction", *measured.outcome.pairs, cluster]))
    method = rows[rows["arm"] == results.method].set_index(names)[SHIFT]
    table = []
    for control in [arm for arm in dict.fromkeys(rows["arm"]) if arm in controls]:
        other = rows[rows["arm"] == control].pivot_table(index=names, columns="draw", values=SHIFT)
        both = other.assign(method=method).dropna().reset_index()
        for trait, each in by_trait(both):
            draws = each[other.columns].to_numpy(float).T
            own = each["method"].to_numpy(float)
            clusters = (each["trait"] + each[cluster].astype(str)).to_numpy()
            drawn = {"clusters": clusters, "seed": results.seed}
            found = against_draws(own, draws, resamples=results.resamples, **drawn)
            p = permutation_test(draws.mean(axis=0), own, permutations=PERMUTATIONS, **drawn).pvalue
            entry = {"control": control, "trait": trait, "difference": found.difference, "low": found.low}
            entry |= {"high": found.high, "n": len(own), "draws": len(draws), "least_draw": found.means.min()}
            entry |= {"greatest_draw": found.means.max(), "p_draws": np.nan, "p_below": np.nan}
            if len(draws) > 1:
                entry |= {"p_draws": found.p_above, "p_below": found.p_below}
            table.append(entry | {"p": p})
    columns = ["control", "trait", "difference", "low", "high", "n", "draws"]
    columns += ["least_draw", "greatest_draw", "p_draws", "p_below", "p"]
    return _with_holm(pd.DataFrame(table, columns=columns), "control")


def draws(measured: Measured, quantity: Quantity, results: Results, controls: Sequence[str]) -> pd.DataFrame:
    """The shift of each draw of each control that was drawn several times, at the chosen dose.

    Returns:
        Columns arm, draw, trait (`all` for all) and shift.
    """
    rows = results.at_chosen_dose(_shifted(measured, quantity))
    rows = rows[rows["arm"].isin(controls)]
    several = rows.groupby("arm")["draw"].transform("nunique") > 1
    tables = []
    for trait, each in by_trait(rows[several]):
        means = each.groupby(["arm", "draw"], sort=False)[SHIFT].mean().reset_index()
        tables.append(means.assign(trait=trait)[["arm", "draw", "trait", SHIFT]])
    return pd.concat(tables, ignore_index=True)


def _shifted(measured: Measured, quantity: Quantity) -> pd.DataFrame:
    """Edited rows with the quantity's change in the intended direction under `shift`."""
    rows = measured.edited()
    return rows.assign(**{SHIFT: rows[quantity.shift]}, draw=rows.get("draw", 0))


def _with_holm(table: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """p-values adjusted over the traits of each group; that of all traits together stays as it is."""
    adjusted = table["p"].copy()
    for _, rows in table[table["trait"] != ALL].groupby(by, sort=False):
        adjusted.loc[rows.index] = holm(rows["p"].to_numpy())
    return table.assign(p_holm=adjusted)
