"""What is measured on rows leaves them as they were, whatever their type."""

from collections.abc import Callable

import pytest
import torch

import workbench as wb
from workbench.measure.planted import planted
from workbench.measure.resampled import bootstrap_errors
from workbench.measure.units import Rows, grouped, reweighted, stacks
from workbench.vocabulary import Pole

MEASURES: dict[str, Callable[[Rows], object]] = {
    "effects": lambda rows: wb.effect_sizes(rows).interval(),
    "permutations": lambda rows: wb.permutation_null(rows, unit="description", permutations=19, seed=0),
    "pairs": lambda rows: wb.permutation_null(rows, unit="pair", permutations=19, seed=0),
    "bootstrap": lambda rows: bootstrap_errors(rows, resamples=20),
    "exclusivity": lambda rows: wb.exclusivity(rows, min_d=0.5),
    "separability": lambda rows: wb.separability(rows, controls=1, seed=0),
    "pca": lambda rows: wb.pca(rows.activations[Pole.HIGH][:, 0], rows.activations[Pole.LOW][:, 0]),
    "units": lambda rows: [
        reweighted(high, low, torch.ones(1, len(high)), torch.ones(1, len(low)), 0)
        for high, low in [tuple(grouped(stack, "description") for stack in stacks(rows, kind="row"))]
    ],
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_stay_as_they_were(measure: str, dtype: torch.dtype) -> None:
    kept = planted(rows=60, layers=2, width=24, neurons=6, persona="exclusive", seed=0).rows
    rows = Rows({pole: values.to(dtype) for pole, values in kept.activations.items()}, kept.ids, kept.layers)
    before = {pole: values.clone() for pole, values in rows.activations.items()}
    MEASURES[measure](rows)
    for pole, values in before.items():
        assert torch.equal(rows.activations[pole], values)
