"""Whose the neurons are: one pole's against the other's, one trait's against another's."""

from functools import partial

from workbench import plots
from workbench.measure.summarising import ALL
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait
from workbench.study.study import Study

GROUP = "Are the neurons the trait's own?"


def drawings(study: Study) -> Drawings:
    """The poles' and the traits' neurons against each other."""
    return {
        "exclusivity": partial(_exclusivity, study),
        "trait-overlap": partial(_overlap, study),
    }


def _exclusivity(study: Study) -> StudyFigure:
    contrasts = study.tables["contrasts"]

    def draw(trait: str) -> "plots.Figure":
        return plots.exclusivity_scatter(contrasts, min_d=study.config.min_d, trait=trait)

    return StudyFigure(
        "exclusivity",
        "Do the poles use different neurons?",
        "Each neuron's effect under the high and under the low persona, both against a persona that tells nothing of "
        f"the trait; lines at tau_d = {study.config.min_d:g}. Neurons in the upper right rise under any persona of "
        "the trait. Unlike High and Low of one contrast, these sets could overlap.",
        contrasts,
        by_trait(study, draw),
        GROUP,
    )


def _overlap(study: Study) -> StudyFigure:
    table = study.tables["trait_overlap"]
    return StudyFigure(
        "trait-overlap",
        "Which traits share neurons",
        "How many times more neurons two selections share than chance would give (log2), for every trait and pole; a "
        "star marks more than chance at 5 %, Holm-corrected. High and Low of one trait cannot share any.",
        table,
        {ALL: plots.overlap_heatmap(table)},
        GROUP,
    )
