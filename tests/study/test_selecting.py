"""Verdicts on the selected neurons: simulated studies whose truth is known, and tables whose right reading is."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from benchmarks.verdicts.activations import (
    SIMULATIONS,
    beyond_chance,
    poles_exclusive,
    simulated,
    traits_of,
    traits_own,
)
from benchmarks.verdicts.simulation import World
from tests.study.results_of import judged, results_of
from workbench.measure.planted import planted
from workbench.study.config import StudyConfig
from workbench.study.statistics import between_traits, null_tables, separability_of

WORLDS: tuple[World, ...] = ("null", "true", "opposite")


def null_table(**columns: object) -> pd.DataFrame:
    """What two traits' descriptions, labelled anew, select."""
    rows = {"trait": ["Openness", "Extraversion"], "shuffled": "description", "least_p": 0.001, "fixed": False}
    counts = {"selected": 30, "by_chance": 9.0, "p": 0.001, "p_fewer": 1.0, "family_wise": 4, "neurons": 600}
    return pd.DataFrame({**rows, **counts, **columns})


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({}, "supported"),
        ({"p": [0.001, 0.2]}, "undecided"),
        ({"p": 0.4}, "undecided"),  # not shown is not refuted
        ({"p": 1.0, "p_fewer": [0.01, 0.5]}, "refuted"),
        ({"p": 1.0, "p_fewer": [0.03, 0.5]}, "undecided"),  # one of two traits at 3 %
        ({"p": 1.0, "p_fewer": 1.0, "fixed": True}, "undecided"),
        ({"p": 0.1, "least_p": 0.1}, "undecided"),
    ],
)
def test_a_selection_is_refuted_only_where_it_is_surely_smaller(columns: dict, verdict: str) -> None:
    assert judged("beyond-chance", results_of(null=null_table(**columns))).verdict == verdict


def test_a_rule_that_takes_a_fixed_number_and_labels_that_show_nothing_are_said() -> None:
    fixed = judged("beyond-chance", results_of(null=null_table(p=1.0, fixed=True))).sentence
    assert "The rule takes a fixed number of neurons, 30 per trait, whatever the labels are" in fixed
    few = judged("beyond-chance", results_of(null=null_table(p=0.1, least_p=0.1))).sentence
    assert "Of 2 traits no p could be below 0.1: their labels can be dealt out in too few ways" in few


def test_magnitude_alone_is_seen_to_fix_the_number() -> None:
    generator = np.random.default_rng(0)
    effect = generator.normal(size=(2, 60))
    rows = simulated(generator, effect, -effect, np.ones((2, 60)), "small")
    takes_a_share = StudyConfig(rule="magnitude-only", quantile=0.9, permutations=50)
    assert set(null_tables(rows, takes_a_share)["null"]["fixed"]) == {True}
    assert set(null_tables(rows, StudyConfig(rule="d-only", min_d=0.5, permutations=50))["null"]["fixed"]) == {False}


def test_few_descriptions_with_a_true_effect_are_never_refuted() -> None:
    assert "refuted" not in {beyond_chance("true", "small", seed)["beyond-chance"] for seed in range(12)}


@pytest.mark.parametrize(
    ("intervals", "verdict"),
    [
        ([(0.6, 0.8), (0.55, 0.7)], "supported"),
        ([(0.4, 0.6), (0.42, 0.58)], "undecided"),
        ([(0.3, 0.55), (0.3, 0.51)], "undecided"),  # below 0.5 on average, but not surely
        ([(0.6, 0.8), (0.1, 0.3)], "refuted"),
    ],
)
def test_a_selection_is_unstable_only_where_its_interval_lies_below(
    intervals: list[tuple[float, float]], verdict: str
) -> None:
    table = pd.DataFrame(
        [
            {"trait": trait, "unit": "description", "measure": "split-half Jaccard, corrected"}
            | {"estimate": (low + high) / 2, "low": low, "high": high}
            for trait, (low, high) in zip(("Openness", "Extraversion"), intervals, strict=True)
        ]
    )
    assert judged("stable", results_of(stability=table)).verdict == verdict


@pytest.mark.parametrize(
    ("shared", "verdict"),
    [((0.001, 1.0), "refuted"), ((0.04, 1.0), "undecided"), ((1.0, 1.0), "undecided")],
)
def test_exclusivity_does_not_gather_error_over_traits(shared: tuple[float, float], verdict: str) -> None:
    table = pd.DataFrame(
        {"trait": ["Openness", "Extraversion"], "layer": -1, "high": 9, "low": 8, "intersection": 2}
        | {"matched_expected": 1.0, "correlation_halves": 0.2, "p_exclusive": 1.0, "p_shared": shared}
        | {"verdict": ["shared" if p < 0.05 else "undecided" for p in shared]}
    )
    assert judged("poles-exclusive", results_of(exclusivity=table)).verdict == verdict


def test_independent_traits_share_neurons_of_large_scale_and_are_not_refuted_for_it() -> None:
    refuted, uniform = 0, 0
    config = StudyConfig(rule="magnitude-only", quantile=0.75)
    for seed in range(40):
        effects, selections = traits_of(np.random.default_rng(seed), "small", 0.0, config)
        table = between_traits(effects, selections, {})["trait_overlap"]
        refuted += judged("traits-own", results_of(trait_overlap=table)).verdict == "refuted"
        apart = table[table["trait_a"] != table["trait_b"]]
        uniform += bool((apart["p_enrichment_holm"] < 0.05).any())
        assert (apart["p_matched_holm"] >= apart["p_matched"]).all()
    assert refuted <= 2  # 5 % of 40
    assert uniform >= 38  # sets drawn from all neurons alike would refute nearly every time


def test_traits_that_share_their_neurons_are_refuted_and_own_ones_supported() -> None:
    said = {world: Counter(traits_own(world, "demo", seed)["traits-own"] for seed in range(6)) for world in WORLDS}
    assert said["opposite"]["refuted"] == 6
    assert said["true"]["supported"] >= 3
    assert said["null"]["undecided"] >= 5


def test_the_poles_are_told_with_forty_descriptions_and_undecided_with_six() -> None:
    expected: dict[World, str] = {"true": "supported", "opposite": "refuted"}
    for world, verdict in expected.items():
        assert poles_exclusive(world, "demo", 0)["poles-exclusive"] == verdict
        assert poles_exclusive(world, "small", 0)["poles-exclusive"] == "undecided"


def test_every_claim_on_the_selected_neurons_but_one_is_simulated() -> None:
    assert {claim for each in SIMULATIONS for claim in each.claims} == {
        "beyond-chance",
        "stable",
        "poles-exclusive",
        "traits-own",
    }


def test_too_few_descriptions_leave_separability_empty_and_say_why() -> None:
    """Four descriptions a pole allow no folds that keep them apart; folds by question would show an AUC of 1."""
    settings = {"rows": 120, "layers": 1, "width": 40, "effect": 0.0, "description_std": 3.0, "seed": 1}
    table, start = separability_of(planted(descriptions=4, **settings).rows, 0)
    assert table.empty
    assert start.layer is None
    assert "No probe was fitted: 5 folds need at least 10 descriptions, but there are 8." in start.reason
    table, _ = separability_of(planted(descriptions=20, **settings).rows, 0)
    assert set(table["groups"]) == {"both"}
    assert table["auc"].max() < 0.85


def test_fewer_than_chance_is_no_finding_where_descriptions_are_matched() -> None:
    """Matched descriptions vary together, so that the true labels select fewer than labels dealt out singly."""
    row = {"trait": "Openness", "shuffled": "description", "selected": 19, "by_chance": 101.5, "p": 0.995}
    row |= {"p_fewer": 0.005, "fixed": False, "least_p": 0.005, "neurons": 46_080, "family_wise": 0}
    for matched, verdict in ((False, "refuted"), (True, "undecided")):
        finding = judged("beyond-chance", results_of(null=pd.DataFrame([row | {"matched": matched}])))
        assert finding.verdict == verdict
        assert ("matched in pairs" in finding.sentence) is matched


def test_a_bank_of_description_pairs_is_matched_and_single_ones_are_not() -> None:
    assert wb.Contrast.builtin("Openness", n=160, style="behavioural").matched_descriptions
    assert not wb.Contrast.builtin("Openness", n=160).matched_descriptions
    assert not wb.Contrast.testbed("Openness", n=160).matched_descriptions
    # Nothing stands twice beside its partner:
    assert not wb.Contrast.builtin("Openness", n=3, seed=1, style="behavioural").matched_descriptions
