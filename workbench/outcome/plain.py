"""Text without a chat template, read under each condition."""

from collections.abc import Callable

import pandas as pd

from workbench.model.model import Model
from workbench.outcome.outcome import Asking


def of_conditions(model: Model, asking: Asking, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """What `read` gives under each condition, its labels in every row, one condition below another.

    An instruction has no place in plain text: such conditions read it as the unedited model does, once.
    """
    tables = []
    unedited: pd.DataFrame | None = None
    for condition in asking.conditions:
        if condition.edit is None:
            unedited = read() if unedited is None else unedited
            frame = unedited
        else:
            with asking.edited(model, condition):
                frame = read()
        tables.append(frame.assign(**condition.labels))
    return pd.concat(tables, ignore_index=True)
