"""What editing does: doses, arms and controls side by side, other quantiles, other traits."""

import plotly.graph_objects as go

from workbench import plots
from workbench.measure.summarising import ALL
from workbench.report.study_figures.figure import StudyFigure, by_trait, shown_arms, wellformed_of
from workbench.study.study import Study

GROUP = "What does editing do?"


def _dose(study: Study) -> StudyFigure:
    dose = shown_arms(study.tables["dose"])
    return StudyFigure(
        "dose-curves",
        "Dose and trait score",
        "Mean trait score (1 to 5) of open answers to held-out questions, without a persona, against gamma; solid "
        "lines increase the trait, dashed ones decrease it. 95 % bootstrap intervals, clustered by question.",
        dose,
        by_trait(study, lambda trait: plots.dose_curves(dose, trait=trait), pooled=True),
        GROUP,
    )


def _arms(study: Study) -> StudyFigure:
    table = study.tables["equal_dose"]
    return StudyFigure(
        "arms-at-equal-dose",
        "Arms at equal dose",
        f"All arms at gamma {study.gamma:g}, both directions and all traits together, with 95 % intervals.",
        table,
        {ALL: plots.arms_compared(table, wellformed=wellformed_of(study, short=True))},
        GROUP,
    )


def _controls(study: Study) -> StudyFigure | None:
    table = study.tables["against_controls"]
    if table.empty:
        return None
    return StudyFigure(
        "against-controls",
        "Does it take these neurons?",
        f"How much further DPN-LE moves the trait than each control at gamma {study.gamma:g}, paired by question, with "
        "95 % intervals. The controls edit other neurons, or the same ones with other values; prompts are beside them.",
        table,
        by_trait(study, lambda trait: plots.shift_beyond_controls(table, trait=trait), pooled=True),
        GROUP,
    )


def _quantiles(study: Study) -> StudyFigure | None:
    table = study.tables.get("quantile_sweep")
    if table is None:
        return None
    quantile = study.config.quantile

    def draw(trait: str) -> go.Figure:
        return plots.quantile_sweep(table, trait=trait, quantile=quantile, wellformed=wellformed_of(study))

    return StudyFigure(
        "quantile-sweep",
        "More neurons, or fewer",
        f"DPN-LE and as many random neurons with the same values at gamma {study.gamma:g}, against the share of the "
        f"target layers' neurons that the quantile leaves; the study's own is q = {quantile:g}. Points show the shift "
        "in the intended direction and both costs against the unedited model, with 95 % intervals.",
        table,
        by_trait(study, draw, pooled=True),
        GROUP,
    )


def _specificity(study: Study) -> StudyFigure | None:
    table = study.tables.get("specificity")
    if table is None:
        return None
    return StudyFigure(
        "specificity",
        "What else moves",
        f"Each trait's score of held-out answers when each trait is edited at gamma {study.gamma:g}, against the "
        "unedited model, positive where it moves the way the edited trait is meant to; a star marks a shift that "
        "differs from 0 at 5 %, Holm-corrected over all cells.",
        table,
        {ALL: plots.specificity_heatmap(table)},
        GROUP,
    )


FIGURES = {
    "dose-curves": _dose,
    "arms-at-equal-dose": _arms,
    "against-controls": _controls,
    "quantile-sweep": _quantiles,
    "specificity": _specificity,
}
