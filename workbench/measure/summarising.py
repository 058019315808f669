"""The mean of a column with its interval, and a table's rows by trait."""

import numpy as np
import pandas as pd

from workbench.measure.paired import bootstrap_mean, paired_change, wilson

ALL = "all"
"""The name under which tables and findings take all traits together."""


def by_trait(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """All rows under the name `all`, then each trait's rows under its name, in the order in which traits appear."""
    return [(ALL, frame), *((str(trait), rows) for trait, rows in frame.groupby("trait", sort=False))]


def clustered_change(frame: pd.DataFrame, before: str, after: str, cluster: str, *, resamples: int) -> dict[str, float]:
    """The mean of what one column has more than another with its 95 % interval, as `clustered_mean` gives it.

    Right and wrong answers (1 and 0) get a score interval, which has a width where no answer changed too.
    """
    known = frame[[before, after]].notna().all(axis=1)
    if not known.any():
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    rows = frame[known]
    clusters = rows["trait"].astype(str) + "|" + rows[cluster].astype(str)
    change = paired_change(rows[before], rows[after], clusters=clusters, resamples=resamples)
    return {"estimate": change.estimate, "low": change.low, "high": change.high, "n": change.n}


def clustered_mean(frame: pd.DataFrame, column: str, cluster: str, *, resamples: int) -> dict[str, float]:
    """The mean of a column with its 95 % interval, from a bootstrap of whole clusters within each trait.

    Where every answer is right, or every one wrong, no resample differs: the interval is then Wilson's, a cluster as
    one answer.

    Returns:
        estimate, low, high and n (rows with a value); the first three are nan if no row has a value.
    """
    values = frame[column].to_numpy(float)
    known = ~np.isnan(values)
    if not known.any():
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    traits, units = (frame[name].to_numpy(object)[known] for name in ("trait", cluster))
    mean = bootstrap_mean(values[known], clusters=traits + "|" + units, resamples=resamples)
    if mean.low == mean.high and mean.estimate in (0.0, 1.0) and np.isin(values[known], (0.0, 1.0)).all():
        score = wilson(round(mean.estimate * mean.clusters), mean.clusters)
        return {"estimate": mean.estimate, "low": score.low, "high": score.high, "n": mean.n}
    return {"estimate": mean.estimate, "low": mean.low, "high": mean.high, "n": mean.n}
