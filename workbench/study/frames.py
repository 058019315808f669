"""Tables put together, and told apart by their content."""

import hashlib
from collections.abc import Collection, Sequence

import pandas as pd

from workbench.measure.summarising import ALL


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; empty ones do not decide a column's type."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled or frames, ignore_index=True)


def content_of(frame: pd.DataFrame) -> str:
    """A hash of a table's columns and values."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashlib.sha256(repr(list(frame.columns)).encode() + rows.tobytes()).hexdigest()


def in_scope(frame: pd.DataFrame, scope: str) -> pd.DataFrame:
    """The rows in which those positions were edited."""
    return frame[frame["scope"] == scope].reset_index(drop=True)


def first_draws(frame: pd.DataFrame) -> pd.DataFrame:
    """Of a random arm its first draw, as answers are shown one by one; without the draw's number."""
    return frame[frame["draw"] == 0].drop(columns="draw").reset_index(drop=True)


def of_traits(frame: pd.DataFrame, traits: Collection[str]) -> pd.DataFrame:
    """The rows on these traits: those that are edited, where a frame tells them from the ones measured, and pairs of
    them. A frame that tells no trait is left as it is; rows on all traits together stay.
    """
    for columns in (["edited"], ["trait_a", "trait_b"], ["trait"]):
        if set(columns) <= set(frame):
            return frame[frame[columns].isin({*traits, ALL}).all(axis=1)].reset_index(drop=True)
    return frame
