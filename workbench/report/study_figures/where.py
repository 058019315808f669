"""Where the trait is: effects on neurons, what was chosen of them, and the poles in activation space."""

from functools import partial

import pandas as pd

from workbench import plots
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait, of_trait
from workbench.study.study import Study

GROUP = "Where is the trait?"
_NEURON = ["trait", "layer", "neuron", "mean_difference", "cohens_d", "d_low", "d_high", "n_high", "n_low"]


def drawings(study: Study) -> Drawings:
    """The effects, the chosen neurons and the poles; probes where there are prompts enough to hold some out."""
    figures = {
        "effect-map": partial(_effect_map, study),
        "effect-map-by-neuron": partial(_by_neuron, study),
        "magnitude-against-d": partial(_magnitude, study),
        "neurons-per-layer": partial(_per_layer, study),
        "trait-pca": partial(_pca, study),
    }
    if len(study.tables["separability"]):
        figures["separability"] = partial(_separability, study)
    return figures


def _effects(study: Study) -> pd.DataFrame:
    effects = study.tables["effects"]
    return effects[[name for name in (*_NEURON, "descriptions", "questions", "selected") if name in effects]]


def _effect_map(study: Study) -> StudyFigure:
    effects, config = _effects(study), study.config
    return StudyFigure(
        "effect-map",
        "Effect of the trait on every MLP neuron",
        "Cohen's d between the high and the low persona at the last prompt token, neurons of each layer in order of "
        f"their d; marks show the neurons that the {config.rule} rule chose (q = {config.quantile:g}, tau_d = "
        f"{config.min_d:g}). {config.pairs} pairs a trait.",
        effects,
        by_trait(study, lambda trait: plots.effect_map(effects, trait=trait)),
        GROUP,
    )


def _by_neuron(study: Study) -> StudyFigure:
    effects = _effects(study)
    return StudyFigure(
        "effect-map-by-neuron",
        "The same effects, every neuron at its own place",
        "As before, with neurons in the order of their index. Effects are scattered over a layer: an index has no "
        "neighbours, so that stripes and clusters here mean nothing but chance.",
        effects,
        by_trait(study, lambda trait: plots.effect_map(effects, trait=trait, order="neuron")),
        GROUP,
    )


def _magnitude(study: Study) -> StudyFigure:
    effects, thresholds = _effects(study), study.tables["selection"]

    def draw(trait: str) -> "plots.Figure":
        return plots.magnitude_against_d(
            effects, threshold_d=study.config.min_d, thresholds=of_trait(thresholds, trait), trait=trait
        )

    return StudyFigure(
        "magnitude-against-d",
        "Both criteria at once",
        "Each neuron's |mean difference| against its Cohen's d, with both thresholds. What lies above the magnitude "
        "threshold but within the d threshold is what the effect-size criterion removes.",
        effects,
        by_trait(study, draw),
        GROUP,
    )


def _per_layer(study: Study) -> StudyFigure:
    counts = study.tables["counts"]
    return StudyFigure(
        "neurons-per-layer",
        "Chosen neurons per layer",
        "High neurons are more active under the high persona, Low neurons under the low one. The magnitude threshold "
        "is taken within each layer, so that every layer keeps the same share before the d criterion.",
        counts,
        by_trait(study, lambda trait: plots.neurons_per_layer(of_trait(counts, trait))),
        GROUP,
    )


def _pca(study: Study) -> StudyFigure:
    projection = study.tables["projection"]
    return StudyFigure(
        "trait-pca",
        "Trait representations by layer",
        "The first two principal components of hook_post at the last prompt token, fitted on the high and low "
        "prompts of each layer. Neutral prompts and held-out ones, with personas and questions that the fit has not "
        "seen, are projected alone: were the poles parted by the fit, held-out prompts would not follow.",
        projection,
        by_trait(study, lambda trait: plots.trait_pca(projection, trait=trait)),
        GROUP,
    )


def _separability(study: Study) -> StudyFigure:
    table, start = study.tables["separability"], study.tables["start_layer"].set_index("trait")["layer"]

    def draw(trait: str) -> "plots.Figure":
        first = start[trait]
        return plots.separability_by_layer(table, start=None if pd.isna(first) else int(first), trait=trait)

    return StudyFigure(
        "separability",
        "Where the trait can be read",
        "Held-out area under the curve of a logistic probe on hook_post of each layer, on descriptions and questions "
        "that it has not seen, with 95 % intervals over folds, and with labels dealt out to descriptions anew. The "
        "start layer is the first within one standard error of the best.",
        table,
        by_trait(study, draw, held=table),
        GROUP,
    )
