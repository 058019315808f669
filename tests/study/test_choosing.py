"""The dose that is chosen from a table of search questions."""

import pandas as pd
import pytest

from workbench.study.choosing import dose_within

TABLE = pd.DataFrame(
    {
        "gamma": [0.5, 1.0, 1.5, 2.0],
        "shift": [0.2, 0.5, 0.9, 0.7],
        "capability_change": [0.0, -0.01, -0.02, -0.3],
        "wellformed": [1.0, 0.97, 0.96, 0.5],
    }
)
BOUNDS: dict[str, tuple[float | None, float | None]] = {"capability": (0.02, None), "wellformed": (None, 0.95)}


@pytest.mark.parametrize(
    ("bounds", "shift", "gamma"),
    [
        (BOUNDS, None, 1.5),
        ({}, None, 1.5),
        ({"capability": (0.01, None)}, None, 1.0),
        ({"wellformed": (None, 0.98)}, None, 0.5),
        ({"wellformed": (None, 1.1)}, None, 0.5),
        (BOUNDS, 0.4, 1.0),
        (BOUNDS, 0.95, 1.5),
        ({"wellformed": (None, 1.1)}, 0.4, 0.5),
    ],
)
def test_the_dose_moves_furthest_within_the_bounds_or_reaches_the_shift(
    bounds: dict[str, tuple[float | None, float | None]], shift: float | None, gamma: float
) -> None:
    assert dose_within(TABLE, bounds, shift=shift)[0] == gamma


def test_the_table_says_which_doses_were_allowed() -> None:
    assert dose_within(TABLE, BOUNDS)[1]["allowed"].tolist() == [True, True, True, False]
