"""Correlations under many labellings against the same in double precision, where single precision would decide ties."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.measure import labelled
from workbench.measure.labelled import Labelled, Layer
from workbench.measure.labellings import labellings_of, paired_units
from workbench.measure.nulls import permuted
from workbench.measure.planted import planted
from workbench.measure.units import Rows, stacks
from workbench.vocabulary import Pole

WIDTH = 600  # three blocks, the last one smaller


def units_of(rows: Rows, unit: str, permutations: int = 60) -> Labelled:
    high, low = paired_units(*stacks(rows, kind="row" if unit == "pair" else unit), unit)
    drawn, _, _ = labellings_of(high, low, unit, permutations, np.random.default_rng(0))
    return Labelled(high, low, drawn, paired=unit != "description")


def exact(units: Labelled) -> list[torch.Tensor]:
    """Each layer's |correlations| under all labellings, in double precision."""
    return [(units.labels(slice(None)) @ layer.columns).abs() for layer in units.layers()]


def check(units: Labelled, found: Layer, sizes: torch.Tensor) -> None:
    assert torch.equal(found.at_least, (sizes >= sizes[0] * (1 - 1e-9) - 1e-11).sum(0))
    torch.testing.assert_close(found.largest, sizes.amax(1), rtol=1e-12, atol=0)


@pytest.fixture(scope="module")
def whole_numbers() -> Rows:
    """Activations that are small whole numbers, so that very many labellings give the same sum."""
    generator = torch.Generator().manual_seed(0)
    drawn = {pole: torch.randint(0, 4, (24, 2, WIDTH), generator=generator).float() for pole in (Pole.HIGH, Pole.LOW)}
    for rows in drawn.values():
        rows[..., :3] = 0.1  # constant neurons
    drawn[Pole.HIGH][..., 3] = 0.7  # constant on each pole
    drawn[Pole.LOW][..., 3] = 0.1
    ids = {
        "description": {pole: tuple(f"{pole}{i % 6}" for i in range(24)) for pole in drawn},
        "question": {pole: tuple(f"q{i // 2}" for i in range(24)) for pole in drawn},
    }
    return Rows(drawn, ids, layers=(0, 1))


@pytest.mark.parametrize("unit", ["pair", "question", "description"])
def test_ties_are_decided_in_double_precision(whole_numbers: Rows, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    units = units_of(whole_numbers, unit, permutations=400)
    sizes = exact(units)
    for found, expected in zip(units.layers(), sizes, strict=True):
        check(units, found, expected)
        assert found.at_least[:3].tolist() == [401] * 3
    monkeypatch.setattr(labelled, "_ROUNDING", 0.0)
    monkeypatch.setattr(Labelled, "_slack", lambda self, labels: 1e-30)
    monkeypatch.setattr(labelled, "just_below", lambda size: size)
    alone = next(units.layers()).at_least
    assert not torch.equal(alone, (sizes[0] >= sizes[0][0] * (1 - 1e-9) - 1e-11).sum(0))


@pytest.mark.parametrize("unit", ["pair", "description"])
def test_blocks_of_any_size_give_the_same(whole_numbers: Rows, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    units = units_of(whole_numbers, unit)
    sizes = exact(units)
    monkeypatch.setattr(labelled, "_NEURONS", 7)
    monkeypatch.setattr(labelled, "_LABELLINGS", 9)
    for found, expected in zip(units.layers(), sizes, strict=True):
        check(units, found, expected)


@pytest.mark.parametrize("shape", ["normal", "one large", "in order", "far from zero", "few"])
def test_rounding_stays_within_what_is_allowed_for(shape: str) -> None:
    generator = torch.Generator().manual_seed(1)
    high, low = torch.randn(2, 700, 1, 64, generator=generator)
    if shape == "one large":
        high[0] *= 1000
    elif shape == "in order":
        high, low = (high + 1).sort(0).values, low.sort(0, descending=True).values
    elif shape == "far from zero":
        high, low = high + 300, low + 299
    elif shape == "few":
        high, low = high[:3], low[:3]
    ids = {"description": {pole: tuple(f"{pole}{i % 20}" for i in range(len(high))) for pole in ("high", "low")}}
    rows = Rows({Pole.HIGH: high, Pole.LOW: low}, {k: {Pole(p): i for p, i in v.items()} for k, v in ids.items()})
    for unit in ("pair", "description"):
        units = units_of(rows, unit, permutations=200)
        [layer] = list(units.layers())
        labels = units.labels(slice(1, None))
        wrong = (labels.float() @ layer.columns.float() - labels @ layer.columns).abs().max()
        assert float(wrong) < units._slack(labels) / 2


def test_a_machine_that_multiplies_less_precisely_changes_nothing(
    whole_numbers: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = units_of(whole_numbers, "pair")
    sizes = exact(units)[0]

    def coarse(a: torch.Tensor, b: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
        return out.copy_(a.bfloat16() @ b.bfloat16())

    monkeypatch.setattr(torch, "mm", coarse)
    check(units, next(units.layers()), sizes)


def test_the_true_labels_seen_again_are_as_extreme() -> None:
    """The mirrored and the same labels tie with the true ones for every neuron and for the largest."""
    rows = planted(rows=6, layers=2, width=WIDTH, effect=2.0, neurons=50, seed=3).rows
    null = permuted(rows, permutations=63)
    assert null.exact
    every = torch.tensor(list(product((1, -1), repeat=6))).double()
    for layer in range(2):
        apart = (rows.activations[Pole.HIGH] - rows.activations[Pole.LOW])[:, layer].double()
        expected = ((every @ apart).abs() >= apart.sum(0).abs() - 1e-9).double().mean(0)
        torch.testing.assert_close(null.pvalue[layer], expected)
        assert float(null.family_wise_layer[layer].min()) == 2 / 64


def test_counts_skip_only_labellings_that_select_nothing() -> None:
    rows = planted(rows=60, layers=2, width=WIDTH, effect=1.0, neurons=50, seed=4).rows

    def strong(difference: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        return (d.abs() > 0.8).sum(1)

    for unit in ("pair", "description"):
        every, some = (permuted(rows, unit=unit, permutations=199, count=strong, least_d=d) for d in (0.0, 0.8))
        assert every.counts is not None
        assert some.counts is not None
        assert every.count == some.count
        assert torch.equal(every.counts, some.counts)
        assert int((every.counts == 0).sum()) > 20


def test_no_tensor_holds_all_labellings_of_all_neurons() -> None:
    rows = planted(rows=40, layers=1, width=2000, seed=5).rows
    largest: list[int] = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            largest.append(made.numel() if isinstance(made, torch.Tensor) else 0)
            return made

    with Sizes():
        permuted(rows, permutations=500, count=lambda s, d: (d.abs() > 9).sum(1), least_d=9.0)
    assert max(largest) < 500 * 2000 / 3
