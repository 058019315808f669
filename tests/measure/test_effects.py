import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

import workbench as wb
from workbench.capture.tally import Tally
from workbench.measure.effect_size import cohens_d, cohens_d_interval, hedges_g, mean_difference, pooled_std
from workbench.measure.effects import Effects, HasMoments, effect_sizes
from workbench.measure.moments import Moments
from workbench.vocabulary import NeuronSet, Pole

few = settings(max_examples=25, deadline=None)
LAYERS = (4, 5, 7)
WIDTH = 40


@dataclass(frozen=True)
class FakeTally:
    moments: Mapping[str, Moments]
    trait: str = "Extraversion"
    site: str = "hook_post"
    layers: tuple[int, ...] = LAYERS
    provenance: Mapping[str, str] = field(default_factory=lambda: {"model": "none"})


def noise(n: int, *, seed: int, width: int = WIDTH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, len(LAYERS), width, generator=generator)


def tally_of(high: torch.Tensor, low: torch.Tensor, **others: torch.Tensor) -> FakeTally:
    poles = {"high": high, "low": low, **others}
    return FakeTally({pole: Moments.of(rows) for pole, rows in poles.items()})


def slow_d(high: np.ndarray, low: np.ndarray) -> float:
    squares = sum((len(pole) - 1) * pole.var(ddof=1) for pole in (high, low))
    pooled = squares / (len(high) + len(low) - 2)
    return (high.mean() - low.mean()) / math.sqrt(pooled)


@few
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 10_000))
def test_a_slow_loop_agrees(n_high: int, n_low: int, seed: int) -> None:
    high, low = noise(n_high, seed=seed, width=2), noise(n_low, seed=seed + 1, width=2)
    d = cohens_d(Moments.of(high), Moments.of(low))
    for layer in range(len(LAYERS)):
        for neuron in range(2):
            columns = (side[:, layer, neuron].double().numpy() for side in (high, low))
            assert d[layer, neuron].item() == pytest.approx(slow_d(*columns))


@few
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 10_000))
def test_swapping_poles_negates(n_high: int, n_low: int, seed: int) -> None:
    high, low = Moments.of(noise(n_high, seed=seed)), Moments.of(noise(n_low, seed=seed + 1))
    for measure in (mean_difference, cohens_d, hedges_g):
        torch.testing.assert_close(measure(high, low), -measure(low, high))


def test_d_knows_no_unit_or_origin() -> None:
    high, low = noise(6, seed=0).double(), noise(8, seed=1).double()
    d = cohens_d(Moments.of(high), Moments.of(low))
    torch.testing.assert_close(cohens_d(Moments.of(3 * high + 2), Moments.of(3 * low + 2)), d)


def test_statsmodels_pools_alike() -> None:
    high, low = noise(6, seed=0)[:, 0, 0].double(), noise(8, seed=1)[:, 0, 0].double()
    means: Any = CompareMeans(DescrStatsW(high.numpy()), DescrStatsW(low.numpy()))
    spread = pooled_std(Moments.of(high), Moments.of(low)).item()
    assert spread * math.sqrt(1 / 6 + 1 / 8) == pytest.approx(float(means.std_meandiff_pooledvar))


def test_epsilon_is_added_to_the_variance() -> None:
    high, low = Moments.of(noise(5, seed=0)), Moments.of(noise(5, seed=1))
    torch.testing.assert_close(pooled_std(high, low, epsilon=0.5).square(), pooled_std(high, low).square() + 0.5)
    constant = Moments.of(torch.ones(3, 1))
    assert cohens_d(constant, Moments.of(torch.zeros(3, 1)), epsilon=1e-8).item() == pytest.approx(1e4)


def test_a_constant_neuron_is_nowhere_or_infinitely_apart() -> None:
    high = Moments.of(torch.tensor([[0.1, 2.0, 1.0]] * 3))
    low = Moments.of(torch.tensor([[0.1, 1.0, 2.0]] * 4))
    assert cohens_d(high, low).tolist() == [0.0, math.inf, -math.inf]
    assert hedges_g(high, low).tolist() == [0.0, math.inf, -math.inf]
    bounds = cohens_d_interval(cohens_d(high, low), 3, 4)
    assert all(bound.isnan().tolist() == [False, True, True] for bound in bounds)


def test_too_few_prompts_are_refused_in_these_words() -> None:
    two, one = Moments.of(noise(2, seed=0)), Moments.of(noise(1, seed=0))
    message = "Cohen's d needs at least 2 prompts per pole, but the low pole has 1. Add prompts or lower holdout."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        cohens_d(two, one)
    with pytest.raises(ValueError, match="but the high pole has 1"):
        cohens_d(one, two)
    with pytest.raises(ValueError, match="Hedges' g needs at least 2 prompts per pole, but the low pole has 1"):
        hedges_g(two, one)
    with pytest.raises(ValueError, match="at least 1 prompt per pole, but the low pole has 0"):
        mean_difference(two, Moments.empty((3, WIDTH)))
    with pytest.raises(ValueError, match="but the neutral pole has 1"):
        effect_sizes(FakeTally({"high": two, "neutral": one}), poles=("high", "neutral"))


def test_poles_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\{'high': \(3, 40\), 'low': \(3, 2\)\}"):
        cohens_d(Moments.of(noise(3, seed=0)), Moments.of(noise(3, seed=0, width=2)))


def test_hedges_removes_the_bias_of_d() -> None:
    # One row of "neurons" is 20,000 experiments of 4 + 4 prompts with a true effect of 1.
    high = Moments.of(noise(4, seed=0, width=20_000) + 1)
    low = Moments.of(noise(4, seed=1, width=20_000))
    assert cohens_d(high, low).mean().item() > 1.1
    assert hedges_g(high, low).mean().item() == pytest.approx(1, abs=0.02)


def test_the_interval_is_the_formula_and_covers() -> None:
    low, high = cohens_d_interval(torch.tensor([0.8]).double(), 30, 50, level=0.9)
    reach = norm.ppf(0.95) * math.sqrt(80 / 1500 + 0.64 / 160)
    assert [low.item(), high.item()] == pytest.approx([0.8 - reach, 0.8 + reach])
    d = cohens_d(Moments.of(noise(40, seed=0, width=2000) + 0.5), Moments.of(noise(40, seed=1, width=2000)))
    low, high = cohens_d_interval(d, 40, 40)
    assert ((low <= 0.5) & (high >= 0.5)).double().mean().item() == pytest.approx(0.95, abs=0.01)
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, but it is 95\.0"):
        cohens_d_interval(d, 40, 40, level=95.0)


def top(effects: Effects) -> tuple[int, int]:
    row, neuron = divmod(int(effects.cohens_d.abs().argmax()), effects.width)
    return effects.layers[row], neuron


def significant(effects: Effects, level: float = 0.9999) -> int:
    low, high = effects.interval(level)
    return int(((low > 0) | (high < 0)).sum())


def test_a_planted_neuron_is_found_and_shuffled_labels_find_nothing() -> None:
    high, low = noise(60, seed=0), noise(60, seed=1)
    unplanted = effect_sizes(tally_of(high, low))
    assert significant(unplanted) == 0
    high[:, 1, 17] += 2
    effects = effect_sizes(tally_of(high, low))
    assert top(effects) == (5, 17)
    assert significant(effects) == 1
    assert effects.at(5)[0][17].item() == pytest.approx(2, abs=0.5)
    together = torch.cat([high, low])[torch.randperm(120, generator=torch.Generator().manual_seed(2))]
    assert significant(effect_sizes(tally_of(together[:60], together[60:]))) == 0


def test_effects_of_a_tally() -> None:
    tally = tally_of(noise(6, seed=0) + 1, noise(5, seed=1), neutral=noise(4, seed=2))
    assert isinstance(tally, HasMoments)
    effects = effect_sizes(tally)
    assert (effects.trait, effects.site, effects.layers) == ("Extraversion", "hook_post", LAYERS)
    assert (effects.width, effects.n_high, effects.n_low) == (WIDTH, 6, 5)
    assert effects.cohens_d.dtype == effects.mean_difference.dtype == torch.float64
    assert effects.provenance == {"model": "none", "poles": "high - low"}
    neutral = effect_sizes(tally, poles=("high", "neutral"))
    torch.testing.assert_close(neutral.cohens_d, cohens_d(tally.moments["high"], tally.moments["neutral"]))
    assert (neutral.n_low, neutral.provenance["poles"]) == (4, "high - neutral")
    by_pole = FakeTally({Pole(pole): moments for pole, moments in tally.moments.items()})
    assert torch.equal(effect_sizes(by_pole).cohens_d, effects.cohens_d)
    assert repr(effects) == "Effects(Extraversion at hook_post, layers [4, 5, 7], width 40, n 6 + 5)"


def test_a_missing_pole_is_named() -> None:
    tally = tally_of(noise(3, seed=0), noise(3, seed=1))
    with pytest.raises(ValueError, match=r"lacks \['neutral'\]; it has \['high', 'low'\]"):
        effect_sizes(tally, poles=("low", "neutral"))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_first_neuron_that_is_not_finite_is_named(value: float) -> None:
    low = noise(3, seed=1)
    low[2, 2, 9] = low[1, 2, 11] = value
    with pytest.raises(ValueError, match=r"layer 7, neuron 9 has mean (nan|inf) on the low pole"):
        effect_sizes(tally_of(noise(3, seed=0), low))


def test_layers_can_be_read_and_restricted() -> None:
    effects = effect_sizes(tally_of(noise(6, seed=0), noise(5, seed=1)))
    difference, d = effects.at(7)
    assert torch.equal(difference, effects.mean_difference[2])
    assert torch.equal(d, effects.cohens_d[2])
    kept = effects.restrict([7, 4])
    assert kept.layers == (4, 7)
    assert torch.equal(kept.cohens_d, effects.cohens_d[[0, 2]])
    assert kept.provenance == effects.provenance
    message = r"cover layers \[4, 5, 7\], but lack \[6, 8\]"
    with pytest.raises(ValueError, match=message):
        effects.restrict(range(5, 9))
    with pytest.raises(ValueError, match=r"but lack \[0\]"):
        effects.at(0)
    with pytest.raises(ValueError, match=r"3 rows arrived with layers \(4, 4, 5\)"):
        Effects("x", "hook_post", (4, 4, 5), effects.mean_difference, effects.cohens_d, 6, 5)


def test_the_frame_holds_every_neuron_or_the_chosen() -> None:
    effects = effect_sizes(tally_of(noise(6, seed=0), noise(5, seed=1)))
    table = effects.frame()
    assert list(table) == [
        "layer", "neuron", "mean_difference", "cohens_d", "d_low", "d_high", "n_high", "n_low",
    ]  # fmt: skip
    assert len(table) == len(LAYERS) * WIDTH
    assert (table["d_low"] < table["cohens_d"]).to_numpy().all()
    assert (table["d_high"] > table["cohens_d"]).to_numpy().all()
    chosen = NeuronSet.of([(7, 3), (4, 39), (4, 0)])
    few_rows = effects.frame(chosen)
    assert NeuronSet.of(zip(few_rows["layer"], few_rows["neuron"], strict=True)) == chosen
    for row in few_rows.to_dict("records"):
        assert row["cohens_d"] == effects.at(row["layer"])[1][row["neuron"]].item()
    assert effects.frame(NeuronSet.of([])).empty
    with pytest.raises(ValueError, match=r"but lack \[6\]"):
        effects.frame(NeuronSet.of([(6, 0)]))
    with pytest.raises(ValueError, match="below the width 40, but one is 40"):
        effects.frame(NeuronSet.of([(4, 40)]))


def test_one_prompt_repeated_is_no_sample(model: wb.Model) -> None:
    """The same pair six times would have an infinite d in every neuron, and every rule would take them all."""
    same = wb.Contrast.from_texts("any", high=["I talk to everyone."] * 6, low=["I stay home."] * 6)
    with pytest.raises(ValueError, match="all 6 and 6 prompts of the two poles give the same activations"):
        wb.effect_sizes(wb.capture(model, same))


def test_equal_prompts_do_not_count_as_independent(model: wb.Model) -> None:
    """Three pairs, each four times: intervals, p-values and shuffled labels are those of three."""
    high = ["I talk to everyone.", "I enjoy the crowd.", "I am very lively."]
    low = ["I stay home.", "I avoid the crowd.", "I am very shy."]
    four = wb.capture(model, wb.Contrast.from_texts("any", high=high * 4, low=low * 4), keep=True, layers=[2])
    effects = wb.effect_sizes(four)
    assert effects.errors is not None
    assert effects.errors.clusters == {"description": 3, "question": 3}
    assert "3 descriptions, 3 questions" in repr(effects)
    with pytest.warns(UserWarning, match="below 0.25"):
        null = wb.permutation_null(four, unit="pair")
    assert null.least_pvalue == 0.25


def test_a_neuron_without_spread_has_no_pvalue_and_is_not_selected() -> None:
    rows = torch.randn(20, 1, 6, generator=torch.Generator().manual_seed(0)).double()
    high, low = rows[:10].clone(), rows[10:].clone()
    high[:, 0, 0], low[:, 0, 0] = 3.0, 1.0
    high[:, 0, 1] += 5
    tally = Tally("any", "hook_post", (0,), {Pole.HIGH: Moments.of(high), Pole.LOW: Moments.of(low)})
    effects = wb.effect_sizes(tally)
    assert effects.cohens_d[0, 0] == math.inf
    assert effects.pvalue[0, 0] == 1
    assert list(wb.select_neurons(effects, rule="d-only", min_d=2.0).both) == [(0, 1)]
    assert list(wb.select_neurons(effects, rule="fdr").both) == [(0, 1)]
