"""Effects from rows against scikit-learn, SciPy and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy.stats import ttest_rel
from sklearn.metrics import roc_auc_score

from workbench.measure.effects import effect_sizes
from workbench.measure.planted import planted
from workbench.measure.rows import auroc, paired_d, partial_d
from workbench.measure.units import Rows
from workbench.vocabulary import Pole


@pytest.fixture(scope="module")
def rows() -> Rows:
    return planted(rows=80, layers=2, width=7, neurons=2, descriptions=12, seed=0).rows


def test_paired_d_is_the_paired_t_over_root_n(rows: Rows) -> None:
    high, low = rows.activations[Pole.HIGH], rows.activations[Pole.LOW]
    t = ttest_rel(high.double().numpy(), low.double().numpy()).statistic
    np.testing.assert_allclose(paired_d(high, low), t / 80**0.5, rtol=1e-9)
    with pytest.raises(ValueError, match="80 and 79"):
        paired_d(high, low[:79])


def test_auroc_is_that_of_scikit_learn_ties_and_all(rows: Rows) -> None:
    high, low = (rows.activations[pole].round() for pole in (Pole.HIGH, Pole.LOW))
    found = auroc(high, low)
    labels = np.repeat([1, 0], 80)
    for layer in range(2):
        for neuron in range(7):
            values = torch.cat([high[:, layer, neuron], low[:, layer, neuron]]).numpy()
            assert found.area[layer, neuron].item() == pytest.approx(roc_auc_score(labels, values))


@pytest.mark.parametrize(("clustered", "strength"), [(False, 0.0), (True, 0.7)])
def test_aurocs_error_is_its_spread_over_repetitions(clustered: bool, strength: float) -> None:
    settings = {"rows": 60, "layers": 1, "width": 40, "effect": 0.0, "descriptions": 20, "correlation": 0.0}
    areas, errors = [], []
    for seed in range(40):
        rows = planted(seed=seed, description_std=strength, question_std=0.0, **settings).rows
        labels = (rows.labels("description", "high"), rows.labels("description", "low"))
        found = auroc(rows.activations[Pole.HIGH], rows.activations[Pole.LOW], clusters=labels if clustered else None)
        areas.append(found.area)
        errors.append(found.error)
    ratio = torch.cat(errors).mean() / torch.cat(areas).std()
    assert 0.9 < float(ratio) < 1.1


def test_partial_d_is_the_regressions(rows: Rows) -> None:
    truth = planted(rows=100, layers=1, width=6, neurons=2, confound=0.8, seed=3)
    high, low = truth.rows.activations[Pole.HIGH], truth.rows.activations[Pole.LOW]
    length = {pole: truth.length[pole] for pole in (Pole.HIGH, Pole.LOW)}
    found = partial_d(high, low, high_covariates=length[Pole.HIGH], low_covariates=length[Pole.LOW])
    design = sm.add_constant(
        np.column_stack([np.repeat([1.0, 0.0], 100), torch.cat([length[Pole.HIGH], length[Pole.LOW]]).numpy()])
    )
    for neuron in range(6):
        fit = sm.OLS(torch.cat([high[:, 0, neuron], low[:, 0, neuron]]).double().numpy(), design).fit()
        assert found[0, neuron].item() == pytest.approx(fit.params[1] / fit.mse_resid**0.5, rel=1e-6)


def test_a_planted_confound_goes_when_it_is_regressed_out() -> None:
    truth = planted(rows=600, layers=1, width=60, neurons=5, confound=1.5, correlation=0.0, seed=4)
    rows = truth.rows
    raw = effect_sizes(rows).cohens_d
    left = partial_d(
        rows.activations[Pole.HIGH],
        rows.activations[Pole.LOW],
        high_covariates=truth.length[Pole.HIGH],
        low_covariates=truth.length[Pole.LOW],
    )
    none = truth.true_d == 0
    assert raw[none].mean() > 0.4
    assert abs(float(left[none].mean())) < 0.1
    assert bool((left[truth.true_d > 0] > 0.5).all())


def test_covariates_that_are_the_pole_are_refused(rows: Rows) -> None:
    high, low = rows.activations[Pole.HIGH], rows.activations[Pole.LOW]
    with pytest.raises(ValueError, match="no effect of the pole is left"):
        partial_d(high, low, high_covariates=torch.ones(80, 1), low_covariates=torch.zeros(80, 1))
    with pytest.raises(ValueError, match=r"80 \+ 80 rows came with 80 \+ 3"):
        partial_d(high, low, high_covariates=torch.ones(80, 1), low_covariates=torch.zeros(3, 1))


def test_effects_carry_every_measure(rows: Rows) -> None:
    effects = effect_sizes(rows, rows=True, write_norms=torch.full((2, 7), 2.0))
    assert torch.equal(effects.measure("write_norm"), effects.mean_difference.abs() * 2)
    neutral = rows.activations[Pole.NEUTRAL].double().std(0)
    torch.testing.assert_close(effects.measure("neutral_d"), effects.mean_difference / neutral)
    frame = effects.frame()
    assert {"paired_d", "auroc", "auroc_error", "neutral_d", "write_norm", "descriptions", "questions"} <= set(frame)
    assert effects.restrict([1]).measures["auroc"].shape == (1, 7)
    assert torch.equal(effects.hedges_g, effects.measure("hedges_g"))
    with pytest.raises(ValueError, match=r"no measure 'positive_difference'.*capture\(\.\.\., positive=True\)"):
        effects.measure("positive_difference")
    with pytest.raises(ValueError, match="Every measure needs one value for each neuron"):
        effects.with_measures(mine=torch.zeros(3, 3))
