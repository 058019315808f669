"""Exclusivity is declared where it was planted and nowhere else."""

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom

import workbench as wb
from workbench.measure.exclusivity import exclusivity
from workbench.measure.planted import planted
from workbench.measure.units import Rows
from workbench.vocabulary import Pole

STRONG = {"rows": 400, "layers": 2, "width": 150, "neurons": 40, "effect": 1.6}


def verdicts(persona: str, runs: int = 6, **settings) -> list[str]:
    return [
        exclusivity(planted(persona=persona, seed=seed, **{**STRONG, **settings}).rows, draws=999).verdict
        for seed in range(runs)
    ]


def test_each_planted_persona_is_told() -> None:
    assert verdicts("exclusive") == ["exclusive"] * 6
    assert verdicts("shared") == ["shared"] * 6
    assert verdicts("independent").count("undecided") >= 5


def test_noise_declares_nothing_although_the_neutral_arm_correlates_the_contrasts() -> None:
    settings = {**STRONG, "effect": 0.0}
    found = [exclusivity(planted(seed=seed, **settings).rows, min_d=0.1, draws=999) for seed in range(8)]
    assert min(each.total["correlation"] for each in found) > 0.3  # the neutral arm's own noise
    assert [each.verdict for each in found].count("undecided") >= 7


def test_overlap_and_its_null_are_those_of_the_sets() -> None:
    found = exclusivity(planted(persona="independent", seed=3, **STRONG).rows, bins=1, draws=20_000)
    total = found.total
    assert total["intersection"] == len(found.high & found.low)
    assert total["neurons"] == 300
    layer = found.layers[found.layers["layer"] == 0].iloc[0]
    # With one class of size the matched null is the hypergeometric one.
    exact = hypergeom(150, layer["high"], layer["low"]).sf(layer["intersection"] - 1)
    assert layer["p_matched_enrichment"] == pytest.approx(exact, abs=0.02)
    assert layer["p_enrichment"] == pytest.approx(exact)


def test_the_matched_null_knows_that_large_neurons_are_chosen_together() -> None:
    """Sets that follow activation size alone overlap above chance, and not above the matched null."""
    generator = torch.Generator().manual_seed(0)
    size = torch.cat([torch.linspace(0.1, 1, 320), torch.linspace(4, 5, 80)]).double()
    shift = (size > 2).double()
    rows = {
        pole: (torch.randn(200, 1, 400, generator=generator).double() + sign * shift * 1.2) * size
        for pole, sign in ((Pole.HIGH, 1), (Pole.LOW, 1), (Pole.NEUTRAL, 0))
    }
    rows = {pole: values.float() for pole, values in rows.items()}
    chosen = (torch.rand(400, generator=generator) < 0.5) & (size > 2)
    rows[Pole.LOW] = torch.where(chosen, rows[Pole.LOW], rows[Pole.NEUTRAL])
    found = exclusivity(Rows(rows, {}), bins=20).total
    assert found["p_enrichment"] < 1e-4
    assert found["p_matched_enrichment"] > 0.05
    assert np.isnan(found["correlation_halves"])  # no question ids


def test_it_needs_a_neutral_arm(model: wb.Model) -> None:
    texts = wb.Contrast.from_texts("any", high=["loud", "louder"], low=["still", "calm"])
    with pytest.raises(ValueError, match="this tally has none"):
        wb.exclusivity(wb.capture(model, texts))


def test_on_the_embedded_model(model: wb.Model, contrast: wb.Contrast) -> None:
    found = wb.exclusivity(wb.capture(model, contrast, keep=True))
    assert found.verdict in ("exclusive", "shared", "undecided")
    # Its neutral personas are too few to halve, so that questions are.
    assert set(found.layers["halves"]) == {"questions"}
    assert "between independent halves of the questions [" in found.text
    assert f"{len(found.high)} neurons rise under high" in found.text
    assert len(found.layers) == model.n_layers + 1
