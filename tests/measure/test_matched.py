"""Chance among neurons of like size: exact, and blind to what size alone explains."""

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom

from workbench.measure.matched import shared_by_chance, size_classes


def test_classes_are_fine_where_neurons_are_large_and_never_cross_layers() -> None:
    size = torch.rand(2, 400, generator=torch.Generator().manual_seed(0))
    classes = size_classes(size)
    assert not set(classes[0].tolist()) & set(classes[1].tolist())
    by_size = classes[0][size[0].argsort(descending=True)]
    assert (by_size.diff() >= 0).all()
    counts = torch.bincount(by_size).tolist()
    assert counts[:2] == [8, 16]
    assert max(counts) <= 40
    assert set(size_classes(size, bins=1)[0].tolist()) == {0}


def test_one_class_is_the_hypergeometric_and_several_are_what_drawing_gives() -> None:
    generator = np.random.default_rng(0)
    a, b = (torch.from_numpy(generator.random(60) < 0.3) for _ in range(2))
    one = shared_by_chance(a, b, torch.zeros(60, dtype=torch.int64))
    exact = hypergeom.pmf(np.arange(len(one)), 60, int(a.sum()), int(b.sum()))
    np.testing.assert_allclose(one, exact, atol=1e-12)
    classes = torch.arange(60) // 20
    drawn = []
    for _ in range(4000):
        dealt = torch.cat([part[torch.from_numpy(generator.permutation(20))] for part in b.split(20)])
        drawn.append(int((a & dealt).sum()))
    chance = shared_by_chance(a, b, classes)
    shares = np.bincount(drawn, minlength=len(chance)) / 4000
    np.testing.assert_allclose(chance, shares[: len(chance)], atol=0.03)
    assert float(chance.sum()) == pytest.approx(1)


def test_sets_without_a_common_class_share_nothing() -> None:
    mask = torch.tensor([True, True, False, False])
    assert shared_by_chance(mask, ~mask, torch.tensor([0, 0, 1, 1])).tolist() == [1.0]
