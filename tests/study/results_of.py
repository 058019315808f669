"""A study's results with invented tables, for claims whose right verdict is known."""

import pandas as pd

from workbench.arm.registry import BUILT_IN
from workbench.outcome.finding import Claim, Finding
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.study.claims import claims_of
from workbench.study.config import StudyConfig
from workbench.study.plan import Plan

TARGET = Quantity("trait_score", "trait", "trait score", "points of 4", "score", span=(1.0, 5.0))
WELLFORMED = Quantity("wellformed", "cost", "well-formed sentences", "share", losses=(0.02, 0.05))
CAPABILITY = Quantity("capability", "cost", "capability", "share", column="correct", losses=(0.02, 0.05))
PLAN = Plan.of(StudyConfig())


def results_of(*, gamma: float = 0.5, method: str = "DPN-LE", **tables: pd.DataFrame) -> Results:
    """Results of the built-in arms with these tables."""
    return Results(
        frames={},
        arms={spec.name: spec for spec in BUILT_IN},
        method=method,
        gamma=gamma,
        traits=("Openness", "Extraversion"),
        target=TARGET,
        costs=(WELLFORMED, CAPABILITY),
        resamples=100,
        seed=0,
        settings=StudyConfig().settings,
        tables=tables,
    )


def claim(id: str) -> Claim:
    """A claim of the whole study."""
    return next(each for each in claims_of(PLAN) if each.id == id)


def judged(id: str, results: Results, trait: str = "all") -> Finding:
    """A claim judged by results that have something to judge it by."""
    finding = claim(id).finding(results, trait)
    assert finding is not None
    return finding
