"""What editing costs: capability, well-formed sentences and fluency, at equal dose and at equal strength."""

import plotly.graph_objects as go

from workbench import plots
from workbench.measure.summarising import ALL
from workbench.report.study_figures.figure import StudyFigure, by_trait, shown_arms, wellformed_of
from workbench.study.study import Study

GROUP = "What does it cost?"

_FORM = {
    "grammar": ("well-formed sentences", "the share of sentences that the embedded model's grammar accepts"),
    "judge": ("rated fluency", "the judge's rating of fluency, 0 for 1 and 1 for 5"),
}


def _shift(study: Study, trait: str) -> float | None:
    """DPN-LE's shift at the chosen dose, at which arms are compared at equal strength."""
    rows = study.tables["tradeoff"].query("arm == 'DPN-LE' and trait == @trait and gamma == @study.gamma")
    return float(rows["shift"].iloc[0]) if len(rows) else None


def _capability(study: Study) -> StudyFigure:
    table = shown_arms(study.tables["tradeoff"])

    def draw(trait: str) -> go.Figure:
        return plots.trait_against_capability(table, trait=trait, gamma=study.gamma, shift=_shift(study, trait))

    return StudyFigure(
        "trait-against-capability",
        "Trait shift against its cost in capability",
        "Each arm over its doses: how far held-out answers move in the intended direction, and how exact match on "
        f"held-out items changes against the unedited model. The emphasised point is gamma {study.gamma:g}; the line "
        "marks DPN-LE's shift there, at which the arms are as strong as each other.",
        table,
        by_trait(study, draw, pooled=True),
        GROUP,
    )


def _wellformed(study: Study) -> StudyFigure:
    table = shown_arms(study.tables["tradeoff"])
    name, what = _FORM[study.config.scorer]

    def draw(trait: str) -> go.Figure:
        return plots.trait_against_capability(
            table,
            trait=trait,
            cost="wellformed_change",
            gamma=study.gamma,
            shift=_shift(study, trait),
            wellformed=wellformed_of(study),
        )

    return StudyFigure(
        "trait-against-wellformed",
        f"Trait shift against its cost in {name}",
        f"As before, with {what}.",
        table,
        by_trait(study, draw, pooled=True),
        GROUP,
    )


def _breadth(study: Study) -> StudyFigure | None:
    table = study.tables.get("cost_by_breadth")
    if table is None or table[["wellformed_change", "capability_change"]].isna().any(axis=1).all():
        return None
    return StudyFigure(
        "cost-by-breadth",
        "Broad edits against sparse ones, at equal strength",
        "What each arm costs where it moves the traits as far as DPN-LE does at the chosen gamma, against how many "
        "units it edits (neurons, residual-stream coordinates or coordinates of attention heads; mean over traits and "
        "directions). All traits together, with 95 % intervals. If few neurons were the cheaper way, costs would rise "
        "to the right.",
        table,
        {ALL: plots.cost_by_breadth(table, wellformed=wellformed_of(study))},
        GROUP,
    )


def _retention(study: Study) -> StudyFigure:
    tests = shown_arms(study.tables["capability_tests"])

    def draw(trait: str) -> go.Figure:
        return plots.capability_retention(tests, trait=trait, margin=study.config.margin)

    return StudyFigure(
        "capability-retention",
        "What each arm keeps of each capability",
        f"Change of exact match on held-out items against the unedited model at gamma {study.gamma:g}, paired item by "
        f"item, with 95 % intervals; the line marks the margin of non-inferiority, {study.config.margin:.0%}.",
        tests,
        by_trait(study, draw, pooled=True),
        GROUP,
    )


def _fluency(study: Study) -> StudyFigure | None:
    table = study.tables.get("fluency")
    if table is None:
        return None
    table = shown_arms(table)
    return StudyFigure(
        "fluency",
        "Fluency over doses",
        "Change against the unedited model's answer to the same question: log perplexity under the unedited model, "
        "share of n-grams said before, and length in tokens. All traits together, with 95 % intervals clustered by "
        "question.",
        table,
        {ALL: plots.fluency_by_dose(table)},
        GROUP,
    )


FIGURES = {
    "trait-against-capability": _capability,
    "trait-against-wellformed": _wellformed,
    "cost-by-breadth": _breadth,
    "capability-retention": _retention,
    "fluency": _fluency,
}
