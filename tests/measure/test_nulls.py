"""Permutations: exact where everything can be listed, right in level, and able to find what was planted."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from workbench.measure.nulls import false_discovery, permuted
from workbench.measure.planted import planted
from workbench.measure.units import Rows
from workbench.vocabulary import Pole


def noise(seed: int, **settings) -> Rows:
    return planted(effect=0.0, layers=2, width=60, seed=seed, **settings).rows


def test_pvalues_near_those_of_every_sign_flip() -> None:
    rows = planted(rows=9, layers=1, width=4, seed=0, effect=1.5, neurons=2).rows
    apart = (rows.activations[Pole.HIGH] - rows.activations[Pole.LOW])[:, 0].double().numpy()
    every = np.array(list(product((-1, 1), repeat=9))) @ apart
    exact = (np.abs(every) >= np.abs(apart.sum(0)) * (1 - 1e-6)).mean(0)
    found = permuted(rows, unit="pair", permutations=4000, seed=1).pvalue[0].numpy()
    np.testing.assert_allclose(found, exact, atol=0.025)


@pytest.mark.parametrize(("unit", "ignored"), [("pair", {"description_std": 0.0}), ("description", {})])
def test_the_family_wise_error_is_held_where_nothing_differs(unit: str, ignored: dict) -> None:
    rejected = [
        bool((permuted(noise(seed, **ignored), unit=unit, permutations=99, seed=seed).family_wise <= 0.05).any())
        for seed in range(60)
    ]
    assert np.mean(rejected) <= 0.15  # 0.05 expected; 60 runs give at most 9 with probability 0.999


def test_flipping_pairs_finds_too_much_where_descriptions_matter() -> None:
    """What the unit `description` is there for: rows that share a description are not independent."""

    def share(unit: str) -> float:
        found = [
            permuted(noise(seed, description_std=0.8, descriptions=12), unit=unit, permutations=99, seed=seed).pvalue
            for seed in range(12)
        ]
        return float((torch.stack(found) <= 0.05).double().mean())

    assert share("pair") > 0.3
    assert 0.02 < share("description") < 0.09


def test_planted_neurons_are_found_over_the_whole_model() -> None:
    truth = planted(rows=300, layers=2, width=100, neurons=4, effect=1.2, seed=3)
    null = permuted(truth.rows, unit="description", permutations=299, seed=0)
    found = null.family_wise <= 0.05
    real = truth.true_d != 0
    assert bool(found[real].all())
    assert int(found[~real].sum()) <= 2
    assert bool((null.family_wise >= null.family_wise_layer).all())
    assert bool((null.family_wise_layer >= null.pvalue - 1e-12).all())


def test_counts_are_the_rules_under_each_labelling() -> None:
    rows = noise(5)
    null = permuted(rows, unit="question", permutations=50, count=lambda s, d: (d.abs() > 0.2).sum(1))
    assert null.counts is not None
    assert len(null.counts) == 50
    assert 0 < null.count_pvalue <= 1
    with pytest.raises(ValueError, match="No selection rule was counted"):
        _ = permuted(rows, permutations=19).count_pvalue


def test_all_labellings_are_evaluated_where_they_are_few() -> None:
    """With 3 descriptions a pole there are 20 labellings, of which two give the same |t|: no p is below 0.10."""
    rows = planted(rows=60, layers=1, width=30, descriptions=3, effect=3.0, neurons=15, seed=1).rows
    with pytest.warns(UserWarning, match="below 0.1, as 3 and 3 descriptions a pole can be labelled in few ways"):
        null = permuted(rows, unit="description", permutations=1000, count=lambda s, d: (d.abs() > 1).sum(1))
    assert (null.exact, null.permutations, null.least_pvalue) == (True, 19, 0.1)
    assert float(null.pvalue.min()) == pytest.approx(0.1)
    # Every p-value is a whole number of pairs of labellings: exchanging all labels ties.
    np.testing.assert_allclose(null.pvalue.numpy() * 10, np.round(null.pvalue.numpy() * 10), atol=1e-9)
    assert round(null.count_pvalue * 10, 9) == round(null.count_pvalue * 10)


def test_ties_are_counted_in_double_precision() -> None:
    """Exchanging all labels gives the same |t| but for rounding; in single precision some ties would break."""
    rows = planted(rows=40, layers=2, width=400, descriptions=5, seed=4).rows
    null = permuted(rows, unit="description", permutations=300)
    assert null.exact
    assert null.permutations + 1 == 252
    np.testing.assert_allclose(null.pvalue.numpy() * 126, np.round(null.pvalue.numpy() * 126), atol=1e-9)
    pairs = permuted(Rows({pole: v[:8] for pole, v in rows.activations.items()}, {}), permutations=255)
    assert pairs.least_pvalue == 2 / 256
    np.testing.assert_allclose(pairs.pvalue.numpy() * 128, np.round(pairs.pvalue.numpy() * 128), atol=1e-9)


def test_the_resolution_is_said_before_anything_is_found() -> None:
    rows = noise(1)
    with pytest.warns(UserWarning, match=r"too few permutations \(use at least 19\): nothing is shown at 0.05"):
        permuted(rows, permutations=9)
    null = permuted(rows, permutations=199)
    assert null.least_pvalue == 1 / 200
    # 120 neurons at p = 0.005: Benjamini and Hochberg take k only at 0.05 k / 120.
    assert null.discoveries_needed() == 12
    assert "least p 0.005, false discovery from 12 neurons on" in repr(null)


def test_false_discovery_is_that_of_statsmodels() -> None:
    p = torch.rand(3, 50, generator=torch.Generator().manual_seed(0)).double()
    for method, name in (("bh", "fdr_bh"), ("by", "fdr_by")):
        expected = np.asarray(multipletests(p.flatten().numpy(), method=name)[1], dtype=float)
        np.testing.assert_allclose(false_discovery(p, method=method).flatten(), expected)
        np.testing.assert_allclose(
            false_discovery(p, method=method).flatten().numpy(),
            np.asarray(false_discovery_control(p.flatten().numpy(), method=method)),  # type: ignore[arg-type]
        )
    with pytest.raises(ValueError, match="bh or by, but 'holm'"):
        false_discovery(p, method="holm")
    with pytest.raises(ValueError, match="lie in 0 to 1"):
        false_discovery(p + 1)


def test_what_cannot_be_shuffled_is_refused() -> None:
    rows = noise(0)
    with pytest.raises(ValueError, match="pair, question, description, but 'row'"):
        permuted(rows, unit="row")
    with pytest.raises(ValueError, match="At least 1 permutation"):
        permuted(rows, permutations=0)
    uneven = Rows({**rows.activations, Pole.LOW: rows.activations[Pole.LOW][:50]}, {})
    with pytest.raises(ValueError, match="The poles of pairs are swapped row by row, but high has 400 rows and low 50"):
        permuted(uneven, permutations=2)
