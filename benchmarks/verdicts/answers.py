"""Studies whose answers and items are drawn from a known truth, judged through the study's own tables and claims."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.verdicts.simulation import Simulation, Size, World
from workbench.arm.registry import BUILT_IN
from workbench.measure.comparing import compare_arms, specificity_matrix
from workbench.measure.summarising import ALL
from workbench.model.model import Model
from workbench.outcome.finding import Verdict
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.results import Results
from workbench.study.claims import claims_of
from workbench.study.comparing.changes import Measured
from workbench.study.comparing.equal import equal_losses, equal_shift_by_trait
from workbench.study.comparing.kept import kept
from workbench.study.comparing.shifts import against_controls, shifts
from workbench.study.config import StudyConfig
from workbench.study.plan import Plan
from workbench.vocabulary import SIGN

LOSSES = (0.01, 0.02, 0.05)
TARGET = Quantity("trait_score", "trait", "trait score", "points", "score", span=(1.0, 5.0))
WELLFORMED = Quantity("wellformed", "cost", "well-formed sentences", SHARE, losses=LOSSES)
COVERAGE = Quantity("coverage", "cost", "answers with a score", SHARE, losses=LOSSES)
CAPABILITY = Quantity("capability", "cost", "capability", SHARE, "correct", losses=LOSSES)
PAIRS = Quantity("minimal_pairs", "cost", "minimal pairs", SHARE, "correct", losses=LOSSES, margin=0.05)
METHOD, GAMMA = "DPN-LE", 1.0
RESAMPLES = 700
"""Enough for the least p-value over 15 doses and costs to be below 5 % after Holm."""


@dataclass(frozen=True)
class Sizes:
    """How much a study asks: traits, questions of each, doses, items of each trait and direction, draws."""

    traits: int
    questions: int
    doses: tuple[float, ...]
    items: int
    draws: int = 20


SIZES: Mapping[Size, Sizes] = {
    "small": Sizes(1, 8, (0.5, 1.0), 12),
    "demo": Sizes(5, 20, (0.25, 0.5, 0.75, 1.0, 1.5), 30),
}


@dataclass(frozen=True)
class _Answers(Outcome):
    """Answers that were simulated."""

    name = "answers"
    quantities = (TARGET, WELLFORMED, COVERAGE)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        raise AssertionError("simulated answers are never asked for")


@dataclass(frozen=True)
class _Items(Outcome):
    """Items that were simulated."""

    name = "items"
    cluster = "item"
    by_direction = True
    quantities = (replace(CAPABILITY, margin=None), PAIRS)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        raise AssertionError("simulated items are never asked for")


@dataclass(frozen=True)
class _Truth:
    """What one arm does at gamma 1.

    Attributes:
        slope: the shift in the intended direction, in points.
        malformed: share of sentences that become malformed.
        failed: share of answers that get no score.
    """

    slope: float
    malformed: float = 0.0
    failed: float = 0.0


def _questions(size: Sizes, generator: np.random.Generator) -> pd.DataFrame:
    """Each trait's questions, with the unedited model's mean score and the score of the answer that it gave."""
    rows = [
        {"trait": f"trait {t}", "question": f"question {t}.{q}", "true": generator.normal(3.0, 0.5)}
        for t in range(size.traits)
        for q in range(size.questions)
    ]
    table = pd.DataFrame(rows)
    return table.assign(base=np.clip(table["true"] + generator.normal(0.0, 0.4, size=len(table)), 1.0, 5.0))


def _answers(
    size: Sizes, truths: Mapping[str, _Truth], generator: np.random.Generator, *, draws: Mapping[str, list[_Truth]]
) -> pd.DataFrame:
    """The unedited model's answers, every arm's at every dose, and further draws of random arms at the chosen dose.

    Shifts differ between questions (standard deviation 0.3 at gamma 1). Answers, the unedited ones too, differ by 0.4,
    as sampled ones do; every edited answer is compared with the same unedited one.
    """
    questions = _questions(size, generator)
    parts = [questions.assign(arm="none", direction="none", gamma=0.0, draw=0, score=questions["base"], wellformed=1.0)]
    arms = [(arm, 0, truth, dose) for arm, truth in truths.items() for dose in size.doses]
    arms += [(arm, i, truth, GAMMA) for arm, others in draws.items() for i, truth in enumerate(others)]
    sensitive = generator.normal(0.0, 0.3, size=len(questions))
    for arm, draw, truth, dose in arms:
        for direction, sign in SIGN.items():
            moved = dose * (truth.slope + sensitive) + generator.normal(0.0, 0.4, size=len(questions))
            score = np.clip(questions["true"] + sign * moved, 1.0, 5.0)
            failed = generator.random(len(questions)) < min(1.0, truth.failed * dose)
            sentences = generator.random((len(questions), 2)) >= min(1.0, truth.malformed * dose)
            parts.append(
                questions.assign(arm=arm, direction=direction, gamma=dose, draw=draw)
                .assign(score=np.where(failed, np.nan, score), wellformed=sentences.mean(axis=1))
            )  # fmt: skip
    frame = pd.concat(parts, ignore_index=True).drop(columns=["base", "true"])
    return frame.assign(trait_score=frame["score"], coverage=frame["score"].notna().astype(float))


def _items(size: Sizes, lost: Mapping[str, float], generator: np.random.Generator) -> pd.DataFrame:
    """Items of each trait and direction; the unedited model has 95 % right, an arm loses a share at gamma 1."""
    rows = [
        {"trait": f"trait {t}", "direction": direction, "task": "task", "item": f"{t}.{direction}.{i}"}
        for t in range(size.traits)
        for direction in SIGN
        for i in range(size.items)
    ]
    items = pd.DataFrame(rows)
    right = generator.random(len(items)) < 0.95
    parts = [items.assign(arm="none", gamma=0.0, correct=right)]
    for arm, share in lost.items():
        for dose in size.doses:
            # An item is lost where it was right and gained where it was wrong, so that the change is -share on average.
            changed = generator.random(len(items)) < np.where(right, (0.01 + share * dose) / 0.95, 0.01 / 0.05)
            parts.append(items.assign(arm=arm, gamma=dose, correct=right ^ changed))
    frame = pd.concat(parts, ignore_index=True).astype({"correct": float})
    return frame.assign(capability=frame["correct"], minimal_pairs=frame["correct"])


def _results(size: Sizes, seed: int, tables: dict[str, pd.DataFrame]) -> Results:
    return Results(
        frames={},
        arms={spec.name: spec for spec in BUILT_IN},
        method=METHOD,
        gamma=GAMMA,
        traits=tuple(f"trait {t}" for t in range(size.traits)),
        target=TARGET,
        costs=(WELLFORMED, COVERAGE, CAPABILITY),
        resamples=RESAMPLES,
        seed=seed,
        settings=StudyConfig().settings,
        tables=tables,
    )


_PLAN = Plan.of(StudyConfig())
_CLAIMS = {claim.id: claim for claim in claims_of(_PLAN)}
_KEEPS_PAIRS = "keeps:minimal_pairs"


def _judged(results: Results, *ids: str) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    for id in ids:
        finding = _CLAIMS[id].finding(results, ALL)
        if finding is not None:
            verdicts[id] = finding.verdict
    return verdicts


def moving(world: World, size: Size, seed: int) -> dict[str, Verdict]:
    """Whether the trait moves, and further than controls do.

    Null: the method is one more draw of a random control whose draws differ a little, and what is no draw does as it
    does; whether the mean moves is asked of a method that does not. True: the method
    moves by 0.5. Opposite: it moves the wrong way; and controls move by 0.5 where the method does not.
    """
    asked = replace(SIZES[size], doses=(GAMMA,))
    generator = np.random.default_rng([seed, 1])

    def draw(mean: float) -> _Truth:
        return _Truth(mean + generator.normal(0.0, 0.1))

    slopes = {"null": (0.0, 0.0), "true": (0.5, 0.0), "opposite": (-0.5, 0.5)}[world]
    method = draw(slopes[0]) if world == "null" else _Truth(slopes[0])
    other = method if world == "null" else draw(slopes[1])
    controls = {"random": [draw(slopes[1]) for _ in range(asked.draws)], "flipped": [other]}
    measured = Measured(_Answers(), _answers(asked, {METHOD: method}, generator, draws=controls))
    results = _results(asked, seed, {})
    alone = measured.only(measured.rows["arm"].isin(["none", METHOD]))
    ends = {f"{cost.change}{end}": 0.0 for cost in results.costs for end in ("", "_low", "_high")}
    tables = {
        "shifts": shifts(alone, TARGET, results),
        "against_controls": against_controls(measured, TARGET, results, tuple(controls)),
        "tradeoff": pd.DataFrame([{"arm": METHOD, "gamma": GAMMA, "trait": ALL} | ends]),
    }
    if world == "null":
        still = Measured(_Answers(), _answers(asked, {METHOD: _Truth(0.0)}, generator, draws={}))
        tables["shifts"] = shifts(still, TARGET, results)
    return _judged(replace(results, tables=tables), "moves:trait_score", "beats-controls")


def costing(world: World, size: Size, seed: int) -> dict[str, Verdict]:
    """Whether the method costs less at equal shift and moves further at equal loss than another arm.

    Both move the trait by 0.8 at gamma 1. Null: both cost alike. True: the other costs much more. Opposite: the method
    does.
    """
    asked = SIZES[size]
    generator = np.random.default_rng([seed, 2])
    cheap, dear = _Truth(0.8, 0.04, 0.02), _Truth(0.8, 0.35, 0.15)
    own, other = {"null": (cheap, cheap), "true": (cheap, dear), "opposite": (dear, cheap)}[world]
    answers = _answers(asked, {METHOD: own, "broad": other, "magnitude only": other}, generator, draws={})
    lost = {arm: truth.malformed for arm, truth in ((METHOD, own), ("broad", other), ("magnitude only", other))}
    measured = [Measured(_Answers(), answers), Measured(_Items(), _items(asked, lost, generator))]
    results = _results(asked, seed, {})
    by_trait = equal_shift_by_trait(measured, replace(results, traits=())) if asked.traits == 1 else None
    together = by_trait if by_trait is not None else _together(measured, results)
    removed = 0 if world == "opposite" and seed % 2 else 40
    tables = {
        "equal_shift_by_dose": together[together["trait"] == ALL].drop(columns="trait"),
        "equal_loss": equal_losses(measured, results),
        "selection": pd.DataFrame(
            {"trait": ["trait 0"], "removed_by_d": removed, "above_threshold": 80, "above_min_d": 900, "neurons": 2000}
        ),
    }
    ids = ("costs-less:broad", "moves-further:broad", "d-criterion-adds")
    return _judged(replace(results, tables=tables), *ids)


def _together(measured: list[Measured], results: Results) -> pd.DataFrame:
    """All traits under one name, as the claim on all of them needs no single ones."""
    renamed = [
        Measured(each.outcome, each.rows.assign(trait="every", **{each.outcome.cluster: _within_trait(each)}))
        for each in measured
    ]
    return equal_shift_by_trait(renamed, results)


def _within_trait(each: Measured) -> pd.Series:
    return each.rows["trait"] + " " + each.rows[each.outcome.cluster].astype(str)


def keeping(world: World, size: Size, seed: int) -> dict[str, Verdict]:
    """Whether items are kept to within 5 percentage points. Null: the loss is 5 points. True: none. Opposite: 20."""
    asked = replace(SIZES[size], doses=(GAMMA,))
    generator = np.random.default_rng([seed, 3])
    lost = {"null": 0.05, "true": 0.0, "opposite": 0.2}[world]
    rows = _items(asked, {METHOD: lost}, generator)
    results = _results(asked, seed, {})
    frame = rows[["arm", "trait", "direction", "gamma", "task", "item", "correct"]]
    tests = compare_arms(
        frame.assign(trait=ALL, task=ALL), by=("trait", "task"), margin=0.05, resamples=200, permutations=200, seed=seed
    )
    tables = {"capability_tests": tests, "kept": kept([Measured(_Items(), rows)], results)}
    judged = _judged(replace(results, tables=tables), "keeps:capability")
    return judged | _kept_pairs(replace(results, tables=tables))


def _kept_pairs(results: Results) -> dict[str, Verdict]:
    plan = Plan.of(StudyConfig(), outcomes=["answers", _Items()])
    claim = next(each for each in claims_of(plan) if each.id == _KEEPS_PAIRS)
    finding = claim.finding(results, ALL)
    return {} if finding is None else {_KEEPS_PAIRS: finding.verdict}


def off_target(world: World, size: Size, seed: int) -> dict[str, Verdict]:
    """Whether other traits are left alone where the edited one moves by 0.8.

    Null: they move by half of that, the margin. True: not at all. Opposite: by as much. 5 % of answers get no score.
    """
    asked = replace(SIZES[size], traits=max(3, SIZES[size].traits))
    generator = np.random.default_rng([seed, 4])
    other = {"null": 0.4, "true": 0.0, "opposite": 0.8}[world]
    questions = _questions(asked, generator)
    parts = [questions.assign(arm="none", measured=questions["trait"], direction="none", gamma=0.0)]
    parts[0]["score"] = questions["base"]
    for edited in questions["trait"].unique():
        for direction, sign in SIGN.items():
            mean = np.where(questions["trait"] == edited, 0.8, other)
            moved = mean + generator.normal(0.0, 0.4, size=len(questions))
            failed = generator.random(len(questions)) < 0.05
            score = np.where(failed, np.nan, np.clip(questions["true"] + sign * moved, 1.0, 5.0))
            rows = questions.assign(arm=METHOD, measured=questions["trait"], direction=direction, gamma=GAMMA)
            parts.append(rows.assign(trait=edited, score=score))
    frame = pd.concat(parts, ignore_index=True)
    matrix = specificity_matrix(frame, resamples=200, permutations=200, seed=seed)
    table = matrix.rename(columns={"trait": "edited"}).assign(arm=METHOD)
    return _judged(_results(asked, seed, {"specificity": table}), "leaves-other-traits")


SIMULATIONS = (
    Simulation(("moves:trait_score", "beats-controls"), moving),
    Simulation(("costs-less:broad", "moves-further:broad", "d-criterion-adds"), costing),
    Simulation(("keeps:capability", _KEEPS_PAIRS), keeping),
    Simulation(("leaves-other-traits",), off_target),
)
