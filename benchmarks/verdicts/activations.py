"""Simulated activations, from which the claims on the selected neurons are judged.

A simulated trait is a set of rows: descriptions of each pole, asked questions, in 2 layers whose neurons' scales
differ widely. Every row is its pole's effect, its description's, its question's and noise, times the neuron's
scale. The tables are those of a study, and so are the judges. What the worlds mean, claim by claim:

- `beyond-chance`. Null: the poles do not differ. True: some neurons do. Opposite: fewer neurons pass than with labels
  dealt out anew, as the descriptions of the two poles come in pairs that move the neurons alike and differ in nothing.
- `stable`. Null: effects of the size at which the Jaccard of two halves, corrected for chance, is 0.5 on average, the
  claim's border. True: effects so large that halves agree. Opposite: no effect, so that halves choose at random.
- `poles-exclusive`. Null: what the high pole does to the neurons has nothing to do with what the low pole does. True:
  it does the opposite. Opposite: it does the same. At size small nothing can be decided: a verdict needs at least
  `LEAST_DESCRIPTIONS` of each pole.
- `traits-own`. Null: like poles of two traits share a fifth of the smaller set beyond what neurons of like scale share,
  which is the claim's margin. True: traits' effects are independent of each other, though all are chosen among neurons
  of large scale. Opposite: they are nearly the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from benchmarks.verdicts.simulation import Simulation, Size, World
from workbench.arm.registry import BUILT_IN
from workbench.measure.effects import effect_sizes
from workbench.measure.units import Rows
from workbench.outcome.finding import Verdict
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.select.rules import select_neurons
from workbench.study.claims.selecting import selection_claims
from workbench.study.config import StudyConfig
from workbench.study.statistics import between_traits, exclusivity_tables, null_tables, stability_tables
from workbench.vocabulary import Pole

LAYERS, WIDTH = 2, 150
DESCRIPTIONS: Mapping[Size, int] = {"small": 6, "demo": 40}
ROWS: Mapping[Size, int] = {"small": 48, "demo": 160}
QUESTIONS = 20
BORDER: Mapping[Size, float] = {"small": 1.3, "demo": 0.63}
"""The effect at which the Jaccard of two halves is 0.5, found by simulation."""
MARGIN: Mapping[Size, float] = {"small": 0.48, "demo": 0.46}
"""The share of the effects' variance that traits have in common where they share the margin, found by simulation."""

Shape = tuple[int, int]


@dataclass(frozen=True)
class Persona:
    """How descriptions move neurons.

    Attributes:
        spread: the standard deviation of a description's own effect, in noise units.
        paired: whether the descriptions of both poles come in pairs that share their effect.
        neutral: how many neutral descriptions there are; 0 for none.
    """

    spread: float = 0.4
    paired: bool = False
    neutral: int = 0


def simulated(
    generator: np.random.Generator,
    high: np.ndarray,
    low: np.ndarray,
    scale: np.ndarray,
    size: Size,
    persona: Persona = Persona(),
) -> Rows:
    """Rows of two or three poles with these effects, `(layer, d_mlp)` in noise units."""
    shape, described, rows = high.shape, DESCRIPTIONS[size], ROWS[size]
    asked = 0.4 * generator.normal(size=(QUESTIONS, *shape))
    question = generator.integers(QUESTIONS, size=rows)
    effects = {Pole.HIGH: high, Pole.LOW: low} | ({Pole.NEUTRAL: 0 * high} if persona.neutral else {})
    own = persona.spread * generator.normal(size=(described, *shape))
    activations, ids = {}, {}
    for pole, effect in effects.items():
        number = persona.neutral if pole is Pole.NEUTRAL else described
        if not (persona.paired and pole is Pole.LOW):
            own = persona.spread * generator.normal(size=(number, *shape))
        which = np.arange(rows) % number
        values = effect + own[which] + asked[question] + generator.normal(size=(rows, *shape))
        activations[pole] = torch.from_numpy(values * scale).float()
        ids[pole] = tuple(f"{'persona: ' if pole is Pole.NEUTRAL else ''}{pole} {i}" for i in which)
    questions = {pole: tuple(f"question {i}" for i in question) for pole in effects}
    return Rows(activations, {"description": ids, "question": questions}, tuple(range(shape[0])))


def scales(generator: np.random.Generator, shape: Shape = (LAYERS, WIDTH)) -> np.ndarray:
    """The neurons' scales, which differ by a factor of about 20."""
    return np.exp(0.7 * generator.normal(size=shape))


def _judged(claim: str, config: StudyConfig, traits: int, **tables: pd.DataFrame) -> dict[str, Verdict]:
    names = tuple(f"trait {i}" for i in range(traits))
    target = Quantity("trait_score", "trait", "trait score", "points of 4", column="score")
    results = Results(
        frames={},
        arms={spec.name: spec for spec in BUILT_IN},
        method="DPN-LE",
        gamma=0.5,
        traits=names,
        target=target,
        costs=(),
        resamples=100,
        seed=0,
        settings=config.settings,
        tables=tables,
    )
    finding = next(each for each in selection_claims() if each.id == claim).finding(results, "all")
    assert finding is not None
    return {claim: finding.verdict}


def beyond_chance(world: World, size: Size, seed: int) -> Mapping[str, Verdict]:
    """Verdicts on `beyond-chance` in one simulated study of 2 traits."""
    generator = np.random.default_rng(seed)
    config = StudyConfig(quantile=0.9, min_d=0.7 if size == "small" else 0.3, permutations=99)
    tables = []
    for trait in range(2):
        moved = generator.random((LAYERS, WIDTH)) < 0.15
        effect = moved * generator.normal(size=moved.shape) * {"null": 0.0, "true": 2.0, "opposite": 0.0}[world]
        persona = Persona(spread=3.0, paired=True) if world == "opposite" else Persona(spread=1.0)
        rows = simulated(generator, effect / 2, -effect / 2, scales(generator), size, persona)
        tables.append(null_tables(rows, config)["null"].assign(trait=f"trait {trait}"))
    return _judged("beyond-chance", config, 2, null=pd.concat(tables))


def stable(world: World, size: Size, seed: int) -> Mapping[str, Verdict]:
    """Verdicts on `stable` in one simulated study of 2 traits."""
    generator = np.random.default_rng(seed)
    config = StudyConfig(quantile=0.9, min_d=0.3)
    strength = {"null": BORDER[size], "true": 5.0, "opposite": 0.0}[world]
    tables = []
    for trait in range(2):
        effect = strength * generator.normal(size=(LAYERS, WIDTH))
        rows = simulated(generator, effect / 2, -effect / 2, scales(generator), size)
        tables.append(stability_tables(rows, config)["stability"].assign(trait=f"trait {trait}"))
    return _judged("stable", config, 2, stability=pd.concat(tables))


def poles_exclusive(world: World, size: Size, seed: int) -> Mapping[str, Verdict]:
    """Verdicts on `poles-exclusive` in one simulated study of 2 traits."""
    generator = np.random.default_rng(seed)
    config = StudyConfig(min_d=0.5)
    tables = []
    for trait in range(2):
        high = generator.normal(size=(LAYERS, WIDTH))
        low = {"null": generator.normal(size=high.shape), "true": -high, "opposite": high}[world]
        persona = Persona(neutral=DESCRIPTIONS[size])
        rows = simulated(generator, high, low, scales(generator), size, persona)
        tables.append(exclusivity_tables(rows, config)["exclusivity"].assign(trait=f"trait {trait}"))
    return _judged("poles-exclusive", config, 2, exclusivity=pd.concat(tables))


def traits_own(world: World, size: Size, seed: int) -> Mapping[str, Verdict]:
    """Verdicts on `traits-own` in one simulated study of 3 traits."""
    shared = {"null": MARGIN[size], "true": 0.0, "opposite": 0.95}[world]
    config = StudyConfig(rule="magnitude-only", quantile=0.75)
    generator = np.random.default_rng(seed)
    effects, selections = traits_of(generator, size, shared, config)
    tables = between_traits(effects, selections, dict.fromkeys(effects, "high"))
    return _judged("traits-own", config, 3, trait_overlap=tables["trait_overlap"])


def traits_of(generator: np.random.Generator, size: Size, shared: float, config: StudyConfig) -> tuple[dict, dict]:
    """Effects and selections of 3 traits that have this share of their effects' variance in common."""
    shape = (LAYERS, 2 * WIDTH)
    scale, common = scales(generator, shape), generator.normal(size=shape)
    effects = {}
    for trait in range(3):
        effect = 1.5 * (shared**0.5 * common + (1 - shared) ** 0.5 * generator.normal(size=shape))
        effects[f"trait {trait}"] = effect_sizes(simulated(generator, effect / 2, -effect / 2, scale, size))
    return effects, {trait: select_neurons(each, config.selecting) for trait, each in effects.items()}


SIMULATIONS: tuple[Simulation, ...] = (
    Simulation(("beyond-chance",), beyond_chance),
    Simulation(("stable",), stable),
    Simulation(("poles-exclusive",), poles_exclusive),
    Simulation(("traits-own",), traits_own),
)
