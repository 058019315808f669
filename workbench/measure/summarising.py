"""The mean of a column with its interval, and a table's rows by trait."""

import numpy as np
import pandas as pd

from workbench.measure.paired import bootstrap_mean

ALL = "all"
"""The name under which tables and findings take all traits together."""


def by_trait(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """All rows under the name `all`, then each trait's rows under its name, in the order in which traits appear."""
    return [(ALL, frame), *((str(trait), rows) for trait, rows in frame.groupby("trait", sort=False))]


def clustered_mean(frame: pd.DataFrame, column: str, cluster: str, *, resamples: int) -> dict[str, float]:
    """The mean of a column with its 95 % interval, from a bootstrap of whole clusters within each trait.

    Returns:
        estimate, low, high and n (rows with a value); the first three are nan if no row has a value.
    """
    values = frame[column].to_numpy(float)
    known = ~np.isnan(values)
    if not known.any():
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    traits, units = (frame[name].to_numpy(object)[known] for name in ("trait", cluster))
    mean = bootstrap_mean(values[known], clusters=traits + "|" + units, resamples=resamples)
    return {"estimate": mean.estimate, "low": mean.low, "high": mean.high, "n": mean.n}
