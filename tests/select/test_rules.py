import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.measure.nulls import permuted
from workbench.measure.planted import planted
from workbench.select.criteria import magnitude_threshold


def effects_of(s: torch.Tensor, d: torch.Tensor, layers: tuple[int, ...] | None = None) -> wb.Effects:
    return wb.Effects("Extraversion", "hook_post", layers or tuple(range(len(s))), s, d, 50, 50)


def random_effects(seed: int = 0, layers: int = 3, width: int = 200) -> wb.Effects:
    generator = torch.Generator().manual_seed(seed)
    s = torch.randn(layers, width, generator=generator)
    spread = 0.2 + torch.rand(layers, width, generator=generator)
    return effects_of(s, s / spread)


@settings(deadline=None)
@given(st.integers(0, 50), st.sampled_from([0.5, 0.9, 0.99]), st.floats(0, 2))
def test_dual_is_the_overlap_of_its_two_criteria(seed: int, quantile: float, min_d: float) -> None:
    effects = random_effects(seed)
    chosen = {}
    for rule in ("dual", "magnitude-only", "d-only"):
        try:
            chosen[rule] = wb.select_neurons(effects, rule=rule, quantile=quantile, min_d=min_d).both
        except ValueError:
            chosen[rule] = wb.NeuronSet.of([])
    assert chosen["dual"] == chosen["magnitude-only"] & chosen["d-only"]


@settings(deadline=None)
@given(st.integers(0, 50))
def test_swapping_poles_swaps_high_and_low(seed: int) -> None:
    effects = random_effects(seed)
    swapped = effects_of(-effects.mean_difference, -effects.cohens_d)
    one, other = wb.select_neurons(effects, quantile=0.9), wb.select_neurons(swapped, quantile=0.9)
    assert (one.high, one.low) == (other.low, other.high)
    assert not len(one.high & one.low)


def test_a_planted_neuron_is_found_and_gone_without_the_plant() -> None:
    effects = random_effects()
    s = effects.mean_difference.clone()
    s[1, 17], d = 40.0, effects.cohens_d.clone()
    d[1, 17] = 9.0
    planted = wb.select_neurons(effects_of(s, d), quantile=0.995, min_d=5.0)
    assert list(planted.high) == [(1, 17)]
    with pytest.raises(ValueError, match="selects nothing"):
        wb.select_neurons(random_effects(), quantile=0.995, min_d=12.0)


def test_thresholds_are_strict_and_per_layer() -> None:
    s = torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 10.0, 20.0, 30.0, 40.0]])
    assert magnitude_threshold(s, 0.75).tolist() == [3.0, 30.0]
    chosen = wb.select_neurons(effects_of(s, torch.ones_like(s)), quantile=0.75, min_d=0.5)
    assert list(chosen.both) == [(0, 4), (1, 4)]
    with pytest.raises(ValueError, match="the d criterion binds"):
        wb.select_neurons(effects_of(s, torch.ones_like(s)), quantile=0.75, min_d=1.0)


def test_layers_are_absolute() -> None:
    effects = effects_of(*[random_effects().mean_difference] * 2, layers=(12, 13, 20))
    chosen = wb.select_neurons(effects, quantile=0.9, min_d=0.0, layers=[13, 20])
    assert set(chosen.both.layer.tolist()) == {13, 20}
    assert chosen.layers["layer"].tolist() == [13, 20]
    with pytest.raises(ValueError, match=r"lack \[5\]"):
        wb.select_neurons(effects, layers=[5])


def test_what_each_criterion_removes_adds_up() -> None:
    table = wb.select_neurons(random_effects(), quantile=0.8, min_d=1.5).layers
    chosen = table["high"] + table["low"]
    assert (table["above_threshold"] == chosen + table["removed_by_d"]).all()
    assert (table["above_min_d"] == chosen + table["removed_by_magnitude"]).all()
    assert table["removed_by_d"].sum() > 0


def test_broad_takes_every_neuron_that_differs() -> None:
    effects = random_effects()
    effects.mean_difference[0, 0] = 0.0
    chosen = wb.select_neurons(effects, rule="broad")
    assert len(chosen) == 3 * 200 - 1
    assert chosen.share == pytest.approx(599 / 600)


def test_an_empty_selection_names_the_criterion_that_binds() -> None:
    effects = random_effects()
    with pytest.raises(
        ValueError,
        match=r"dual rule selects nothing. Of 600 neurons \d+ pass .* and 0 pass \|d\| > 99.0: the d criterion",
    ):
        wb.select_neurons(effects, min_d=99.0)
    flat = effects_of(torch.ones(1, 5), torch.ones(1, 5))
    with pytest.raises(ValueError, match="the magnitude criterion binds. Lower the quantile"):
        wb.select_neurons(flat, rule="magnitude-only")


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_quantile_outside_0_to_1_is_refused(quantile: float) -> None:
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        wb.select_neurons(random_effects(), quantile=quantile)


def test_other_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="There is no rule 'best'. Choose one of dual,"):
        wb.select_neurons(random_effects(), rule="best")
    with pytest.raises(ValueError, match="min_d is a number from 0 up, but nan"):
        wb.select_neurons(random_effects(), min_d=float("nan"))


def test_frames_count_the_same_neurons() -> None:
    chosen = wb.select_neurons(random_effects(), quantile=0.9)
    frame, counts = chosen.frame(), chosen.counts()
    assert len(frame) == len(chosen) == counts["neurons"].sum()
    assert (frame["pole"] == "high").sum() == len(chosen.high)
    assert set(frame.columns) == {"trait", "layer", "neuron", "pole"}


def test_write_norm_ranks_what_reaches_the_residual_stream(effects: wb.Effects, model: wb.Model) -> None:
    with pytest.raises(ValueError, match=r"no measure 'write_norm'.*write_norms=model.write_norms"):
        wb.select_neurons(effects, rule="write-norm")
    norms = model.write_norms(effects.layers)
    torch.testing.assert_close(norms[3], model.w_out(3).norm(dim=1))
    written = effects.with_measures(write_norm=effects.mean_difference.abs() * norms)
    chosen = wb.select_neurons(written, rule="write-norm", quantile=0.99)
    layer, neuron = next(iter(chosen.both))
    assert float(written.measure("write_norm")[layer, neuron]) > float(
        written.measure("write_norm")[layer].quantile(0.99)
    )
    assert chosen.both != wb.select_neurons(effects, rule="magnitude-only", quantile=0.99).both


@pytest.mark.parametrize("within", ["layer", "model"])
def test_top_k_takes_the_k_largest(within: str) -> None:
    effects = random_effects(4)
    chosen = wb.select_neurons(effects, rule="top-k", by="mean_difference", k=7, within=within)
    assert len(chosen) == (21 if within == "layer" else 7)
    rest = effects.mean_difference.abs()[~chosen.both.mask((0, 1, 2), 200)]
    taken = effects.mean_difference.abs()[chosen.both.mask((0, 1, 2), 200)]
    if within == "model":
        assert taken.min() > rest.max()
    with pytest.raises(ValueError, match="needs k"):
        wb.select_neurons(effects, rule="top-k")
    with pytest.raises(ValueError, match="at most the 200 neurons"):
        wb.select_neurons(effects, rule="top-k", k=201)


def test_top_k_by_auroc_takes_both_tails() -> None:
    effects = random_effects(4).with_measures(auroc=torch.rand(3, 200, generator=torch.Generator().manual_seed(0)))
    area = effects.measure("auroc")
    chosen = wb.select_neurons(effects, rule="top-k", by="auroc", k=5, within="model")
    least = (area[chosen.both.mask((0, 1, 2), 200)] - 0.5).abs().min()
    assert least > (area[~chosen.both.mask((0, 1, 2), 200)] - 0.5).abs().max()


def test_the_npti_rule_takes_what_is_active_more_often() -> None:
    apart = torch.zeros(2, 50)
    apart[0, 3], apart[1, 7], apart[1, 8] = 0.4, -0.3, 0.05
    effects = effects_of(torch.randn(2, 50), torch.randn(2, 50)).with_measures(positive_difference=apart)
    chosen = wb.select_neurons(effects, rule="npti")
    assert (list(chosen.high), list(chosen.low)) == ([(0, 3)], [(1, 7)])
    more = wb.select_neurons(effects, rule="npti", least=2)
    assert (list(more.high), list(more.low)) == ([(0, 3), (1, 8)], [(1, 7)])
    with pytest.raises(ValueError, match="activation probability criterion binds. Lower min_probability"):
        wb.select_neurons(effects, rule="npti", min_probability=0.9)


def test_fdr_refuses_permutations_that_are_too_few_for_it() -> None:
    """20 of 2,000 neurons carry a strong effect: max-T finds them, 1 / 200 is not small enough for BH."""
    truth = planted(rows=200, layers=2, width=1000, neurons=5, effect=4.0, descriptions=20, seed=0)
    null = permuted(truth.rows, unit="description", permutations=199)
    real = truth.true_d != 0
    assert bool((null.family_wise[real] <= 0.05).all())
    coarse = wb.effect_sizes(truth.rows).with_measures(pvalue=null.pvalue)
    told = r"0.005, and bh takes it at 0.05 only if 200 of the 2000 neurons have it, but \d+ do. Use max-T"
    with pytest.raises(ValueError, match=told):
        wb.select_neurons(coarse, rule="fdr")
    fine = torch.ones(2, 1000, dtype=torch.float64)
    fine[real] = 1 / 2000
    assert len(wb.select_neurons(coarse.with_measures(pvalue=fine), rule="fdr").both) == int(real.sum()) == 20


def test_fdr_takes_a_permutations_pvalues_where_there_are_some() -> None:
    effects = random_effects(2)
    p = torch.ones(3, 200).double()
    p[1, 5] = p[2, 9] = 1e-6
    chosen = wb.select_neurons(effects.with_measures(pvalue=p), rule="fdr")
    assert list(chosen.both) == [(1, 5), (2, 9)]
    for method in ("bh", "by"):
        by_t_test = wb.select_neurons(effects, rule="fdr", method=method)
        assert by_t_test.parameters == {"alpha": 0.05, "method": method}
    assert len(wb.select_neurons(effects, rule="fdr")) > len(by_t_test)
    with pytest.raises(ValueError, match="false discovery criterion binds"):
        wb.select_neurons(effects.with_measures(pvalue=torch.ones(3, 200)), rule="fdr")


def test_a_threshold_over_the_model_is_one_threshold() -> None:
    effects = random_effects(1)
    chosen = wb.select_neurons(effects, rule="magnitude-only", quantile=0.99, within="model")
    assert chosen.layers["threshold"].nunique() == 1
    assert len(chosen) == 6


def test_each_criterion_says_what_it_alone_removes() -> None:
    effects = random_effects(0)
    table = wb.select_neurons(effects, quantile=0.9, min_d=1.0).criteria
    large = effects.mean_difference.abs() > magnitude_threshold(effects.mean_difference, 0.9)[:, None]
    strong = effects.cohens_d.abs() > 1.0
    by_d = table[table["criterion"] == "d"]
    assert by_d["removes"].tolist() == (large & ~strong).sum(1).tolist()
    assert by_d["passes"].tolist() == strong.sum(1).tolist()
    assert table[table["criterion"] == "magnitude"]["removes"].tolist() == (strong & ~large).sum(1).tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"within": "block"}, "within a layer or the model, but within='block'"),
        ({"alpha": 1.0}, "alpha lies strictly between 0 and 1"),
        ({"k": 0}, "k is a number of neurons from 1 up"),
        ({"min_probability": 1.5}, "min_probability is a share"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wb.select_neurons(random_effects(), **settings)
