"""What editing costs: each cost against the shift, over doses, by breadth, and task by task."""

from functools import partial

import pandas as pd

from workbench import plots
from workbench.measure.summarising import ALL
from workbench.plots import Legend
from workbench.report.measured import label_of
from workbench.report.study_figures.editing import dose_figure
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait, curves
from workbench.study.study import Study

GROUP = "What does it cost?"
_TESTS = "_tests"
_CHANGES = {"arm", "gamma", "quantity", "estimate", "low", "high", "n"}
"""Columns of a table of changes over doses, as outcomes give them of what arms are not compared at."""


def drawings(study: Study) -> Drawings:
    """The costs at which arms are compared against the shift, and every cost by whatever tables the study has."""
    tables, quantities = study.tables, study.quantities
    costs = list(quantities.loc[quantities["compared"] & (quantities["role"] == "cost"), "name"])
    compared = [name for name in costs if f"{name}_against" in tables["equal_shift"]]
    figures = {f"trait-against-{name}": partial(_against, study, name) for name in compared}
    if compared and _reaching(tables["cost_by_breadth"]):
        figures["cost-by-breadth"] = partial(_breadth, study)
    stems = [name.removesuffix(_TESTS) for name in tables if name.endswith(_TESTS)]
    figures |= {f"{stem}-retention": partial(_retention, study, stem) for stem in stems}
    figures |= {f"dose-{name}": partial(dose_figure, study, name, f"dose-{name}", GROUP) for name in costs}
    changes = [name for name, table in tables.items() if set(table) >= _CHANGES and "direction" not in table]
    figures |= {name.replace("_", "-"): partial(_changes, study, name) for name in changes}
    return figures


def _reaching(breadth: pd.DataFrame) -> bool:
    """Whether any edit reaches the shift at which arms are compared."""
    return bool((breadth["gamma"].notna() & (breadth["units"] > 0)).any())


def _against(study: Study, cost: str) -> StudyFigure:
    table, legend = curves(study, study.tables["tradeoff"]), Legend.of(study)
    label, target = label_of(study, cost), label_of(study, study.target)

    def draw(trait: str) -> "plots.Figure":
        shift = _shift(study, trait)
        return plots.trait_against_cost(table, cost=cost, trait=trait, gamma=study.gamma, shift=shift, legend=legend)

    return StudyFigure(
        f"trait-against-{cost}",
        f"Trait shift against its cost in {label}",
        f"Each arm over its doses: how far the {target} moves in the intended direction, and how {label} changes "
        f"against the unedited model. The emphasised point is gamma {study.gamma:g}; the line marks the shift of "
        f"{study.method} there, at which the arms are as strong as each other.",
        table,
        by_trait(study, draw, pooled=True),
        GROUP,
    )


def _shift(study: Study, trait: str) -> float | None:
    """The shift of the arm under test at the chosen dose, at which arms are compared at equal strength."""
    rows = study.tables["tradeoff"]
    rows = rows[(rows["arm"] == study.method) & (rows["trait"] == trait) & (rows["gamma"] == study.gamma)]
    return float(rows["shift"].iloc[0]) if len(rows) else None


def _breadth(study: Study) -> StudyFigure:
    table = study.tables["cost_by_breadth"]
    return StudyFigure(
        "cost-by-breadth",
        "Broad edits against sparse ones, at equal strength",
        f"What each arm costs where it moves the traits as far as {study.method} does at the chosen gamma, against how "
        "many units it edits (neurons, residual-stream coordinates or coordinates of attention heads; mean over traits "
        "and directions). All traits together, with 95 % intervals. If few neurons were the cheaper way, costs would "
        "rise to the right.",
        table,
        {ALL: plots.cost_by_breadth(table, legend=Legend.of(study))},
        GROUP,
    )


def _retention(study: Study, stem: str) -> StudyFigure:
    tests, legend, label = curves(study, study.tables[f"{stem}{_TESTS}"]), Legend.of(study), label_of(study, stem)

    def draw(trait: str) -> "plots.Figure":
        return plots.retention_by_task(tests, label=label, trait=trait, legend=legend)

    margin = "; the line marks the margin of non-inferiority" if "margin" in tests else ""
    return StudyFigure(
        f"{stem}-retention",
        f"What each arm keeps of {label}, by task",
        f"Change of the share of right items against the unedited model at gamma {study.gamma:g}, paired item by item, "
        f"with 95 % intervals{margin}.",
        tests,
        by_trait(study, draw, pooled=True, held=tests),
        GROUP,
    )


def _changes(study: Study, name: str) -> StudyFigure:
    table, legend = curves(study, study.tables[name]), Legend.of(study)
    quantities = [each.removesuffix("_change") for each in dict.fromkeys(table["quantity"])]
    labels = ", ".join(f"{legend.quantity(each).label} ({legend.change(each).unit})" for each in quantities)
    return StudyFigure(
        name.replace("_", "-"),
        f"{name.capitalize().replace('_', ' ')} over doses",
        f"Change against the unedited model on the same question or item: {labels}. All traits together, with 95 % "
        "intervals.",
        table,
        {ALL: plots.changes_by_dose(table, legend=legend)},
        GROUP,
    )
