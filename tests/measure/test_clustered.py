"""Standard errors that allow for clusters: against statsmodels, and against the truth they should cover."""

import numpy as np
import pytest
import statsmodels.api as sm
import torch

import workbench as wb
from workbench.measure.clustered import clustered_errors
from workbench.measure.effects import effect_sizes
from workbench.measure.planted import planted
from workbench.measure.resampled import bootstrap_errors
from workbench.measure.units import Rows
from workbench.vocabulary import Pole


def covered(simulations: int, *, kinds: list[str] | None = None, **settings) -> float:
    """Share of the neurons whose 95 % interval holds the planted d."""
    hits = []
    for seed in range(simulations):
        truth = planted(layers=1, width=100, seed=seed, **settings)
        effects = effect_sizes(truth.rows)
        errors = clustered_errors(truth.rows, kinds=kinds) if kinds is not None else effects.errors
        low, high = effects.interval(errors=errors)
        hits.append(((low < truth.true_d) & (truth.true_d < high)).double().mean().item())
    return float(np.mean(hits))


def test_errors_of_the_mean_are_those_of_statsmodels() -> None:
    rows = planted(rows=150, layers=1, width=5, descriptions=12, questions=30, seed=2).rows
    found = clustered_errors(rows, kinds=["question"])
    assert found is not None
    pole = np.repeat([1.0, 0.0], 150)
    _, groups = np.unique([*rows.labels("question", "high"), *rows.labels("question", "low")], return_inverse=True)
    for neuron in range(5):
        y = torch.cat([rows.activations[p][:, 0, neuron] for p in (Pole.HIGH, Pole.LOW)]).double().numpy()
        fit = sm.OLS(y, sm.add_constant(pole)).fit(
            cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
        )
        factor = (len(set(groups)) / (len(set(groups)) - 1)) ** 0.5
        np.testing.assert_allclose(found.mean_difference[0, neuron], fit.bse[1] * factor, rtol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"description_std": 0.0, "question_std": 0.0},
        {"question_std": 0.8, "description_std": 0.0},
        {"interaction_std": 0.4},
    ],
)
def test_intervals_cover_the_planted_effect(settings: dict) -> None:
    assert 0.925 <= covered(25, **settings) <= 0.975


def test_intervals_that_ignore_clusters_cover_too_little() -> None:
    """The check above can fail: with strong descriptions the interval over rows misses far too often."""
    hits = []
    for seed in range(10):
        truth = planted(layers=1, width=100, descriptions=15, description_std=0.8, seed=seed)
        effects = effect_sizes(truth.rows)
        low, high = wb.Effects.interval(effects.__class__(**{**effects.__dict__, "errors": None}))
        hits.append(((low < truth.true_d) & (truth.true_d < high)).double().mean().item())
    assert np.mean(hits) < 0.7


def test_a_bootstrap_agrees_with_the_formula() -> None:
    rows = planted(layers=1, width=60, seed=4).rows
    formula, drawn = clustered_errors(rows), bootstrap_errors(rows, resamples=800, seed=1)
    assert formula is not None
    ratio = (drawn.cohens_d / formula.cohens_d).mean().item()
    assert 0.93 < ratio < 1.07
    assert drawn.clusters == formula.clusters
    assert drawn.method == "bootstrap over description and questions, 800 resamples"
    single = bootstrap_errors(rows, kinds=["description"], resamples=800)
    alone = clustered_errors(rows, kinds=["description"])
    assert alone is not None
    assert 0.93 < (single.cohens_d / alone.cohens_d).mean().item() < 1.07


def test_a_tally_with_clusters_gives_what_rows_give(model: wb.Model, contrast: wb.Contrast) -> None:
    kept = wb.capture(model, contrast, keep=True)
    streamed = wb.capture(model, contrast, clusters=["description"])
    from_moments = clustered_errors(streamed)
    from_rows = clustered_errors(kept, kinds=["description"])
    assert from_moments is not None
    assert from_rows is not None
    torch.testing.assert_close(from_moments.cohens_d, from_rows.cohens_d, rtol=1e-4, atol=1e-5)
    assert clustered_errors(wb.capture(model, contrast)) is None
    assert wb.effect_sizes(kept).method == "cluster-robust over description and questions"
    assert wb.effect_sizes(wb.capture(model, contrast)).method == "large-sample normal over rows"


def test_unknown_clusters_are_refused() -> None:
    rows = planted(rows=20, layers=1, width=3).rows
    with pytest.raises(ValueError, match="have no question ids"):
        clustered_errors(Rows(rows.activations, {"description": rows.ids["description"]}), kinds=["question"])
    with pytest.raises(ValueError, match="at least 2 resamples, but 1"):
        bootstrap_errors(rows, resamples=1)
