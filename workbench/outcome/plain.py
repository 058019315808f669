"""Readings of a model under each condition, all conditions side by side."""

from collections.abc import Sequence

import pandas as pd

from workbench.model.model import Model
from workbench.outcome.outcome import Asking
from workbench.score.side_by_side import Reading, read_side_by_side


def of_conditions(model: Model, asking: Asking, readings: Sequence[Reading]) -> pd.DataFrame:
    """Each condition's table, its labels in every row, one condition below another; all are read in one pass.

    Args:
        readings: one for each condition. Where conditions without an edit have the same one, it is read once: an
            instruction has no place in plain text, which such conditions read as the unedited model does.
    """
    asked = [(condition.edit, reading) for condition, reading in zip(asking.conditions, readings, strict=True)]
    tables = read_side_by_side(model, asked, scope=asking.scope, record=asking.record)
    labelled = [table.assign(**each.labels) for table, each in zip(tables, asking.conditions, strict=True)]
    return pd.concat(labelled, ignore_index=True)
