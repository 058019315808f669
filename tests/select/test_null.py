"""What the dual rule selects under shuffled labels."""

import pytest
import torch

import workbench as wb
from workbench.measure.planted import planted


def test_planted_neurons_exceed_what_chance_selects() -> None:
    truth = planted(rows=300, width=200, neurons=10, effect=1.5, seed=0)
    null = wb.permutation_null(truth.rows, quantile=0.95, min_d=0.5, unit="description", permutations=199)
    assert null.counts is not None
    assert null.count is not None
    assert null.count == len(wb.select_neurons(wb.effect_sizes(truth.rows), quantile=0.95, min_d=0.5))
    assert null.count_pvalue == 1 / 200
    assert float(null.counts.double().mean()) < null.count / 4


def test_noise_selects_what_chance_does() -> None:
    found = [
        wb.permutation_null(
            planted(rows=200, width=200, effect=0.0, seed=seed).rows,
            quantile=0.95,
            min_d=0.2,
            permutations=99,
            unit="description",
        ).count_pvalue
        for seed in range(12)
    ]
    assert sum(p < 0.1 for p in found) <= 4


def test_a_tally_that_kept_clusters_apart_gives_what_rows_give(model: wb.Model, contrast: wb.Contrast) -> None:
    kept = wb.capture(model, contrast, keep=True)
    streamed = wb.capture(model, contrast, clusters=["description"])
    settings = {"unit": "description", "permutations": 30, "quantile": 0.99, "seed": 5}
    one, other = (wb.permutation_null(source, **settings) for source in (kept, streamed))
    torch.testing.assert_close(one.t, other.t, rtol=1e-3, atol=1e-3)
    assert one.count == other.count
    with pytest.raises(ValueError, match="need kept rows"):
        wb.permutation_null(streamed, unit="pair")
