"""Figures: frames in, plotly figures out. Nothing here computes what a reader might cite."""

from workbench.plots.arms import arms_compared, capability_retention, shift_beyond_controls
from workbench.plots.costs import cost_by_breadth, trait_against_capability
from workbench.plots.counts import neurons_per_layer
from workbench.plots.doses import dose_curves, fluency_by_dose
from workbench.plots.effects import effect_map, magnitude_against_d
from workbench.plots.geometry import separability_by_layer, trait_pca
from workbench.plots.nulls import balance_love, null_distribution, stability_bars
from workbench.plots.overlap import exclusivity_scatter, overlap_heatmap
from workbench.plots.panels import narrowed
from workbench.plots.patching import patching_by_layer
from workbench.plots.saving import save_data, save_figure, save_figures
from workbench.plots.specificity import specificity_heatmap
from workbench.plots.sweeps import quantile_sweep, threshold_sweep
from workbench.plots.theme import DARK, TEMPLATE

__all__ = [
    "DARK",
    "TEMPLATE",
    "arms_compared",
    "balance_love",
    "capability_retention",
    "cost_by_breadth",
    "dose_curves",
    "effect_map",
    "exclusivity_scatter",
    "fluency_by_dose",
    "magnitude_against_d",
    "narrowed",
    "neurons_per_layer",
    "null_distribution",
    "overlap_heatmap",
    "patching_by_layer",
    "quantile_sweep",
    "save_data",
    "save_figure",
    "save_figures",
    "separability_by_layer",
    "shift_beyond_controls",
    "specificity_heatmap",
    "stability_bars",
    "threshold_sweep",
    "trait_against_capability",
    "trait_pca",
]
