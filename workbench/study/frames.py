"""Tables put together, and told apart by their content."""

import hashlib
from collections.abc import Sequence

import pandas as pd


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; empty ones do not decide a column's type."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled or frames, ignore_index=True)


def content_of(frame: pd.DataFrame) -> str:
    """A hash of a table's columns and values."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashlib.sha256(repr(list(frame.columns)).encode() + rows.tobytes()).hexdigest()
