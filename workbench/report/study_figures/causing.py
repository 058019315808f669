"""What the neurons cause: activations of a subset, moved between runs."""

from functools import partial

from workbench import plots
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait
from workbench.study.study import Study

GROUP = "What do the neurons cause?"


def drawings(study: Study) -> Drawings:
    """Patching by layer, where the study patched."""
    return {"patching-by-layer": partial(_patching, study)} if "patching" in study.tables else {}


def _patching(study: Study) -> StudyFigure:
    table = study.tables["patching"]
    return StudyFigure(
        "patching-by-layer",
        "What the neurons cause",
        "Held-out prompts of one pole, with the activations of a set of neurons taken from the other pole's prompt on "
        "the same question: how far the logits of the next token move towards that prompt's, layer by layer and "
        "cumulatively, with 95 % intervals. Matched random neurons are as many others, as near in size as there are.",
        table,
        by_trait(study, lambda trait: plots.patching_by_layer(table, trait=trait)),
        GROUP,
    )
