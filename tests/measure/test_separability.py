"""Probes on what they have not seen, with controls that stay at chance."""

import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.capture import Activations
from workbench.measure.planted import planted
from workbench.measure.separability import separability, start_layer
from workbench.measure.units import Rows
from workbench.vocabulary import Pole


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return separability(planted(rows=300, width=40, neurons=5, effect=1.2, seed=0).rows, controls=3)


def test_the_pole_is_read_and_the_controls_are_not(table: pd.DataFrame) -> None:
    assert set(table["control"]) == {"none", "shuffled labels"}
    real, shuffled = (table[table["control"] == name]["auc"] for name in ("none", "shuffled labels"))
    assert real.min() > 0.85
    assert (shuffled - 0.5).abs().max() < 0.2


def test_descriptions_that_are_learned_by_heart_do_not_help() -> None:
    """Each description has a fingerprint and no trait: rows split by question look separable, descriptions do not."""
    settings = {"rows": 300, "layers": 1, "width": 40, "effect": 0.0, "description_std": 2.0, "descriptions": 20}
    rows = planted(question_std=0.0, seed=1, **settings).rows
    with pytest.raises(ValueError, match="Folds by question alone test probes on descriptions"):
        separability(rows, groups="question")
    unknown = Rows(rows.activations, {"question": rows.ids["question"]})
    by_question = separability(unknown, groups="question", probes=["logistic"])
    by_both = separability(rows, groups="both", probes=["logistic"])
    assert by_question.query("control == 'none'")["auc"].item() > 0.9
    assert abs(by_both.query("control == 'none'")["auc"].item() - 0.5) < 0.25


def test_chosen_neurons_beat_random_ones() -> None:
    truth = planted(rows=300, layers=2, width=100, neurons=5, effect=1.2, seed=2)
    found = separability(truth.rows, neurons=truth.high | truth.low, probes=["lda"], controls=2)
    wide = found.pivot_table(index="layer", columns="control", values="auc")
    assert (wide["none"] > wide["random neurons"] + 0.15).all()


def frame(areas: list[float], errors: float = 0.01, shuffled: float = 0.5) -> pd.DataFrame:
    rows = [
        {"layer": layer, "probe": "logistic", "control": control, "auc": auc, "auc_error": errors}
        for layer, area in enumerate(areas)
        for control, auc in (("none", area), ("shuffled labels", shuffled))
    ]
    return pd.DataFrame(rows)


def test_the_start_layer_is_the_first_as_good_as_the_best() -> None:
    found = start_layer(frame([0.55, 0.8, 0.945, 0.95, 0.94]))
    assert found.layer == 2
    assert "where layer 3 has 0.950" in found.reason
    assert start_layer(frame([0.52, 0.53], errors=0.05)).layer is None
    with pytest.raises(ValueError, match="no probe 'lda', but logistic"):
        start_layer(frame([0.6]), probe="lda")


def test_what_cannot_be_split_is_refused() -> None:
    rows = planted(rows=40, layers=1, width=5, descriptions=4, seed=0).rows
    with pytest.raises(ValueError, match="5 folds need at least 10 descriptions, but there are"):
        separability(rows)
    with pytest.raises(ValueError, match="need question ids"):
        separability(Rows(rows.activations, {}), groups="question")
    with pytest.raises(ValueError, match="Probes are logistic, lda"):
        separability(rows, probes=["svm"])


def test_on_the_embedded_model(model: wb.Model) -> None:
    pairs = wb.Contrast.testbed("Extraversion", n=80, seed=1)
    acts = wb.capture(model, pairs, keep=True, layers=[0, 5])
    assert isinstance(acts, Activations)
    found = wb.separability(acts, probes=["logistic"], folds=3)
    assert found[(found["control"] == "none") & (found["layer"] == 5)]["auc"].item() > 0.95
    assert torch.equal(acts.activations[Pole.HIGH][:, 0], acts.at(0, "high"))
