"""Selections repeated on other clusters."""

import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.measure.planted import planted
from workbench.select.criteria import passes, upper_quantile
from workbench.select.settings import RuleSettings
from workbench.select.stability import jaccard


@pytest.mark.parametrize("unit", ["description", "question"])
def test_planted_neurons_are_chosen_again_and_noise_is_not(unit: str) -> None:
    rule = {"quantile": 0.9, "min_d": 0.3, "unit": unit, "splits": 20, "bootstraps": 20}
    # Ten per cent of 100 neurons a layer: with 5 + 5 planted the rule has what it looks for.
    strong = wb.stability(planted(neurons=5, width=100, effect=2.0, seed=0).rows, **rule)
    noise = wb.stability(planted(neurons=5, width=100, effect=0.0, seed=0).rows, **{**rule, "min_d": 0.0})
    assert strong.split_half["corrected"].mean() > 0.9
    assert noise.split_half["corrected"].mean() < 0.5
    assert strong.frequency[strong.selected].mean() > 0.95
    assert strong.leave_one_out["jaccard"].min() > 0.8
    assert set(strong.summary()["measure"]) == set(noise.summary()["measure"])
    assert len(strong.leave_one_out) == (80 if unit == "description" else len(set(strong.leave_one_out["cluster"])))


def test_chance_is_taken_off() -> None:
    generator = torch.Generator().manual_seed(0)
    found = [
        jaccard(torch.rand(2, 500, generator=generator) < 0.3, torch.rand(2, 500, generator=generator) < 0.3)
        for _ in range(30)
    ]
    table = pd.DataFrame(found, columns=["jaccard", "chance", "corrected"])
    assert table["jaccard"].mean() > 0.15
    assert abs(table["corrected"].mean()) < 0.01


def test_replicated_masks_are_those_of_the_rule(effects: wb.Effects) -> None:
    for rule in ("dual", "magnitude-only", "d-only"):
        chosen = wb.select_neurons(effects, rule=rule, quantile=0.98, min_d=0.5)
        settings = RuleSettings(rule=rule, quantile=0.98, min_d=0.5)
        mask = passes(settings, effects.mean_difference, effects.cohens_d)
        assert wb.NeuronSet.from_mask(mask, effects.layers) == chosen.both
    with pytest.raises(ValueError, match="but not for fdr within the layer"):
        passes(RuleSettings(rule="fdr"), effects.mean_difference, effects.cohens_d)
    with pytest.raises(ValueError, match="but not for dual within the model"):
        passes(RuleSettings(within="model"), effects.mean_difference, effects.cohens_d)


@pytest.mark.parametrize("width", [2, 3, 50, 768])
@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.9, 0.995, 0.999])
def test_the_quantile_is_torchs(width: int, quantile: float) -> None:
    values = torch.randn(4, width, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(upper_quantile(values, quantile), values.quantile(quantile, dim=1))


def test_sensitivity_tells_what_each_threshold_does(effects: wb.Effects) -> None:
    table = wb.select.sensitivity(effects, quantiles=[0.9, 0.99], min_ds=[0.5, 100.0], reference=(0.99, 0.5))
    row = table[(table["quantile"] == 0.99) & (table["min_d"] == 0.5)].iloc[0]
    assert row["selected"] == len(wb.select_neurons(effects, quantile=0.99, min_d=0.5))
    assert row["jaccard"] == 1.0
    assert (table[table["min_d"] == 100.0]["selected"] == 0).all()
    assert (table["high"] + table["low"] == table["selected"]).all()


def test_agreement_between_rules(effects: wb.Effects, model: wb.Model) -> None:
    effects = effects.with_measures(write_norm=effects.mean_difference.abs() * model.write_norms())
    chosen = {rule: wb.select_neurons(effects, rule=rule, quantile=0.99, min_d=0.5) for rule in ("dual", "write-norm")}
    table = wb.select.agreement(chosen)
    assert table["intersection"].item() == len(chosen["dual"].both & chosen["write-norm"].both)
    assert table["jaccard_corrected"].item() <= table["jaccard"].item()
    with pytest.raises(ValueError, match="on the same layers"):
        wb.select.agreement({**chosen, "other": wb.select_neurons(effects, layers=[1, 2], quantile=0.9)})


def test_too_few_clusters_are_refused(contrast: wb.Contrast) -> None:
    rows = planted(rows=30, width=10, neurons=2, descriptions=3, seed=0).rows
    with pytest.raises(ValueError, match="at least 4 descriptions a pole, but there are 3"):
        wb.stability(rows)
    with pytest.raises(ValueError, match="The unit is one of description, question, but 'row'"):
        wb.stability(rows, unit="row")
