"""Ablation of a planted circuit: all is lost without it, nothing without its decoys."""

from typing import Any

import pytest
import torch

import workbench as wb
from workbench.edit.ablating import ablate, ablated, reference_values
from workbench.edit.readout import token_difference
from workbench.edit.verdict import causal_verdict


@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
def test_without_the_planted_neurons_all_is_lost_and_without_the_decoys_nothing(circuit: Any, kind: str) -> None:
    metric = token_difference(circuit.model, [" party"], [" alone"])
    done = ablate(circuit.model, circuit.contrast, circuit.sets, kind=kind, metric=metric)
    lost = done.frame().set_index("set")["lost"]
    assert lost["causal"] == pytest.approx(1.0, abs=0.1)
    assert abs(lost["silent"]) < 1e-5
    verdict = causal_verdict(done, selected="causal", control="silent")
    assert verdict.verdict == "causes"
    assert "Ablated, it costs" in verdict.text
    assert causal_verdict(done, selected="silent", control="causal").verdict == "does not cause"


def test_zero_in_generation_equals_zeroed_weights_and_is_gone_after(circuit: Any) -> None:
    model, ids = circuit.model, torch.tensor(circuit.model.tokens(circuit.contrast.high[0]))
    with torch.no_grad():
        plain = model.hooked(ids, return_type="logits")
        with pytest.raises(KeyError), ablated(model, circuit.causal):
            without = model.hooked(ids, return_type="logits")
            model.generate(["you"], max_new_tokens=2, chat=False)
            raise KeyError
        assert torch.equal(model.hooked(ids, return_type="logits"), plain)
        assert not torch.allclose(without, plain)


def test_mistakes_are_told(circuit: Any) -> None:
    model, contrast, neurons = circuit.model, circuit.contrast, circuit.causal
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"kind": "noise"}, "zero, mean, resample, but 'noise'"),
        ({"pole": "neutral"}, "high or low, but 'neutral'"),
        ({"kind": "mean", "reference": "own"}, "opposite, neutral, both, but 'own'"),
    ]
    for arguments, message in mistakes:
        with pytest.raises(ValueError, match=message):
            ablate(model, contrast, neurons, **arguments)
    with pytest.raises(ValueError, match="mean ablation needs values="), ablated(model, neurons, kind="mean"):
        pass
    values = reference_values(model, contrast, circuit.silent)
    with pytest.raises(ValueError, match="it lacks"), ablated(model, neurons, kind="mean", values=values):
        pass
    assert wb.NeuronSet.of([]) == neurons - neurons
