"""What editing does: the trait over doses, arms and controls side by side, other quantiles, other traits."""

from functools import partial

from workbench import plots
from workbench.measure.summarising import ALL
from workbench.plots import Legend
from workbench.report.measured import label_of, other_traits, without_other_costs
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait, curves
from workbench.study.study import Study

GROUP = "What does editing do?"


def drawings(study: Study) -> Drawings:
    """The target and other quantities of the trait over doses, and what else the study's tables show of editing."""
    tables = study.tables
    figures = {"dose-curves": partial(dose_figure, study, study.target, "dose-curves", GROUP)}
    figures |= {
        f"dose-{name}": partial(dose_figure, study, name, f"dose-{name}", GROUP) for name in other_traits(study)
    }
    figures["arms-at-equal-dose"] = partial(_arms, study)
    if len(tables["against_controls"]):
        figures["against-controls"] = partial(_controls, study)
    if "statements_items" in tables:
        figures["statement-shifts"] = partial(_statements, study)
    if "quantile_sweep" in tables:
        figures["quantile-sweep"] = partial(_quantiles, study)
    if "specificity" in tables and study.method in set(tables["specificity"]["arm"]):
        figures["specificity"] = partial(_specificity, study)
    if "statements_specificity" in tables and study.method in set(tables["statements_specificity"]["arm"]):
        figures["statements-specificity"] = partial(_statements_specificity, study)
    return figures


def dose_figure(study: Study, quantity: str, name: str, group: str) -> StudyFigure:
    """One quantity over doses."""
    legend = Legend.of(study)
    dose = curves(study, study.tables["dose"])
    dose = dose[dose["quantity"] == quantity]
    row = study.quantities.drop_duplicates("name").set_index("name").loc[quantity]

    def draw(trait: str) -> "plots.Figure":
        return plots.dose_curves(dose, quantity=quantity, trait=trait, legend=legend)

    return StudyFigure(
        name,
        f"Dose and {row['label']}",
        f"Mean of {row['label']} on what the search for a dose never saw, against gamma; gamma 0 is the unedited "
        "model. Solid lines increase the trait, dashed ones decrease it. 95 % bootstrap intervals, clustered by "
        f"{row['cluster']}.",
        dose,
        by_trait(study, draw, pooled=True),
        group,
    )


def _arms(study: Study) -> StudyFigure:
    table = study.tables["equal_dose"]
    return StudyFigure(
        "arms-at-equal-dose",
        "Arms at equal dose",
        f"All arms at gamma {study.gamma:g}, both directions and all traits together: the shift in the intended "
        "direction, and the change of every cost against the unedited model, with 95 % intervals.",
        table,
        {ALL: plots.arms_compared(table, legend=Legend.of(study))},
        GROUP,
    )


def _controls(study: Study) -> StudyFigure:
    table, draws, legend = study.tables["against_controls"], study.tables.get("draws"), Legend.of(study)
    return StudyFigure(
        "against-controls",
        "Does it take this edit?",
        f"How much further {study.method} moves the trait than each control at gamma {study.gamma:g}, paired by what "
        "was asked, with 95 % intervals. The controls edit other units, or the same ones with other values; prompts "
        f"are beside them. A random control was drawn {study.config.draws} times: small marks are its draws, and the "
        "point is compared with their mean.",
        table,
        by_trait(
            study,
            lambda trait: plots.shift_beyond_controls(table, draws=draws, trait=trait, legend=legend),
            pooled=True,
            held=table,
        ),
        GROUP,
    )


def _statements(study: Study) -> StudyFigure:
    table = study.tables["statements_items"][["arm", "trait", "direction", "item", "shift"]]
    legend = Legend.of(study)
    return StudyFigure(
        "statement-shifts",
        "How far each statement moves",
        f"Each statement's own shift in the intended direction at gamma {study.gamma:g}, against the unedited model: "
        "how much likelier the model finds it as its own answer, or less likely where it belongs to the other pole. A "
        "box holds the middle half. Behind a good average many statements may move the wrong way.",
        table,
        by_trait(study, lambda trait: plots.statement_shifts(table, trait=trait, legend=legend)),
        GROUP,
    )


def _quantiles(study: Study) -> StudyFigure:
    table, legend = without_other_costs(study, study.tables["quantile_sweep"]), Legend.of(study)
    quantile, arms = study.config.quantile, " and ".join(dict.fromkeys(table["arm"]))

    def draw(trait: str) -> "plots.Figure":
        return plots.quantile_sweep(table, trait=trait, quantile=quantile, legend=legend)

    return StudyFigure(
        "quantile-sweep",
        "More neurons, or fewer",
        f"{arms} at gamma {study.gamma:g}, against the share of the target layers' neurons that the quantile leaves; "
        f"the study's own is q = {quantile:g}. Points show the shift of the {label_of(study, study.target)} in the "
        "intended direction and the change of costs against the unedited model, with 95 % intervals.",
        table,
        by_trait(study, draw, pooled=True, held=table),
        GROUP,
    )


def _specificity(study: Study) -> StudyFigure:
    table = study.tables["specificity"]
    return StudyFigure(
        "specificity",
        "What else moves",
        f"Each trait's score of held-out answers when each trait is edited by {study.method} at gamma {study.gamma:g}, "
        "against the unedited model, positive where it moves the way the edited trait is meant to; a star marks a "
        "shift that differs from 0 at 5 %, Holm-corrected over all cells.",
        table,
        {ALL: plots.specificity_heatmap(table, arm=study.method)},
        GROUP,
    )


def _statements_specificity(study: Study) -> StudyFigure:
    table = study.tables["statements_specificity"]
    return StudyFigure(
        "statements-specificity",
        "What else moves in the statements",
        f"The likelihood of each trait's statements, high minus low, when each trait is edited by {study.method} at "
        f"gamma {study.gamma:g}, against the unedited model, positive where it moves the way the edited trait is meant "
        "to; a star marks a shift that differs from 0 at 5 %, Holm-corrected over all cells.",
        table,
        {ALL: plots.specificity_heatmap(table, arm=study.method, unit="nats per token")},
        GROUP,
    )
