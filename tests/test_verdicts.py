"""The simulations behind the verdicts: every claim has one, and single studies of each world come out its way."""

from collections import Counter

import pytest

from benchmarks.verdicts.running import PARTS, SIZES, WORLDS, rates, simulations, told
from benchmarks.verdicts.simulation import Simulation, Size, World
from workbench.study.claims import claims_of
from workbench.study.config import StudyConfig
from workbench.study.plan import Plan

EVERY = [simulation for part in PARTS for simulation in simulations(part)]


def test_every_claim_that_a_study_judges_is_simulated() -> None:
    judged = {claim.id.partition(":")[0] for claim in claims_of(Plan.of(StudyConfig()))}
    simulated = {id.partition(":")[0] for simulation in EVERY for id in simulation.claims}
    assert simulated == judged


@pytest.mark.parametrize("simulation", EVERY, ids=lambda each: each.claims[0])
def test_single_studies_come_out_their_worlds_way(simulation: Simulation) -> None:
    """Three demo-sized studies a world: never the reverse of the truth, and mostly the truth."""
    found = {world: [simulation.judge(world, "demo", seed) for seed in range(3)] for world in WORLDS}
    for claim in simulation.claims:
        verdicts = {world: [study[claim] for study in studies if claim in study] for world, studies in found.items()}
        assert "refuted" not in verdicts["true"], claim
        assert "supported" not in verdicts["opposite"], claim
        assert verdicts["true"].count("supported") >= 2, claim
        assert verdicts["opposite"].count("refuted") >= 2, claim
        assert verdicts["null"].count("undecided") >= 2, claim


def test_small_studies_are_judged_too() -> None:
    for simulation in EVERY:
        assert set(simulation.judge("null", "small", 0)) <= set(simulation.claims)


def test_rates_are_shares_of_the_studies() -> None:
    counts: dict[tuple[str, World, Size], Counter[str]] = {
        ("c", world, size): Counter(undecided=3, supported=1) for world in WORLDS for size in SIZES
    }
    counts["c", "null", "small"] = Counter(undecided=4)
    table = rates(counts)["c"]
    assert {name: table[name] for name in ("null_supported", "null_refuted", "true_supported", "n")} == {
        "null_supported": 0.125,
        "null_refuted": 0.0,
        "true_supported": 0.25,
        "n": 4,
    }
    assert table["sizes"]["demo"]["opposite_supported"] == 0.25
    assert "0% [0%, 49%]" in told({"c": table})
