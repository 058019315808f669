"""Attribution against true patching: equal where the circuit is linear, correlated where it is not."""

from typing import Any

import numpy as np
import torch

import workbench as wb
from workbench.edit.attribution import attribution
from workbench.edit.readout import token_difference


def test_attribution_of_a_linear_circuit_is_patching(linear: Any) -> None:
    metric = token_difference(linear.model, [" party"], [" alone"])
    found = attribution(linear.model, linear.contrast, metric=metric)
    neurons = linear.causal | linear.silent | linear.aside
    for by in ("neuron", "layer"):
        agreed = found.agreement(linear.model, linear.contrast, neurons=neurons, by=by)
        np.testing.assert_allclose(agreed.table["attribution"], agreed.table["patched"], atol=1e-3)
    assert abs(found.estimate(linear.silent)) < 1e-6
    assert found.top(6) == linear.causal


def test_attribution_leaves_the_model_as_it_was_and_tells_its_agreement(model: wb.Model, contrast: wb.Contrast) -> None:
    trained = [parameter.requires_grad for parameter in model.network.parameters()]
    pairs = contrast.rows(range(4))
    found = attribution(model, pairs, layers=[4, 6])
    assert found.scores.shape == (2, 768)
    assert bool(torch.isfinite(found.scores).all())
    assert [parameter.requires_grad for parameter in model.network.parameters()] == trained
    agreed = found.agreement(model, pairs, neurons=6)
    assert agreed.n == 12
    assert agreed.pearson > 0.8
    assert "over 12 neurons and 4 pairs" in str(agreed)
