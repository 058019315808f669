"""Verdicts on invented comparisons whose right reading is known."""

from typing import Any

import pandas as pd
import pytest

from tests.study.results_of import PLAN, claim, judged, results_of
from workbench.outcome.finding import Finding, Number
from workbench.study.claims import claims_of


def costs(*rows: tuple[float, float, float, float], p: float = 0.002) -> pd.DataFrame:
    """(dose, other arm's gamma, low and high of what it keeps in well-formedness against the method)."""
    return pd.DataFrame(
        [
            {"method_gamma": dose, "shift": dose, "gamma": gamma, "arm": "broad", "reached": float(gamma == gamma)}
            | {"wellformed_against": (low + high) / 2, "wellformed_against_low": low, "wellformed_against_high": high}
            | {"capability_against": 0.0, "capability_against_low": -0.01, "capability_against_high": 0.01}
            | {"wellformed_against_p": p if low * high > 0 else 0.5, "capability_against_p": 1.0}
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
    finding = judged("costs-less:broad", results_of(equal_shift_by_dose=costs(*rows)))
    assert finding.verdict == verdict
    if len(rows) == 2:
        assert "(DPN-LE at gamma 0.5, broad at 0.10)" in finding.sentence
        assert "judged at 2 doses and every cost, least p" in finding.sentence
        assert finding.numbers["cost:wellformed:0.5"].unit == "percentage points"
    if len(rows) == 1:
        assert "never moves the trait as far" in finding.sentence


def test_many_doses_ask_more_of_each() -> None:
    rows = [(0.1 * i, 0.05 * i, 0.05, 0.2) for i in range(1, 6)]
    for p, verdict in ((0.02, "undecided"), (0.002, "refuted")):
        results = results_of(gamma=0.1, equal_shift_by_dose=costs(*rows, p=p))
        assert judged("costs-less:broad", results).verdict == verdict


def controls(difference: tuple[float, float], p: tuple[float, float], ranks: tuple[float, float]) -> pd.DataFrame:
    """A random control with the method's rank among 20 draws, from above and below, and one that is not random."""
    rows = [
        {"control": "random", "difference": difference[0], "p": p[0], "draws": 20, "least_draw": -0.1}
        | {"greatest_draw": 0.1, "p_draws": ranks[0], "p_below": ranks[1]},
        {"control": "flipped", "difference": difference[1], "p": p[1], "draws": 1, "least_draw": 0.0}
        | {"greatest_draw": 0.0, "p_draws": float("nan"), "p_below": float("nan")},
        # What is only said to the model is no control, whatever it does.
        {"control": "simple prompt", "difference": -9.0, "p": 0.0, "draws": 1, "least_draw": 9.0}
        | {"greatest_draw": 9.0, "p_draws": float("nan"), "p_below": float("nan")},
    ]
    return pd.DataFrame(rows).assign(trait="all", n=20, low=-1.0, high=1.0)


FIRST, LAST = (1 / 21, 1.0), (1.0, 1 / 21)


@pytest.mark.parametrize(
    ("difference", "p", "ranks", "verdict"),
    [
        ((0.3, 0.4), (0.001, 0.001), FIRST, "supported"),
        ((0.3, 0.4), (0.04, 0.04), FIRST, "supported"),  # each must be beaten, so that none need be corrected
        ((0.3, 0.1), (0.001, 0.3), FIRST, "undecided"),
        ((0.3, 0.4), (0.001, 0.001), (2 / 21, 20 / 21), "undecided"),  # one draw moves further
        ((0.3, -0.4), (0.001, 0.001), FIRST, "refuted"),
        ((0.3, -0.4), (0.3, 0.01), FIRST, "undecided"),  # 0.02 after Holm
        ((-0.3, 0.4), (0.001, 0.001), LAST, "refuted"),
        ((-0.3, 0.4), (0.001, 0.001), (0.9, 0.2), "undecided"),  # some draws move less far
    ],
)
def test_every_control_must_be_beaten(
    difference: tuple[float, float], p: tuple[float, float], ranks: tuple[float, float], verdict: str
) -> None:
    finding = judged("beats-controls", results_of(against_controls=controls(difference, p, ranks)))
    assert finding.verdict == verdict
    assert "20 draws move it by -0.10 to +0.10" in finding.sentence
    assert "simple prompt" not in finding.sentence


def test_few_draws_cannot_show_anything_and_say_so() -> None:
    table = controls((0.3, 0.4), (0.001, 0.001), (1 / 6, 1.0)).assign(draws=5)
    finding = judged("beats-controls", results_of(against_controls=table))
    assert finding.verdict == "undecided"
    assert "With 5 draws no p-value can be below 0.17." in finding.sentence


@pytest.mark.parametrize(
    ("shift", "p", "verdict"), [(0.3, 0.01, "supported"), (-0.3, 0.01, "refuted"), (0.3, 0.2, "undecided")]
)
def test_a_shift_is_judged_by_its_test_and_its_sign(shift: float, p: float, verdict: str) -> None:
    row = {
        "arm": "DPN-LE",
        "trait": "all",
        "direction": "both",
        "shift": shift,
        "low": shift - 0.1,
        "high": shift + 0.1,
    }
    table = pd.DataFrame([row | {"p_holm": p, "n": 40, "unscored": 2, "least": shift - 0.2, "most": shift + 0.1}])
    ends = {f"{name}{end}": 0.0 for name in ("wellformed_change", "capability_change") for end in ("", "_low", "_high")}
    traded = pd.DataFrame([{"arm": "DPN-LE", "gamma": 0.5, "trait": "all"} | ends])
    finding = judged("moves:trait_score", results_of(shifts=table, tradeoff=traded))
    assert finding.verdict == verdict
    assert finding.numbers["shift"] == Number(shift, "points of 4", shift - 0.1, shift + 0.1, p, 40)
    assert "2 rows could not be scored and count as not moved" in finding.sentence
    assert f"the shift lies from {shift - 0.2:+.2f} to {shift + 0.1:+.2f}" in finding.sentence


@pytest.mark.parametrize(
    ("non_inferior", "inferior", "verdict"),
    [(True, False, "supported"), (False, False, "undecided"), (False, True, "refuted")],
)
def test_capability_is_judged_by_the_margin(non_inferior: bool, inferior: bool, verdict: str) -> None:
    row = {"arm": "DPN-LE", "trait": "all", "task": "all", "change": -0.02, "low": -0.1, "high": 0.0, "lower": -0.08}
    row |= {"n": 100, "items": 80, "mcnemar_p": 0.2, "detectable": 0.07}
    row |= {"non_inferior": non_inferior, "inferior": inferior}
    finding = judged("keeps:capability", results_of(capability_tests=pd.DataFrame([row])))
    assert finding.verdict == verdict
    assert "within 5 percentage points" in finding.claim
    assert "over 100 answers to 80 items" in finding.sentence
    assert "a loss of up to 8.0 cannot be excluded" in finding.sentence


def specificity(own: float, off: float, *, wide: float = 0.1) -> pd.DataFrame:
    """Two traits, each edited one way; the other one moves by `off` and its interval is `wide` either way."""
    rows = [
        {"arm": "DPN-LE", "edited": a, "measured": b, "direction": "increase", "shift": own if a == b else off}
        for a in ("Openness", "Extraversion")
        for b in ("Openness", "Extraversion")
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=table["shift"] - wide, high=table["shift"] + wide, coverage_change=-0.1, n=1000)


@pytest.mark.parametrize(
    ("own", "off", "wide", "verdict"),
    [
        (1.0, 0.05, 0.1, "supported"),
        (1.0, -0.05, 0.1, "supported"),
        (1.0, 0.5, 0.1, "undecided"),
        (1.0, 0.3, 0.3, "undecided"),
        (1.0, 0.9, 0.1, "refuted"),
        (1.0, -0.9, 0.1, "refuted"),  # the other way is no better
        (0.0, 0.0, 0.1, "undecided"),  # an edit that moves nothing shows nothing
    ],
)
def test_other_traits_are_left_alone_or_not(own: float, off: float, wide: float, verdict: str) -> None:
    finding = judged("leaves-other-traits", results_of(specificity=specificity(own, off, wide=wide)))
    assert finding.verdict == verdict
    assert finding.numbers["others"].value == pytest.approx(off)  # with its sign
    assert "changes by -10.0 percentage points" in finding.sentence


def test_noise_is_not_movement() -> None:
    """Shifts that differ from 0 as their intervals let them differ are nothing beyond noise."""
    table = specificity(1.0, 0.0, wide=0.2 * 1.959964)
    table["shift"] += [0.0, 0.2, -0.2, 0.0]
    numbers = judged("leaves-other-traits", results_of(specificity=table)).numbers
    assert numbers["noise"].value == pytest.approx(0.2, abs=1e-3)
    assert numbers["beyond_noise"].value == pytest.approx(0.0, abs=1e-2)
    assert numbers["others"].value == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("verdicts", "p_causes", "p_against", "verdict"),
    [
        (("causes", "causes"), (0.001, 0.04), (1.0, 1.0), "supported"),
        (("causes", "undecided"), (0.001, 0.2), (1.0, 0.06), "undecided"),
        (("causes", "does not cause"), (0.001, 1.0), (1.0, 0.02), "refuted"),
        (("causes", "does not cause"), (0.001, 1.0), (1.0, 0.04), "undecided"),  # 0.08 with two directions
        (("undecided", "undecided"), (float("nan"), 0.01), (float("nan"), 1.0), "undecided"),
    ],
)
def test_every_direction_must_cause(
    verdicts: tuple[str, str], p_causes: tuple[float, float], p_against: tuple[float, float], verdict: str
) -> None:
    ways = ["increase", "decrease"]
    table = pd.DataFrame(
        {"trait": "Openness", "direction": ways, "verdict": verdicts, "p_causes": p_causes, "p_against": p_against}
    ).assign(text="t")
    patching = pd.DataFrame(
        {"trait": "Openness", "mode": "joint", "set": ["selected", "matched random"], "effect": 0.1}
    )
    results = results_of(patching_verdict=table, patching=patching)
    assert judged("carries-persona", results).verdict == verdict
    assert "increase: t; decrease: t" in judged("carries-persona", results, "Openness").sentence


def test_ten_traits_and_directions_do_not_refute_by_their_number() -> None:
    traits = ["Openness", "Conscientiousness", "Extraversion", "Agreeableness", "Neuroticism"]
    table = pd.DataFrame(
        [
            {"trait": trait, "direction": way, "verdict": "causes", "p_causes": 0.02, "p_against": 1.0, "text": "t"}
            for trait in traits
            for way in ("increase", "decrease")
        ]
    )
    patching = pd.DataFrame({"trait": traits, "mode": "joint", "set": "selected", "effect": 0.1})

    def verdict(trait: str, **changed: Any) -> str:
        rows = table.copy()
        rows.loc[0, list(changed)] = list(changed.values())
        return judged("carries-persona", results_of(patching_verdict=rows, patching=patching), trait).verdict

    assert verdict("all") == "supported"  # all must hold at once, so nothing accumulates
    assert verdict("Openness") == "undecided"  # one of five traits
    against = {"verdict": "does not cause", "p_causes": 1.0}
    assert [verdict(each, **against, p_against=0.02) for each in ("all", "Openness")] == ["undecided"] * 2
    assert [verdict(each, **against, p_against=0.004) for each in ("all", "Openness")] == ["refuted"] * 2
    assert verdict("Neuroticism", **against, p_against=0.004) == "undecided"


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
    assert judged("moves-further:broad", results_of(equal_loss=pd.DataFrame(rows))).verdict == verdict


def test_what_a_study_lacks_is_not_judged() -> None:
    assert claim("carries-persona").finding(results_of(), "all") is None
    assert claim("keeps:capability").finding(results_of(), "all") is None
    assert claim("leaves-other-traits").finding(results_of(), "all") is None


def test_claims_have_ids_of_their_own_and_survive_a_manifest() -> None:
    ids = [each.id for each in claims_of(PLAN)]
    assert len(ids) == len(set(ids)) == 15
    finding = Finding("a", "claim", "refuted", {"n": Number(3, "rows", of="x")}, ("table",), "Openness", "Three.")
    assert Finding.of_entry(finding.entry()) == finding
