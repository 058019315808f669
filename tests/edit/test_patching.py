"""Interchange against a planted circuit, a slow loop, and arithmetic by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.edit.passes import neurons_read, neurons_set
from workbench.edit.patching import Patching, patch
from workbench.edit.readout import token_difference
from workbench.edit.verdict import causal_verdict, compare_sets
from workbench.vocabulary import HOOK_POST, RESID_POST


def hooks(model: wb.Model) -> int:
    return sum(len(point.fwd_hooks) + len(point._forward_hooks) for point in model.hooked.hook_dict.values())


def keeping(into: dict[str, torch.Tensor], name: str) -> Callable[[torch.Tensor], None]:
    def keep(activation: torch.Tensor) -> None:
        into[name] = activation[0, -1].clone()

    return keep


def test_patching_tells_the_planted_circuit_from_what_only_correlates(circuit: Any) -> None:
    done = patch(circuit.model, circuit.contrast, circuit.sets, mode=["joint", "by_layer", "cumulative"])
    frame = done.frame().set_index(["set", "mode", "layer"])
    effect = frame["effect"]
    assert effect["causal", "joint", -1] > 0.7
    assert abs(effect["silent", "joint", -1]) < 1e-5
    assert abs(effect["aside", "joint", -1]) < 0.05
    assert 0.2 < effect["causal", "by_layer", 0] < effect["causal", "joint", -1]
    assert effect["causal", "cumulative", 1] == effect["causal", "joint", -1]
    assert effect["causal", "cumulative", 0] == effect["causal", "by_layer", 0]
    assert (frame["n"] == len(circuit.contrast)).all()
    assert (frame["dropped"] == 0).all()
    for control in ("silent", "aside"):
        verdict = causal_verdict(done, selected="causal", control=control)
        assert verdict.verdict == "causes"
        assert f"{effect['causal', 'joint', -1]:.2f}" in str(verdict)
        assert causal_verdict(done, selected=control, control="causal").verdict == "does not cause"
    differences = compare_sets(done, "causal", "silent")
    assert (differences["low"] > 0).all()
    assert len(differences) == 5


@pytest.mark.parametrize(
    ("direction", "base", "pole"),
    # Low into neutral is left out: the planted neurons are nearly off in both.
    [("increase", "opposite", "low"), ("decrease", "opposite", "high"), ("increase", "neutral", "neutral")],
)
def test_both_directions_and_insertion_into_neutral(circuit: Any, direction: str, base: str, pole: str) -> None:
    metric = token_difference(circuit.model, [" party"], [" alone"])
    frame = patch(
        circuit.model, circuit.contrast, circuit.causal, direction=direction, base=base, metric=metric
    ).frame()
    assert frame["base"].item() == pole
    # Over 1 in neutral: without a pole the final norm divides by less.
    assert 0.8 < frame["effect"].item() < (2.0 if base == "neutral" else 1.2)


def test_without_the_plant_the_verdict_comes_out_against(unplanted: Any) -> None:
    done = patch(unplanted.model, unplanted.contrast, unplanted.sets)
    verdict = causal_verdict(done, selected="causal", control=["silent", "aside"])
    assert verdict.verdict == "does not cause"
    assert abs(verdict.effect.estimate) < 1e-5
    metric = token_difference(unplanted.model, [" party"], [" alone"])
    with pytest.raises(ValueError, match="agree by this metric in all 12 pairs"):
        patch(unplanted.model, unplanted.contrast, unplanted.causal, metric=metric)


def test_effects_that_disagree_between_pairs_leave_the_verdict_undecided(circuit: Any) -> None:
    done = patch(circuit.model, circuit.contrast, circuit.sets)
    noisy = done.table.copy()
    here = noisy["set"] == "causal"
    noisy.loc[here, "moved"] = np.tile([0.9, -0.7], int(here.sum()) // 2) * noisy.loc[here, "whole"]
    object.__setattr__(done, "table", noisy)
    verdict = causal_verdict(done, selected="causal", control="silent")
    assert verdict.verdict == "undecided"
    assert "undecided at this n" in verdict.text


def invented(moved: dict[str, np.ndarray], whole: np.ndarray) -> Patching:
    """Joint patching with these numerators and denominators."""
    tables = [
        {"set": name, "mode": "joint", "layer": -1, "neurons": 3, "pair": np.arange(len(whole)), "base": 0.0}
        | {"effect": values / whole, "moved": values, "donor": whole, "whole": whole, "patched": values}
        for name, values in moved.items()
    ]
    return Patching("Openness", {"direction": "increase"}, pd.concat(map(pd.DataFrame, tables)), {})


def test_the_effect_is_what_all_pairs_moved_over_the_whole_way_of_all(circuit: Any) -> None:
    done = patch(circuit.model, circuit.contrast, circuit.sets)
    rows = done.rows()
    np.testing.assert_allclose(rows["moved"], rows["patched_metric"] - rows["base_metric"])
    np.testing.assert_allclose(rows["whole"], rows["donor_metric"] - rows["base_metric"])
    np.testing.assert_allclose(rows["effect"], rows["moved"] / rows["whole"])
    of_causal = rows[rows["set"] == "causal"]
    expected = of_causal["moved"].sum() / of_causal["whole"].sum()
    assert done.frame().set_index("set")["effect"]["causal"] == pytest.approx(expected)


def test_a_pair_whose_runs_hardly_differ_does_not_carry_the_effect() -> None:
    whole = np.array([1.0, 1.2, 0.9, 1.1, 1.0, 0.011])
    moved = np.append(0.2 * whole[:-1], 0.3)
    done = invented({"selected": moved, "control": 0.1 * whole}, whole)
    effect = done.frame().set_index("set")["effect"]
    assert done.table["effect"].mean() > 2
    assert effect["selected"] == pytest.approx(moved.sum() / whole.sum())
    assert compare_sets(done, "selected", "control")["difference"].item() == pytest.approx(
        (moved.sum() - 0.1 * whole.sum()) / whole.sum()
    )


def test_as_much_as_a_control_is_no_proof_of_nothing() -> None:
    rng = np.random.default_rng(0)
    whole = rng.uniform(0.8, 1.2, 40)
    shared = 0.3 * whole + rng.normal(0, 0.05, 40)
    moved = {"selected": shared + rng.normal(0, 1e-3, 40), "control": shared + rng.normal(0, 1e-3, 40)}
    verdict = causal_verdict(invented(moved, whole), control="control")
    assert abs(verdict.differences["control"].high) < verdict.smallest  # as sure as it can be that both are alike
    assert verdict.verdict == "undecided"
    assert "causes more than 0 and than every control (p =" in verdict.text
    less = causal_verdict(invented(moved | {"selected": shared - 0.02 * whole}, whole), control="control")
    assert (less.verdict, less.p_against < 0.001) == ("does not cause", True)
    assert "it causes less than control (p =" in less.text
    nothing = causal_verdict(invented({name: values / 30 for name, values in moved.items()}, whole), control="control")
    assert nothing.verdict == "does not cause"
    assert "its effect is under 0.05 (p =" in nothing.text


@pytest.mark.parametrize("sign", [1, -1])
def test_a_readout_that_runs_the_other_way_changes_no_verdict(sign: int) -> None:
    rng = np.random.default_rng(0)
    whole = rng.uniform(0.8, 1.2, 20)
    moved = {"selected": 0.4 * whole + rng.normal(0, 0.05, 20), "control": 0.1 * whole}
    verdict = causal_verdict(
        invented({name: sign * values for name, values in moved.items()}, sign * whole), control="control"
    )
    assert (verdict.verdict, verdict.p_causes < 0.001, verdict.p_against) == ("causes", True, 1.0)


def test_where_the_poles_do_not_differ_the_effect_is_undefined() -> None:
    whole = np.array([1.0, -1.1, 0.9, -1.0, 0.2, -0.1, 0.3, -0.4])
    done = invented({"selected": np.full(8, 0.5) + 0.01 * whole, "control": 0.01 * whole}, whole)
    assert done.frame()[["effect", "low", "high"]].isna().all(axis=None)
    verdict = causal_verdict(done, control="control")
    assert verdict.verdict == "undecided"
    assert np.isnan([verdict.p_causes, verdict.p_against, verdict.effect.estimate]).all()
    assert "the poles' own runs do not surely differ" in verdict.text


def test_patch_equals_a_slow_loop_with_plain_hooks(model: wb.Model, contrast: wb.Contrast) -> None:
    pairs = contrast.rows(range(4))
    neurons = wb.NeuronSet.of((layer, unit) for layer in (2, 5, 6) for unit in range(0, 768, 4))
    positions = (-3, -1)
    rows = patch(model, pairs, neurons, positions=positions).rows()
    words = [model.hooked.blocks[layer].mlp.hook_post for layer in range(model.n_layers)]

    def run(prompt: wb.Prompt, new: dict[int, torch.Tensor] | None) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
        kept: dict[int, torch.Tensor] = {}

        def hook(layer: int) -> Any:
            def inner(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
                kept[layer] = output.clone()
                if new is not None:
                    output = output.clone()
                    for unit in neurons.at(layer).tolist():
                        for position in positions:
                            output[0, position, unit] = new[layer][0, position, unit]
                return output

            return inner

        handles = [words[layer].register_forward_hook(hook(layer)) for layer in (2, 5, 6)]
        with torch.no_grad():
            logits = model.hooked(torch.tensor(model.tokens(prompt)), return_type="logits")[0, -1]
        for handle in handles:
            handle.remove()
        return logits.double(), kept

    for pair in range(4):
        low, _ = run(pairs.low[pair], None)
        high, donor = run(pairs.high[pair], None)
        patched, _ = run(pairs.low[pair], donor)
        way = (high - low) - (high - low).mean()
        expected = float((patched - low) @ way / ((high - low) @ way))
        assert rows["effect"][pair] == pytest.approx(expected, abs=1e-4)
        assert abs(expected) > 0.01  # a hundred times the tolerance above


def test_the_direct_effect_is_the_write_past_every_later_layer(model: wb.Model, contrast: wb.Contrast) -> None:
    pairs = contrast.rows(range(3))
    neurons = wb.NeuronSet.of([(6, unit) for unit in range(300)])
    rows = patch(model, pairs, neurons, direct=True).rows()
    network: Any = model.network
    for pair in range(3):
        kept: dict[str, torch.Tensor] = {}
        residual: dict[str, torch.Tensor] = {}
        for pole, prompt in (("low", pairs.low[pair]), ("high", pairs.high[pair])):
            with (
                model.hooked_at(HOOK_POST, 6, keeping(kept, pole)),
                model.hooked_at(RESID_POST, 7, keeping(residual, pole)),
                torch.no_grad(),
            ):
                model.hooked(torch.tensor(model.tokens(prompt)), return_type="logits")
        write = (kept["high"] - kept["low"])[:300] @ model.w_out(6)[:300]
        with torch.no_grad():
            low, high, patched = (
                network.lm_head(network.model.norm(each[None, None]))[0, 0]
                for each in (residual["low"], residual["high"], residual["low"] + write)
            )
        way = (high - low) - (high - low).mean()
        assert rows["effect"][pair] == pytest.approx(float((patched - low) @ way / ((high - low) @ way)), abs=1e-4)
    with pytest.raises(ValueError, match=r"positions \[-2, -1\] arrived"):
        patch(model, pairs, neurons, direct=True, positions=(-2, -1))


def test_the_last_layer_acts_directly_alone(model: wb.Model, contrast: wb.Contrast) -> None:
    neurons = wb.NeuronSet.of([(7, unit) for unit in range(768)])
    pairs = contrast.rows(range(6))
    direct, total = (patch(model, pairs, neurons, direct=each).rows()["effect"] for each in (True, False))
    np.testing.assert_allclose(direct, total, atol=1e-4)


def test_every_neuron_at_the_last_position_brings_the_whole_readout(circuit: Any) -> None:
    # With plain-mean attention reading embeddings alone, the MLPs of both layers are what is patched.
    every = wb.NeuronSet.of([(layer, unit) for layer in (0, 1) for unit in range(circuit.model.d_mlp)])
    metric = token_difference(circuit.model, [" party"], [" alone"])
    assert patch(circuit.model, circuit.contrast, every, metric=metric).frame()["effect"].item() == pytest.approx(
        1.0, abs=0.1
    )


def test_no_neurons_do_nothing_and_a_run_patched_with_itself_is_itself(model: wb.Model, contrast: wb.Contrast) -> None:
    pairs = contrast.rows(range(4))
    assert (patch(model, pairs, wb.NeuronSet.of([])).rows()["effect"] == 0).all()
    neurons = wb.NeuronSet.of([(3, 4), (5, 6)])
    ids = torch.tensor(model.tokens(pairs.high[0]))
    with neurons_read(model, neurons, (-2, -1), rows=1) as own, torch.no_grad():
        plain = model.hooked(ids, return_type="logits")
    with neurons_set(model, neurons, lambda layer, rows: own.values[layer][rows], positions=(-2, -1)), torch.no_grad():
        assert torch.equal(model.hooked(ids, return_type="logits"), plain)


def test_pairs_whose_runs_agree_are_left_out_and_counted(circuit: Any) -> None:
    whole = circuit.contrast
    alike = wb.Contrast("planted", whole.high, (whole.high[0], *whole.low[1:]))
    frame = patch(circuit.model, alike, circuit.causal).frame()
    assert frame["dropped"].item() == 1
    assert frame["n"].item() == len(whole) - 1


def test_intervals_are_clustered_by_description(model: wb.Model, contrast: wb.Contrast) -> None:
    frame = patch(model, contrast, wb.NeuronSet.of([(5, 3)])).frame()
    assert frame["clusters"].item() == 36
    assert frame["n"].item() == 40
    assert list(frame.columns[-5:]) == ["low", "high", "n", "clusters", "dropped"]


def test_no_hook_survives_an_exception(circuit: Any) -> None:
    before = hooks(circuit.model)
    calls: list[int] = []

    def failing(logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise KeyError("boom")
        return logits[:, 0]

    with pytest.raises(KeyError, match="boom"):
        patch(circuit.model, circuit.contrast, circuit.causal, metric=failing)
    assert hooks(circuit.model) == before


def test_mistakes_are_told(circuit: Any) -> None:
    model, contrast, neurons = circuit.model, circuit.contrast, circuit.causal
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"direction": "up"}, "increase or decrease, but 'up'"),
        ({"base": "high"}, "'opposite' or 'neutral', but 'high'"),
        ({"mode": "each"}, r"joint, by_layer, cumulative, but \['each'\]"),
        ({"positions": (0,)}, r"Positions count from the prompt's end.*\[0\] arrived"),
        ({"positions": (-99,)}, r"\[-99\] arrived"),
        ({"metric": lambda logits, rows: logits}, "one number a row"),
    ]
    for arguments, message in mistakes:
        with pytest.raises(ValueError, match=message):
            patch(model, contrast, neurons, **arguments)
    with pytest.raises(ValueError, match="neurons 0 to 47, but 99 arrived"):
        patch(model, contrast, wb.NeuronSet.of([(0, 99)]))
    with pytest.raises(ValueError, match="Layers of .* are 0 to 1, but 7 arrived"):
        patch(model, contrast, wb.NeuronSet.of([(7, 0)]))
    bare = wb.Contrast("planted", contrast.high, contrast.low)
    with pytest.raises(ValueError, match="no neutral arm"):
        patch(model, bare, neurons, base="neutral")
    done = patch(model, contrast, neurons)
    with pytest.raises(ValueError, match="control that is another set"):
        causal_verdict(done, control=[])
    with pytest.raises(ValueError, match="no row of set 'random'"):
        causal_verdict(done, control="random")
    with pytest.raises(ValueError, match="begins words of both"):
        token_difference(model, [" party"], [" party"])


@pytest.mark.parametrize("positions", [(-1,), (-3, -1)])
def test_what_comes_before_the_patched_positions_is_computed_once(
    model: wb.Model, selection: wb.Selection, monkeypatch: pytest.MonkeyPatch, positions: tuple[int, ...]
) -> None:
    pairs = wb.Contrast.testbed("Extraversion", n=8, seed=5)
    tables, computed = [], []
    for shares in (False, True):
        monkeypatch.setattr(model, "shares_beginnings", shares)
        count: list[int] = []
        with model.hooked_at(HOOK_POST, 0, lambda values, count=count: count.append(values.shape[:2].numel())):
            done = patch(model, pairs, selection.both, mode=["joint", "by_layer"], positions=positions)
            lost = wb.edit.ablate(model, pairs, selection.both, kind="mean", positions=positions)
        tables.append((done.table, lost.table))
        computed.append(sum(count))
    for one, other in zip(*tables, strict=True):
        pd.testing.assert_frame_equal(one, other, atol=5e-3, rtol=1e-4)
    assert computed[1] < 0.6 * computed[0]
