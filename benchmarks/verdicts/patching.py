"""Whether the selected neurons carry the persona: pairs whose patching is drawn, judged as a study judges them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.verdicts.simulation import Simulation, Size, World
from workbench.edit.patching import JOINT
from workbench.edit.patching import Patching as Patched
from workbench.edit.verdict import causal_verdict
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Verdict
from workbench.outcome.outcome import MATCHED, SELECTED
from workbench.outcome.patching import Patching, verdict_row
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.vocabulary import BIG_FIVE, Pole

CLAIM = "carries-persona"
DIRECTIONS = ("increase", "decrease")
PAIRS: Mapping[Size, int] = {"small": 8, "demo": 40}
TRAITS: Mapping[Size, tuple[str, ...]] = {"small": BIG_FIVE[:1], "demo": BIG_FIVE}
SHARES: Mapping[World, Mapping[str, float]] = {
    "null": {SELECTED: 0.2, MATCHED: 0.2},
    "true": {SELECTED: 0.3, MATCHED: 0.1},
    "opposite": {SELECTED: 0.1, MATCHED: 0.3},
}
"""The share of the way that each set truly moves the logits."""

_RESAMPLES = 200  # of the intervals in the text; no verdict rests on them
_TARGET = Quantity("trait_score", "trait", "trait score", "points of 4", column="score")


def drawn(world: World, pairs: int, trait: str, rng: np.random.Generator) -> Patched:
    """Joint patching of both sets on the same pairs.

    The whole way differs between pairs by a factor of two to three, and some pairs hardly have any. Pairs that share a
    description share part of their noise, both sets share part of it too, and the low descriptions repeat as the high
    ones do.
    """
    labels = {pole: rng.integers(4 * pairs, size=pairs) for pole in (Pole.HIGH, Pole.LOW)}
    by_description = {pole: rng.normal(0, 0.04, 4 * pairs)[ids] for pole, ids in labels.items()}
    whole = 10 * rng.lognormal(0, 0.5, pairs) * np.where(rng.random(pairs) < 0.1, 0.05, 1.0)
    shared = sum(by_description.values()) + rng.normal(0, 0.06, pairs)
    tables = []
    for name, share in SHARES[world].items():
        own = rng.normal(0, 0.05, 4 * pairs)[labels[Pole.HIGH]] + rng.normal(0, 0.08, pairs)
        moved = whole * (share + shared + own) + rng.normal(0, 0.2, pairs)
        tables.append(
            pd.DataFrame(
                {"set": name, "mode": "joint", "layer": JOINT, "neurons": 50, "pair": np.arange(pairs)}
                | {"effect": moved / whole, "moved": moved, "whole": whole}
            )
        )
    ids = {pole: tuple(map(str, each)) for pole, each in labels.items()}
    return Patched(trait, {}, pd.concat(tables, ignore_index=True), ids)


def judge(world: World, size: Size, seed: int) -> Mapping[str, Verdict]:
    """The verdict on the claim, over all traits and directions of a study."""
    rng = np.random.default_rng(seed)
    verdicts, shares = [], []
    for trait in TRAITS[size]:
        for direction in DIRECTIONS:
            patched = drawn(world, PAIRS[size], trait, rng)
            cause = causal_verdict(patched, selected=SELECTED, control=MATCHED, resamples=_RESAMPLES, seed=seed)
            verdicts.append({"trait": trait, "direction": direction, **verdict_row(cause)})
            effects = {SELECTED: cause.effect, **cause.controls}
            shares += [
                {"trait": trait, "set": name, "mode": "joint", "effect": each.estimate}
                for name, each in effects.items()
            ]
    results = Results(
        frames={},
        arms={},
        method="",
        gamma=0.0,
        traits=TRAITS[size],
        target=_TARGET,
        costs=(),
        resamples=_RESAMPLES,
        seed=seed,
        tables={"patching_verdict": pd.DataFrame(verdicts), "patching": pd.DataFrame(shares)},
    )
    [claim] = Patching(PAIRS[size]).claims()
    judged = claim.judge(results, ALL)
    assert judged is not None
    return {CLAIM: judged[0]}


SIMULATIONS: tuple[Simulation, ...] = (Simulation((CLAIM,), judge),)
