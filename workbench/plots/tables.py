"""The tables that figures take: their columns checked, one trait of several, and intervals as error bars."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import pandas as pd

from workbench.plots.theme import translucent


def check_columns(name: str, frame: pd.DataFrame, needed: Sequence[str], *, may_be_empty: bool = False) -> None:
    """Refuse a frame that a figure cannot draw.

    Raises:
        ValueError: naming the columns that are missing, or if there are no rows and `may_be_empty` is false.
    """
    missing = [column for column in needed if column not in frame]
    if missing:
        raise ValueError(f"{name} needs columns {', '.join(needed)}; missing {missing} from {list(frame.columns)}.")
    if frame.empty and not may_be_empty:
        raise ValueError(f"{name} needs rows to draw, but the table is empty.")


def one_trait(name: str, frame: pd.DataFrame, trait: str | None) -> tuple[pd.DataFrame, str]:
    """The rows of one trait, and its name; without `trait`, the frame must hold one alone.

    Raises:
        ValueError: if the trait is not there, or several are and none is named.
    """
    if "trait" not in frame:
        return frame, trait or ""
    held = list(dict.fromkeys(frame["trait"].astype(str)))
    if trait is None:
        if len(held) > 1:
            raise ValueError(f"{name} draws one trait, but the table holds {', '.join(held)}. Name one with trait=.")
        trait = held[0]
    if trait not in held:
        raise ValueError(f"{name} has no rows of trait {trait!r}; the table holds {', '.join(held)}.")
    return frame[frame["trait"] == trait], trait


def counted(arms: Sized) -> str:
    """How many arms, in words for an alternative text.

    Example:
        >>> counted(["one"]), counted(["one", "other"])
        ('1 arm', '2 arms')
    """
    return "1 arm" if len(arms) == 1 else f"{len(arms)} arms"


def with_ends(*names: str) -> list[str]:
    """Names of estimates with those of their intervals.

    Example:
        >>> with_ends("shift")
        ['shift', 'shift_low', 'shift_high']
    """
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high")]


def bars(
    rows: pd.DataFrame | Mapping[str, Any],
    estimate: str,
    low: str | None = None,
    high: str | None = None,
    *,
    colour: str,
) -> dict[str, Any]:
    """Error bars from an estimate's bounds, by default in the columns `<estimate>_low` and `<estimate>_high`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": rows[high or f"{estimate}_high"] - rows[estimate],
        "arrayminus": rows[estimate] - rows[low or f"{estimate}_low"],
        "color": translucent(colour, 0.6),
        "thickness": 1.3,
        "width": 2.5,
    }
