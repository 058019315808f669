"""What a trait's selected neurons and their controls cause when held-out prompts are patched and ablated."""

from collections.abc import Mapping

import pandas as pd

from workbench.contrast.contrast import Contrast
from workbench.edit.ablating import ablate
from workbench.edit.patching import patch
from workbench.edit.verdict import causal_verdict
from workbench.model.model import Model
from workbench.study.config import StudyConfig
from workbench.vocabulary import NeuronSet

SELECTED, CONTROL = "selected", "matched random"

PATCHED = ("patching", "patching_verdict", "ablation")
"""The tables that patching a trait makes."""

_DONORS = {"increase": "high", "decrease": "low"}


def patched_tables(
    model: Model, contrast: Contrast, sets: Mapping[str, NeuronSet], config: StudyConfig
) -> dict[str, pd.DataFrame]:
    """Patching by layer, cumulative and joint, both ways; its verdict; and mean ablation, for one trait."""
    curves, verdicts, ablated = [], [], []
    for direction, donor in _DONORS.items():
        found = patch(model, contrast, sets, direction=direction, mode=("joint", "by_layer", "cumulative"))
        curves.append(found.frame(resamples=config.resamples, seed=config.seed))
        told = causal_verdict(found, selected=SELECTED, control=CONTROL, resamples=config.resamples, seed=config.seed)
        verdicts.append({"direction": direction, "verdict": told.verdict, "text": told.text})
        lost = ablate(model, contrast, sets, pole=donor, kind="mean", seed=config.seed)
        ablated.append(lost.frame(resamples=config.resamples, seed=config.seed))
    tables = {
        "patching": pd.concat(curves, ignore_index=True),
        "patching_verdict": pd.DataFrame(verdicts),
        "ablation": pd.concat(ablated, ignore_index=True),
    }
    return {name: table.assign(trait=contrast.trait) for name, table in tables.items()}
