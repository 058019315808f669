"""Figures: frames in, plotly figures out. Nothing here computes what a reader might cite."""

from workbench.plots.claims import shift_beyond_controls, specificity_heatmap
from workbench.plots.counts import neurons_per_layer
from workbench.plots.effects import effect_map, magnitude_against_d
from workbench.plots.geometry import trait_pca
from workbench.plots.outcomes import arms_compared, dose_curves, trait_against_capability
from workbench.plots.patching import patching_by_layer
from workbench.plots.saving import save_figure
from workbench.plots.statistics import (
    balance_love,
    exclusivity_scatter,
    null_distribution,
    overlap_heatmap,
    separability_by_layer,
    stability_bars,
    threshold_sweep,
)
from workbench.plots.theme import TEMPLATE

__all__ = [
    "TEMPLATE",
    "arms_compared",
    "balance_love",
    "dose_curves",
    "effect_map",
    "exclusivity_scatter",
    "magnitude_against_d",
    "neurons_per_layer",
    "null_distribution",
    "overlap_heatmap",
    "patching_by_layer",
    "save_figure",
    "separability_by_layer",
    "shift_beyond_controls",
    "specificity_heatmap",
    "stability_bars",
    "threshold_sweep",
    "trait_against_capability",
    "trait_pca",
]
