from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.capture import Activations
from workbench.capture.capturing import capture_sites
from workbench.measure.moments import Moments
from workbench.vocabulary import HOOK_POST, Pole


def kept(model: wb.Model, contrast: wb.Contrast, **settings) -> Activations:
    activations = wb.capture(model, contrast, keep=True, **settings)
    assert isinstance(activations, Activations)
    return activations


def test_any_batching_gives_the_same_rows(model: wb.Model, contrast: wb.Contrast) -> None:
    alone = kept(model, contrast, max_tokens=1)
    together = kept(model, contrast)
    for pole in contrast.poles:
        torch.testing.assert_close(alone.activations[pole], together.activations[pole], atol=2e-5, rtol=1e-5)


def test_rows_keep_the_order_of_the_contrast(model: wb.Model, contrast: wb.Contrast) -> None:
    order = [7, 0, 3]
    all_rows, some = kept(model, contrast), kept(model, contrast.rows(order))
    for pole in contrast.poles:
        torch.testing.assert_close(some.activations[pole], all_rows.activations[pole][order], atol=2e-5, rtol=1e-5)


def test_streamed_moments_are_those_of_the_rows(model: wb.Model, contrast: wb.Contrast) -> None:
    activations = kept(model, contrast, max_tokens=200)
    for pole, rows in activations.activations.items():
        moments, expected = activations.moments[pole], rows.double().numpy()
        assert moments.count == len(contrast)
        np.testing.assert_allclose(moments.mean.numpy(), expected.mean(0), atol=1e-12)
        np.testing.assert_allclose(moments.variance.numpy(), expected.var(0, ddof=1), atol=1e-9)


def test_layers_are_read_where_asked(model: wb.Model, contrast: wb.Contrast) -> None:
    whole, part = kept(model, contrast), kept(model, contrast, layers=[6, 2])
    assert part.layers == (2, 6)
    torch.testing.assert_close(part.at(6, "high"), whole.at(6, "high"))
    with pytest.raises(ValueError, match=r"Layer 3 was not captured; these were: \[2, 6\]"):
        part.at(3, "high")


def test_several_sites_in_one_pass_equal_one_at_a_time(model: wb.Model, contrast: wb.Contrast) -> None:
    both = capture_sites(model, contrast, sites=["hook_post", "resid_post"])
    for name, tally in both.items():
        alone = wb.capture(model, contrast, site=name)
        assert tally.moments[Pole.HIGH].equal(alone.moments[Pole.HIGH])
    assert both["resid_post"].width == model.d_model
    assert both["hook_post"].width == model.d_mlp


def test_shuffled_poles_have_no_large_effect(model: wb.Model, contrast: wb.Contrast) -> None:
    activations = kept(model, contrast)
    rows = torch.cat([activations.activations[pole] for pole in (Pole.HIGH, Pole.LOW)])
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    half = len(rows) // 2
    moments = {
        Pole.HIGH: Moments.of(rows[order[:half]]),
        Pole.LOW: Moments.of(rows[order[half:]]),
    }
    shuffled = wb.Tally(activations.trait, "hook_post", activations.layers, moments)
    assert wb.effect_sizes(activations).cohens_d.abs().max() > 3
    assert wb.effect_sizes(shuffled).cohens_d.abs().max() < 1.5


def test_a_value_that_is_not_finite_is_named(model: wb.Model, contrast: wb.Contrast) -> None:
    def spoil(activation: torch.Tensor) -> torch.Tensor:
        changed = activation.clone()
        changed[..., 5] = float("nan")
        return changed

    with (
        model.hooked_at(HOOK_POST, 3, spoil),
        pytest.raises(
            FloatingPointError, match=r"hook_post of layer 3, neuron 5 is nan on the (high|low|neutral) prompt '"
        ),
    ):
        wb.capture(model, contrast)


def test_a_width_that_is_not_the_models_own_is_refused(
    model: wb.Model, contrast: wb.Contrast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wb.Model, "width", lambda self, site, layers=(0,): 123)
    with pytest.raises(ValueError, match=r"blocks.0.mlp.hook_post is 768 wide but the model's own width there is 123"):
        wb.capture(model, contrast)
    assert not any(point.fwd_hooks for point in model.hooked.hook_dict.values())


def test_layers_that_the_model_lacks_are_named(model: wb.Model, contrast: wb.Contrast) -> None:
    with pytest.raises(ValueError, match=r"Layers of testbed are 0 to 7, but \[8, 12\] arrived"):
        wb.capture(model, contrast, layers=[3, 12, 8])
    with pytest.raises(ValueError, match="There is no site 'mlp_in'"):
        wb.capture(model, contrast, site="mlp_in")


def test_progress_counts_every_prompt(model: wb.Model, contrast: wb.Contrast) -> None:
    seen = []
    wb.capture(model, contrast, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (120, 120)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_model_spread_by_a_device_map_gives_the_same(checkpoint: Path, contrast: wb.Contrast) -> None:
    whole, spread = wb.load_model(checkpoint), wb.load_model(checkpoint, device_map="auto")
    few = contrast.rows(range(6))
    for pole, rows in kept(whole, few).activations.items():
        torch.testing.assert_close(kept(spread, few).activations[pole], rows)
