"""Whether what the edit does holds elsewhere: under other wordings, and when it is made from other data."""

from functools import partial

from workbench import plots
from workbench.measure.summarising import ALL
from workbench.plots import Legend
from workbench.report.measured import label_of
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait
from workbench.study.study import Study

GROUP = "Does it hold elsewhere?"
_FEWEST = 3  # traits of which a scatter shows anything


def drawings(study: Study) -> Drawings:
    """What is left under each stress, where the study put the edit to any, and the signs known beforehand."""
    figures = {}
    if len(study.tables.get("stress", ())):
        figures["stress-left"] = partial(_left, study)
    signs = study.tables.get("stress_signs")
    if signs is not None and signs["left"].notna().sum() >= _FEWEST:
        figures["stress-signs"] = partial(_signs, study)
    return figures


def _left(study: Study) -> StudyFigure:
    table, legend = study.tables["stress"], Legend.of(study)
    table = table[(table["role"] == "cost") | (table["quantity"] == study.target)]
    return StudyFigure(
        "stress-left",
        "What is left under stress",
        f"{study.method} at gamma {study.gamma:g} and a random control of the same size, each against the unedited "
        f"model under the same stress: the shift of the {label_of(study, study.target)}, the share of items that move "
        "against the intended direction, and the change of costs, with 95 % intervals. The dashed lines are the "
        "shift and the changes without stress, the dotted ones half of the shift and half of the items. What is left "
        "is the shift as a share of the one without stress, where that is surely above 0.",
        table,
        by_trait(study, lambda trait: plots.stress_left(table, trait=trait, legend=legend), pooled=True, held=table),
        GROUP,
    )


def _signs(study: Study) -> StudyFigure:
    table = study.tables["stress_signs"]
    return StudyFigure(
        "stress-signs",
        "Was it to be foreseen?",
        "Each trait's shift that is left under stress, the mean over stresses, against what was known before anything "
        "was edited: how well a probe tells the poles apart, how alike the differences between the poles are from pair "
        "to pair, and how far halves of the descriptions select the same neurons.",
        table,
        {ALL: plots.stress_signs(table)},
        GROUP,
    )
