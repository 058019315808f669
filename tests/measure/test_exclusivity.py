"""Exclusivity is declared where it was planted and nowhere else."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import hypergeom

import workbench as wb
from workbench.capture.tally import Tally
from workbench.measure.contrast_correlation import LEAST_DESCRIPTIONS, correlation_of, products_of
from workbench.measure.exclusivity import exclusivity
from workbench.measure.moments import Moments
from workbench.measure.planted import planted
from workbench.measure.units import Rows, stacks
from workbench.vocabulary import Pole

STRONG = {"rows": 400, "layers": 2, "width": 150, "neurons": 40, "effect": 1.6}


def verdicts(persona: str, runs: int = 6, **settings) -> list[str]:
    return [
        exclusivity(planted(persona=persona, seed=seed, **{**STRONG, **settings}).rows).verdict for seed in range(runs)
    ]


def test_each_planted_persona_is_told() -> None:
    assert verdicts("exclusive") == ["exclusive"] * 6
    assert verdicts("shared") == ["shared"] * 6
    assert verdicts("independent").count("undecided") >= 5


def test_noise_declares_nothing_although_the_neutral_arm_correlates_the_contrasts() -> None:
    settings = {**STRONG, "effect": 0.0}
    found = [exclusivity(planted(seed=seed, **settings).rows, min_d=0.1) for seed in range(8)]
    assert min(each.total["correlation"] for each in found) > 0.3  # the neutral arm's own noise
    assert [each.verdict for each in found].count("undecided") >= 7


def test_overlap_and_its_null_are_those_of_the_sets() -> None:
    found = exclusivity(planted(persona="independent", seed=3, **STRONG).rows, bins=1)
    total = found.total
    assert total["intersection"] == len(found.high & found.low)
    assert total["neurons"] == 300
    layer = found.layers[found.layers["layer"] == 0].iloc[0]
    # With one class of size the matched null is the hypergeometric one.
    exact = hypergeom(150, layer["high"], layer["low"]).sf(layer["intersection"] - 1)
    assert layer["p_matched_enrichment"] == pytest.approx(exact)
    assert layer["p_enrichment"] == pytest.approx(exact)


def test_the_matched_null_knows_that_large_neurons_are_chosen_together() -> None:
    """Sets that follow activation size alone overlap above chance, and not above the matched null."""
    generator = torch.Generator().manual_seed(0)
    size = torch.cat([torch.linspace(0.1, 1, 320), torch.linspace(4, 5, 80)]).double()
    shift = (size > 2).double()
    rows = {
        pole: (torch.randn(200, 1, 400, generator=generator).double() + sign * shift * 1.2) * size
        for pole, sign in ((Pole.HIGH, 1), (Pole.LOW, 1), (Pole.NEUTRAL, 0))
    }
    rows = {pole: values.float() for pole, values in rows.items()}
    chosen = (torch.rand(400, generator=generator) < 0.5) & (size > 2)
    rows[Pole.LOW] = torch.where(chosen, rows[Pole.LOW], rows[Pole.NEUTRAL])
    found = exclusivity(Rows(rows, {}), bins=20).total
    assert found["p_enrichment"] < 1e-4
    assert found["p_matched_enrichment"] > 0.05
    assert np.isnan(found["correlation_halves"])  # no question ids


def test_it_needs_a_neutral_arm(model: wb.Model) -> None:
    texts = wb.Contrast.from_texts("any", high=["loud", "louder"], low=["still", "calm"])
    with pytest.raises(ValueError, match="this tally has none"):
        wb.exclusivity(wb.capture(model, texts))


def test_on_the_embedded_model(model: wb.Model, contrast: wb.Contrast) -> None:
    found = wb.exclusivity(wb.capture(model, contrast, keep=True))
    assert found.verdict in ("exclusive", "shared", "undecided")
    assert list(found.kinds["kind"]) == ["none", "persona"]
    assert "Against no system prompt (" in found.text
    assert "Against neutral personas (" in found.text
    assert f"{len(found.high)} neurons rise under high" in found.text
    assert len(found.layers) == model.n_layers + 1


def simulated(
    low: str, *, neutral: int, seed: int, none: str = "", rows: int = 240, width: int = 150, spread: float = 0.6
) -> Rows:
    """Poles of 30 descriptions each whose effects are `independent`, `equal` or `opposite`, and a neutral arm.

    Every description, a neutral one too, moves all neurons by `spread`. `none` appends as many rows without a system
    prompt, which moves the neurons as `low` does.
    """
    generator = np.random.default_rng(seed)
    effect = generator.normal(size=(1, 2, width))
    other = {"independent": generator.normal(size=effect.shape), "equal": effect, "opposite": -effect}
    scale = np.exp(0.7 * generator.normal(size=effect.shape))
    means = {Pole.HIGH: effect, Pole.LOW: other[low], Pole.NEUTRAL: 0 * effect}
    activations, ids = {}, {}
    for pole, mean in means.items():
        sizes = neutral if pole is Pole.NEUTRAL else 30
        of = generator.integers(sizes, size=rows)
        described = generator.normal(size=(sizes, 2, width)) * spread
        values = mean + described[of] + generator.normal(size=(rows, 2, width))
        names = [f"persona: {i}" if pole is Pole.NEUTRAL else f"{pole} {i}" for i in of]
        if none and pole is Pole.NEUTRAL:
            shift = {"same": 0, "between": -3 * effect}[none]
            values = np.concatenate([values, shift + generator.normal(size=(rows, 2, width))])
            names += [f"none: question {i % 60}" for i in range(rows)]
        activations[pole] = torch.from_numpy(values * scale).float()
        ids[pole] = tuple(names)
    return Rows(activations, {"description": ids}, (0, 1))


@pytest.mark.parametrize("neutral", [1, 6, 40])
def test_independent_poles_are_not_told_whatever_the_number_of_neutral_personas(neutral: int) -> None:
    """Both contrasts subtract the same personas: with few of them, their own effects would be taken for the poles'."""
    found = [exclusivity(simulated("independent", neutral=neutral, seed=seed)).verdict for seed in range(40)]
    assert found.count("undecided") >= 36  # 5 % of 40 is 2; 5 or more have probability 0.05
    if neutral < LEAST_DESCRIPTIONS:
        assert set(found) == {"undecided"}


@pytest.mark.parametrize(("low", "verdict"), [("equal", "shared"), ("opposite", "exclusive")])
def test_what_is_there_is_found_with_many_neutral_personas(low: str, verdict: str) -> None:
    assert {exclusivity(simulated(low, neutral=40, seed=seed)).verdict for seed in range(10)} == {verdict}


def test_the_interval_lets_descriptions_vary_and_neurons_too() -> None:
    """The true correlation of independent poles is 0, and 95 % of the intervals hold it."""
    totals = [
        exclusivity(simulated("independent", neutral=20, seed=seed, width=60, spread=2.0)).total for seed in range(60)
    ]
    held = [each["correlation_low"] <= 0 <= each["correlation_high"] for each in totals]
    assert np.mean(held) >= 0.87  # 52 of 60: fewer have probability 0.01 where each holds it with 0.95
    shares = [each["correlation"] for each in totals]
    assert np.mean(shares) > 0.05  # the plain correlation is raised by the noise that both contrasts share
    assert abs(np.mean([each["correlation_halves"] for each in totals])) < 0.05


def test_too_few_descriptions_are_said() -> None:
    found = exclusivity(simulated("equal", neutral=6, seed=0))
    assert found.verdict == "undecided"
    assert "at least 10 descriptions of each pole, but there are: high 30, low 30, neutral 6." in found.text


def test_how_a_neutral_prompt_is_made_does_not_decide() -> None:
    """Without a system prompt alone, however often it is asked, is one condition; kinds must agree."""
    agreeing = exclusivity(simulated("equal", neutral=40, none="same", seed=0))
    assert agreeing.verdict == "shared"
    assert dict(zip(agreeing.kinds["kind"], agreeing.kinds["verdict"], strict=True)) == {
        "none": "shared",
        "persona": "shared",
    }
    # Against a reference that lies far to one side of both poles, opposite poles agree.
    turned = exclusivity(simulated("opposite", neutral=40, none="between", seed=0))
    by_kind = dict(zip(turned.kinds["kind"], turned.kinds["verdict"], strict=True))
    assert by_kind == {"none": "shared", "persona": "exclusive"}
    assert turned.verdict == "undecided"
    assert "The kinds of neutral prompts do not agree" in turned.text
    few = exclusivity(simulated("equal", neutral=6, none="same", seed=0))
    assert few.verdict == "undecided"


def test_a_tally_that_kept_descriptions_apart_gives_the_same_as_its_rows() -> None:
    rows = simulated("equal", neutral=20, seed=1)
    kept = exclusivity(rows)
    by_pole = {}
    for pole, values in rows.activations.items():
        names = np.array(rows.labels("description", pole))
        by_pole[pole] = {str(name): Moments.of(values[torch.from_numpy(names == name)]) for name in np.unique(names)}
    tally = Tally("planted", "simulated", rows.layers, rows.moments, clusters={"description": by_pole})
    pd.testing.assert_frame_equal(exclusivity(tally).layers, kept.layers)


def test_the_correlation_is_that_of_every_pair_of_different_descriptions() -> None:
    """The closed form against a loop over high, low and two different neutral descriptions."""
    rows = simulated("equal", neutral=5, seed=2, rows=60, width=12)
    high, neutral = stacks(rows, kind="description", poles=("high", "neutral"))
    low, _ = stacks(rows, kind="description", poles=("low", "neutral"))
    scale = torch.linspace(0.5, 2, 12)
    units = [(stack.at(0)[0] / scale).numpy() for stack in (high, low, neutral)]
    units = [each - each.mean(1, keepdims=True) for each in units]
    w = [(stack.count / stack.count.sum()).numpy() for stack in (high, low, neutral)]
    h, low_mean = w[0] @ units[0], w[1] @ units[1]

    def between(weights: np.ndarray, values: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(values)) for j in range(len(values)) if i != j]
        total = sum(weights[i] * weights[j] for i, j in pairs)
        return sum(weights[i] * weights[j] * values[i] @ values[j] for i, j in pairs) / total

    n, own = w[2] @ units[2], between(w[2], units[2])
    covariance = h @ low_mean - h @ n - low_mean @ n + own
    spread_high = between(w[0], units[0]) - 2 * h @ n + own
    spread_low = between(w[1], units[1]) - 2 * low_mean @ n + own
    found = correlation_of(products_of((high, low, neutral), scale, 0), (high, low, neutral))
    assert found.estimate == pytest.approx(min(1.0, covariance / (spread_high * spread_low) ** 0.5))
