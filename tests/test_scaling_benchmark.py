"""Exponents of known power laws, and every axis at its least sizes."""

from typing import Any

import pytest
import torch

import workbench as wb
from benchmarks import scaling


def test_the_exponent_of_a_power_law_is_found() -> None:
    sizes = [10, 30, 100, 300]
    fit = scaling.fitted(sizes, [0.2 * size**1.5 for size in sizes])
    assert fit.exponent == pytest.approx(1.5)
    assert fit.error == pytest.approx(0, abs=1e-6)
    assert fit.at_largest == pytest.approx(0.2 * 300**1.5)
    flat = scaling.fitted(sizes, [5.0, 5.1, 4.9, 5.0])
    assert abs(flat.exponent) < 0.02
    assert 0 < flat.error < 0.05
    with pytest.raises(ValueError, match="An exponent needs 3 sizes and costs above 0"):
        scaling.fitted([1, 2], [1.0, 2.0])


@pytest.fixture(scope="module")
def model() -> wb.Model:
    return scaling.random_llama(1)


@pytest.mark.parametrize(("axis", "size"), [("prompts", 8), ("arms × doses", 2), ("answer's length", 3)])
def test_what_an_axis_runs(axis: str, size: int, model: wb.Model) -> None:
    made: Any = scaling.AXES[axis](model, size)()
    if axis == "prompts":
        assert sum(moments.count for moments in made.moments.values()) == size
    elif axis == "arms × doses":
        assert [len(answers) for answers in made] == [8] * size
    else:
        assert [len(answer) for answer in made] == [size] * 8


def test_neurons_grow_with_layers_and_permutations_with_neurons(model: wb.Model) -> None:
    tally: Any = scaling.AXES["layers × neurons"](model, 2048)()
    assert tally.layers == (0, 1)
    null: Any = scaling.AXES["neurons permuted"](model, 300)()
    assert null.t.shape == (1, 300)
    assert null.permutations == 1000


def test_every_axis_of_a_table_is_a_line() -> None:
    points = [{"size": size, "seconds": 0.01 * size, "bytes": 1000.0} for size in (10, 20, 40)]
    text = scaling.table({"testbed": {"prompts": scaling.grown(points)}})
    assert "10 to 40" in text
    assert "1.00 ± 0.00" in text
    assert all(axis in scaling.AXES for axes in scaling.SIZES.values() for axis in axes)
    assert all(len(sizes) >= 3 for axes in scaling.SIZES.values() for sizes in axes.values())
    assert torch.get_default_dtype() == torch.float32
