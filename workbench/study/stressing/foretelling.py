"""Whether signs that are known before anything is edited foretell what is left of an edit under stress."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from workbench.measure.rank import rank_correlation
from workbench.measure.summarising import ALL

LEAST = 5
"""Traits below which no rank correlation is told."""

SIGNS = ("separability", "pair_cosine", "stability")
"""What is known of a trait before it is edited: the held-out area under the curve of a probe of its poles, the cosine
between pairs' differences, both the mean over layers, and how far halves of the descriptions select the same neurons
(Jaccard corrected for chance)."""

FORETOLD = {"change": "shift", "left": "left", "wrong_way": "wrong way"}
"""Columns of the table of stress that signs may foretell, and what they are called."""

_COLUMNS = ["stress", "of", "sign", "correlation", "low", "high", "p", "traits", "text"]


def signs_of(
    stress: pd.DataFrame,
    made: Mapping[str, pd.DataFrame],
    cosines: Mapping[str, pd.DataFrame],
    method: str,
    target: str,
) -> pd.DataFrame:
    """What was known of each trait beforehand, beside its shift, what is left of it and what goes the wrong way.

    Args:
        stress: as `stress_table` returns it.
        made: the study's tables, of which `separability` and `stability` are read.
        cosines: by trait, as `pair_cosine` returns them.

    Returns:
        A row for each trait: trait, the columns of `SIGNS` (missing where a sign is not known), plain (its shift
        without stress), left and wrong_way (the mean over the stresses; left is missing where the shift without stress
        is not surely other than 0).
    """
    rows = stress[(stress["arm"] == method) & (stress["quantity"] == target) & (stress["condition"] == ALL)]
    table = []
    for trait in [each for each in dict.fromkeys(rows["trait"]) if each != ALL]:
        of_trait = rows[rows["trait"] == trait]
        cosine = cosines[trait]["cosine"].mean() if trait in cosines else np.nan
        table.append(
            {"trait": trait, "separability": _separability(made, trait), "pair_cosine": cosine}
            | {"stability": _stability(made, trait), "plain": of_trait["plain"].mean()}
            | {name: of_trait[name].mean() for name in ("left", "wrong_way")}
        )
    return pd.DataFrame(table, columns=["trait", *SIGNS, "plain", "left", "wrong_way"])


def foretold(signs: pd.DataFrame, stress: pd.DataFrame, method: str, target: str, *, seed: int) -> pd.DataFrame:
    """The rank correlation over traits of each sign with what is left of the edit, under each stress.

    Returns:
        Columns stress (`all` for the mean over stresses), of (`shift`, under the stress; `left`; `wrong way`, the share
        of items), sign, correlation with low and high (Spearman, 95 %), p (over all orders of the traits), traits and
        text. Below `LEAST` traits the numbers are missing, which text says, and `all` stands for every stress.
    """
    rows = stress[(stress["arm"] == method) & (stress["quantity"] == target) & (stress["condition"] == ALL)]
    rows = rows[rows["trait"] != ALL]
    together = rows.groupby("trait", sort=False)[list(FORETOLD)].mean().reset_index().assign(stress=ALL)
    table = []
    for name, part in pd.concat([together, rows[["trait", "stress", *FORETOLD]]]).groupby("stress", sort=False):
        both = signs[["trait", *SIGNS]].merge(part, on="trait", validate="one_to_one")
        for column, of in FORETOLD.items():
            for sign in SIGNS:
                found = rank_correlation(both[sign], both[column], seed=seed)
                entry: dict[str, object] = {"stress": name, "of": of, "sign": sign, "traits": found.n}
                if found.n < LEAST and name != ALL:
                    continue
                if found.n < LEAST:
                    text = f"too few traits to say: {found.n}, and it takes {LEAST}"
                    entry |= dict.fromkeys(("correlation", "low", "high", "p"), np.nan)
                else:
                    entry |= {"correlation": found.estimate, "low": found.low, "high": found.high, "p": found.pvalue}
                    text = _told(found.low, found.high)
                table.append(entry | {"text": text})
    return pd.DataFrame(table, columns=_COLUMNS)


def _told(low: float, high: float) -> str:
    if np.isnan(low):
        return "it does not vary over the traits"
    return "more of it, more of this" if low > 0 else "more of it, less of this" if high < 0 else "no sure relation"


def _separability(made: Mapping[str, pd.DataFrame], trait: str) -> float:
    table = made.get("separability", pd.DataFrame(columns=["trait", "control", "auc"]))
    rows = table[(table["trait"] == trait) & (table["control"] == "none")]
    return float(rows["auc"].astype(float).mean()) if len(rows) else float("nan")


def _stability(made: Mapping[str, pd.DataFrame], trait: str) -> float:
    table = made.get("stability", pd.DataFrame(columns=["trait", "measure", "unit", "estimate"]))
    wanted = (table["trait"] == trait) & (table["unit"] == "description")
    rows = table[wanted & (table["measure"] == "split-half Jaccard, corrected")]
    return float(rows["estimate"].astype(float).iloc[0]) if len(rows) else float("nan")
