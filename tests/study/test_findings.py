"""Verdicts on invented comparisons whose right reading is known."""

import pandas as pd
import pytest

import workbench as wb
from workbench.study.findings import _beats_controls, _causes, _costs_less, _keeps_capability, _moves_further, _specific


def costs(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    """(dose, other arm's gamma, low and high of what it keeps in well-formedness against DPN-LE)."""
    return pd.DataFrame(
        [
            {"dpn_gamma": dose, "shift": dose, "gamma": gamma, "arm": "broad", "reached": float(gamma == gamma)}
            | {"wellformed_against": (low + high) / 2, "wellformed_against_low": low, "wellformed_against_high": high}
            | {"capability_against": 0.0, "capability_against_low": -0.01, "capability_against_high": 0.01}
            | {"wellformed_against_p": 0.002 if low * high > 0 else 0.5, "capability_against_p": 1.0}
            for dose, gamma, low, high in rows
        ]
    )


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([(0.5, 0.1, -0.1, 0.1), (1.0, 0.2, -0.1, 0.1)], "undecided"),
        ([(0.5, 0.1, -0.1, 0.1), (1.0, 0.2, 0.05, 0.2)], "refuted"),
        ([(0.5, 0.1, -0.2, -0.1), (1.0, 0.2, -0.1, 0.1)], "supported"),
        ([(0.5, 0.1, -0.2, -0.1), (1.0, 0.2, 0.05, 0.2)], "undecided"),
        ([(0.5, float("nan"), 0.0, 0.0)], "undecided"),
    ],
)
def test_a_cost_is_judged_at_every_dose(rows: list[tuple[float, float, float, float]], verdict: str) -> None:
    found = _costs_less("claim", "broad", costs(*rows), 0.5)
    assert found.verdict == verdict
    if len(rows) == 2:
        assert "gamma 0.5, broad at 0.10" in found.text
        assert "judged at 2 doses and both costs, least p" in found.text
    if len(rows) == 1:
        assert "never moves the traits as far" in found.text


def test_many_doses_ask_more_of_each() -> None:
    table = costs(*[(0.1 * i, 0.05 * i, 0.05, 0.2) for i in range(1, 6)]).assign(wellformed_against_p=0.02)
    assert _costs_less("claim", "broad", table, 0.1).verdict == "undecided"
    assert _costs_less("claim", "broad", table.assign(wellformed_against_p=0.002), 0.1).verdict == "refuted"


@pytest.mark.parametrize(
    ("p", "difference", "verdict"),
    [
        ((0.001, 0.001), (0.3, 0.4), "supported"),
        ((0.001, 0.3), (0.3, 0.1), "undecided"),
        ((0.001, 0.001), (0.3, -0.4), "refuted"),
        ((0.04, 0.04), (0.3, 0.4), "undecided"),
    ],
)
def test_every_control_must_be_beaten(p: tuple[float, float], difference: tuple[float, float], verdict: str) -> None:
    table = pd.DataFrame(
        {"control": ["random", "shuffled"], "difference": difference, "low": -1.0, "high": 1.0, "p_holm": p}
    )
    assert _beats_controls(table, 0.5).verdict == verdict


@pytest.mark.parametrize(
    ("non_inferior", "high", "verdict"),
    [(True, 0.0, "supported"), (False, 0.0, "undecided"), (False, -0.06, "refuted")],
)
def test_capability_is_judged_by_the_margin(non_inferior: bool, high: float, verdict: str) -> None:
    row = {"task": "all", "change": -0.02, "low": -0.1, "high": high, "lower": -0.08, "n": 100}
    row |= {"mcnemar_p": 0.2, "detectable": 0.07, "non_inferior": non_inferior}
    found = _keeps_capability(pd.DataFrame([row]), 0.5, wb.StudyConfig())
    assert found.verdict == verdict
    assert "within 5 percentage points" in found.claim


@pytest.mark.parametrize(
    ("off", "p", "verdict"), [(0.05, 0.9, "supported"), (0.5, 0.9, "undecided"), (0.5, 0.01, "refuted")]
)
def test_other_traits_are_left_alone_or_not(off: float, p: float, verdict: str) -> None:
    rows = [
        {"arm": "DPN-LE", "edited": a, "measured": b, "direction": "increase", "shift": 1.0 if a == b else off}
        | {"low": off - 0.1, "high": off + 0.1, "p_holm": 0.001 if a == b else p}
        for a in ("Openness", "Extraversion")
        for b in ("Openness", "Extraversion")
    ]
    assert _specific(pd.DataFrame(rows), "all", 0.5).verdict == verdict


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (("causes", "causes"), "supported"),
        (("causes", "undecided"), "undecided"),
        (("causes", "does not cause"), "refuted"),
    ],
)
def test_every_direction_must_cause(told: tuple[str, str], verdict: str) -> None:
    verdicts = pd.DataFrame({"trait": "Openness", "direction": ["increase", "decrease"], "verdict": told, "text": "t"})
    patching = pd.DataFrame(
        {"trait": "Openness", "mode": "joint", "set": ["selected", "matched random"], "effect": 0.1}
    )
    assert _causes(verdicts, patching, "all").verdict == verdict


@pytest.mark.parametrize(
    ("against", "p", "reached", "verdict"),
    [
        (0.3, 0.002, True, "refuted"),
        (-0.3, 0.002, True, "supported"),
        (0.3, 0.04, True, "undecided"),
        (0.3, 0.002, False, "undecided"),
    ],
)
def test_equal_loss_is_judged_where_both_come_to_it(against: float, p: float, reached: bool, verdict: str) -> None:
    rows = [
        {"cost": "wellformed", "loss": loss, "arm": arm, "reached": reached, "reached_share": 1.0, "gamma": 0.2}
        | {"shift": 0.5, "against": against, "against_low": against - 0.1, "against_high": against + 0.1}
        | {"against_p": p}
        for loss in (0.02, 0.05)
        for arm in ("DPN-LE", "broad")
    ]
    assert _moves_further("claim", "broad", pd.DataFrame(rows)).verdict == verdict
