"""Figures: frames in, plotly figures out. Nothing here computes what a reader might cite."""

from workbench.plots.counts import neurons_per_layer
from workbench.plots.effects import effect_map, magnitude_against_d
from workbench.plots.geometry import trait_pca
from workbench.plots.outcomes import arms_compared, dose_curves, trait_against_capability
from workbench.plots.saving import save_figure
from workbench.plots.theme import TEMPLATE

__all__ = [
    "TEMPLATE",
    "arms_compared",
    "dose_curves",
    "effect_map",
    "magnitude_against_d",
    "neurons_per_layer",
    "save_figure",
    "trait_against_capability",
    "trait_pca",
]
