"""Verdicts on invented comparisons whose right reading is known."""

import pandas as pd
import pytest

from workbench.study.findings import _costs_less


def costs(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    """(dose, other arm's gamma, low and high of what it keeps in well-formedness against DPN-LE)."""
    return pd.DataFrame(
        [
            {"dpn_gamma": dose, "shift": dose, "gamma": gamma, "arm": "broad", "reached": float(gamma == gamma)}
            | {"wellformed_against": (low + high) / 2, "wellformed_against_low": low, "wellformed_against_high": high}
            | {"capability_against": 0.0, "capability_against_low": -0.01, "capability_against_high": 0.01}
            for dose, gamma, low, high in rows
        ]
    )


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([(0.5, 0.1, -0.1, 0.1), (1.0, 0.2, -0.1, 0.1)], "unclear"),
        ([(0.5, 0.1, -0.1, 0.1), (1.0, 0.2, 0.05, 0.2)], "refuted"),
        ([(0.5, 0.1, -0.2, -0.1), (1.0, 0.2, -0.1, 0.1)], "supported"),
        ([(0.5, 0.1, -0.2, -0.1), (1.0, 0.2, 0.05, 0.2)], "unclear"),
        ([(0.5, float("nan"), 0.0, 0.0)], "unclear"),
    ],
)
def test_a_cost_is_judged_at_every_dose(rows: list[tuple[float, float, float, float]], verdict: str) -> None:
    found = _costs_less("claim", "broad", costs(*rows), 0.5)
    assert found.verdict == verdict
    if len(rows) == 2:
        assert "gamma 0.5, broad at 0.10" in found.text
        assert ("gamma 1, broad at 0.20" in found.text) == (verdict != "supported")
        assert "judged at 2 doses" in found.text
    if len(rows) == 1:
        assert "never moves the traits as far" in found.text
