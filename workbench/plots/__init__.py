"""Figures: frames in, plotly figures out. Nothing here computes what a reader might cite."""

from workbench.plots.arms import arms_compared, shift_beyond_controls
from workbench.plots.costs import cost_by_breadth, trait_against_cost
from workbench.plots.counts import neurons_per_layer
from workbench.plots.criteria import magnitude_against_d
from workbench.plots.doses import changes_by_dose, dose_curves
from workbench.plots.effects import effect_map
from workbench.plots.geometry import separability_by_layer, trait_pca
from workbench.plots.legend import Legend
from workbench.plots.nulls import balance_love, null_distribution, stability_bars
from workbench.plots.overlap import exclusivity_scatter, overlap_heatmap
from workbench.plots.panels import narrowed
from workbench.plots.patching import patching_by_layer
from workbench.plots.retention import retention_by_task
from workbench.plots.saving import save_data, save_figure, save_figures
from workbench.plots.specificity import specificity_heatmap
from workbench.plots.sweeps import quantile_sweep, threshold_sweep
from workbench.plots.theme import DARK, TEMPLATE

__all__ = [
    "DARK",
    "TEMPLATE",
    "Legend",
    "arms_compared",
    "balance_love",
    "changes_by_dose",
    "cost_by_breadth",
    "dose_curves",
    "effect_map",
    "exclusivity_scatter",
    "magnitude_against_d",
    "narrowed",
    "neurons_per_layer",
    "null_distribution",
    "overlap_heatmap",
    "patching_by_layer",
    "quantile_sweep",
    "retention_by_task",
    "save_data",
    "save_figure",
    "save_figures",
    "separability_by_layer",
    "shift_beyond_controls",
    "specificity_heatmap",
    "stability_bars",
    "threshold_sweep",
    "trait_against_cost",
    "trait_pca",
]
