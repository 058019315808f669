"""What the selection rests on: chance, other prompts, other thresholds, and what else differs between the poles."""

from functools import partial

from workbench import plots
from workbench.report.study_figures.figure import Drawings, StudyFigure, by_trait
from workbench.study.study import Study

GROUP = "Is it more than chance?"


def drawings(study: Study) -> Drawings:
    """What the selection rests on."""
    return {
        "null-distribution": partial(_null, study),
        "stability": partial(_stability, study),
        "threshold-sweep": partial(_thresholds, study),
        "balance": partial(_balance, study),
    }


def _null(study: Study) -> StudyFigure:
    counts = study.tables["null_counts"]
    return StudyFigure(
        "null-distribution",
        "What shuffled labels select",
        f"Neurons that pass the rule under {study.config.permutations} shuffled labellings, thresholds taken "
        "anew in each, beside the count under the true labels. Whole descriptions are dealt out to the poles anew, "
        "or the poles of each pair swapped, which ignores that rows share descriptions.",
        counts,
        by_trait(study, lambda trait: plots.null_distribution(counts, trait=trait)),
        GROUP,
    )


def _stability(study: Study) -> StudyFigure:
    table = study.tables["stability"]
    return StudyFigure(
        "stability",
        "Would other descriptions have chosen the same neurons?",
        "The rule on random halves of the descriptions or questions, on bootstraps of them, and without each one. "
        "Corrected: 0 is what sets of these sizes share by chance, 1 the same set. Ranges hold 95 % of the splits, "
        "neurons or clusters.",
        table,
        by_trait(study, lambda trait: plots.stability_bars(table, trait=trait), held=table),
        GROUP,
    )


def _thresholds(study: Study) -> StudyFigure:
    table = study.tables["sensitivity"]
    return StudyFigure(
        "threshold-sweep",
        "What other thresholds would select",
        "Neurons that pass both criteria against the share that the magnitude criterion keeps, a line for each tau_d. "
        "Where lines lie on each other the effect-size criterion does nothing.",
        table,
        by_trait(study, lambda trait: plots.threshold_sweep(table, trait=trait)),
        GROUP,
    )


def _balance(study: Study) -> StudyFigure:
    table = study.tables["balance"]
    return StudyFigure(
        "balance",
        "What differs between the poles besides the trait",
        "Standardised difference of each confound between the high and the low prompts, with 95 % intervals "
        "clustered by description and question; the band marks ±0.1.",
        table,
        by_trait(study, lambda trait: plots.balance_love(table, trait=trait)),
        GROUP,
    )
