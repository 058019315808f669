"""A study's figures: what each shows, what its caption says, and the table that it draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from workbench import plots
from workbench.study.comparison import ALL
from workbench.study.study import Study

FORMATS = ("html", "svg", "pdf", "png")
SHOWN = ("DPN-LE", "broad", "residual", "NPTI", "random")
"""Arms that are drawn as curves; the tables hold them all."""


@dataclass(frozen=True)
class StudyFigure:
    """One figure of a study.

    Attributes:
        name: its file's and its anchor's name, e.g. `effect-map`.
        title: what it shows.
        caption: how to read it, and what was run.
        data: the table it draws.
        figures: by trait, or one under `all`.
    """

    name: str
    title: str
    caption: str
    data: pd.DataFrame
    figures: dict[str, go.Figure]


def study_figures(study: Study, *, only: Sequence[str] | None = None) -> list[StudyFigure]:
    """The study's figures in reading order, or those named.

    Raises:
        ValueError: for a name that is no figure.
    """
    unknown = sorted(set(only or ()) - set(_DRAWN))
    if unknown:
        raise ValueError(f"There is no figure {unknown[0]!r}. Choose among {', '.join(_DRAWN)}.")
    there = [name for name in _DRAWN if name not in _NEEDS or _NEEDS[name] in study.tables]
    return [_DRAWN[name](study) for name in there if not only or name in only]


def write_figures(
    study: Study, folder: Path, *, only: Sequence[str] | None = None, format: str = "html", width_mm: float = 170.0
) -> list[Path]:
    """Write figures as files, each beside its data as parquet; one file a trait where there are several.

    Raises:
        ValueError: for an unknown figure or format.
        RuntimeError: if an image is asked for and nothing here can draw one.
    """
    if format not in FORMATS:
        raise ValueError(f"Figures come as {', '.join(FORMATS)}, but {format!r} was asked for.")
    written = []
    for figure in study_figures(study, only=only):
        folder.mkdir(parents=True, exist_ok=True)
        figure.data.to_parquet(folder / f"{figure.name}.parquet", index=False)
        for trait, drawn in figure.figures.items():
            name = figure.name if trait == ALL else f"{figure.name}-{trait.casefold()}"
            path = folder / f"{name}.{format}"
            plots.save_figure(drawn, path, width_mm=width_mm)
            written.append(path)
    return written


def _by_trait(study: Study, draw: Callable[[str], go.Figure], *, pooled: bool = False) -> dict[str, go.Figure]:
    traits = [ALL, *study.config.traits] if pooled else study.config.traits
    return {trait: draw(trait) for trait in traits}


def _effect_map(study: Study) -> StudyFigure:
    effects = study.tables["effects"]
    return StudyFigure(
        "effect-map",
        "Effect of the trait on every MLP neuron",
        "Cohen's d between the high and the low persona at the last prompt token, neurons of each layer in order of "
        f"their d; marks show the neurons that the dual criterion chose (q = {study.config.quantile:g}, tau_d = "
        f"{study.config.min_d:g}). {study.config.pairs} pairs a trait.",
        effects,
        _by_trait(study, lambda trait: plots.effect_map(effects, trait=trait)),
    )


def _magnitude(study: Study) -> StudyFigure:
    tables = study.tables
    thresholds = tables["selection"]

    def draw(trait: str) -> go.Figure:
        return plots.magnitude_against_d(
            tables["effects"],
            threshold_d=study.config.min_d,
            thresholds=thresholds[thresholds["trait"] == trait],
            trait=trait,
        )

    return StudyFigure(
        "magnitude-against-d",
        "Both criteria at once",
        "Each neuron's |mean difference| against its Cohen's d, with both thresholds. What lies above the magnitude "
        "threshold but within the d threshold is what the effect-size criterion removes.",
        tables["effects"],
        _by_trait(study, draw),
    )


def _per_layer(study: Study) -> StudyFigure:
    counts = study.tables["counts"]
    return StudyFigure(
        "neurons-per-layer",
        "Chosen neurons per layer",
        "High neurons are more active under the high persona, Low neurons under the low one. The magnitude threshold "
        "is taken within each layer, so that every layer keeps the same share before the d criterion.",
        counts,
        _by_trait(study, lambda trait: plots.neurons_per_layer(counts[counts["trait"] == trait])),
    )


def _pca(study: Study) -> StudyFigure:
    projection = study.tables["projection"]
    return StudyFigure(
        "trait-pca",
        "Trait representations by layer",
        "The first two principal components of hook_post at the last prompt token, fitted on the high and low "
        "prompts of each layer; neutral prompts are projected, not fitted.",
        projection,
        _by_trait(study, lambda trait: plots.trait_pca(projection, trait=trait)),
    )


def _null(study: Study) -> StudyFigure:
    counts = study.tables["null_counts"]
    return StudyFigure(
        "null-distribution",
        "What shuffled labels select",
        f"Neurons that pass the dual rule under {study.config.permutations} shuffled labellings, thresholds taken "
        "anew in each, beside the count under the true labels. Whole descriptions are dealt out to the poles anew, "
        "or the poles of each pair swapped, which ignores that rows share descriptions.",
        counts,
        _by_trait(study, lambda trait: plots.null_distribution(counts, trait=trait)),
    )


def _stability(study: Study) -> StudyFigure:
    table = study.tables["stability"]
    return StudyFigure(
        "stability",
        "Would other descriptions have chosen the same neurons?",
        "The dual rule on random halves of the descriptions or questions, on bootstraps of them, and without each one. "
        "Corrected: 0 is what sets of these sizes share by chance, 1 the same set. Ranges hold 95 % of the splits, "
        "neurons or clusters.",
        table,
        _by_trait(study, lambda trait: plots.stability_bars(table, trait=trait)),
    )


def _sweep(study: Study) -> StudyFigure:
    table = study.tables["sensitivity"]
    return StudyFigure(
        "threshold-sweep",
        "What other thresholds would select",
        "Neurons that pass both criteria against the share that the magnitude criterion keeps, a line for each tau_d. "
        "Where lines lie on each other the effect-size criterion does nothing.",
        table,
        _by_trait(study, lambda trait: plots.threshold_sweep(table, trait=trait)),
    )


def _exclusivity(study: Study) -> StudyFigure:
    contrasts = study.tables["contrasts"]

    def draw(trait: str) -> go.Figure:
        return plots.exclusivity_scatter(contrasts, min_d=study.config.min_d, trait=trait)

    return StudyFigure(
        "exclusivity",
        "Do the poles use different neurons?",
        "Each neuron's effect under the high and under the low persona, both against a persona that tells nothing of "
        f"the trait; lines at tau_d = {study.config.min_d:g}. Neurons in the upper right rise under any persona of "
        "the trait. Unlike High and Low of one contrast, these sets could overlap.",
        contrasts,
        _by_trait(study, draw),
    )


def _separability(study: Study) -> StudyFigure:
    table, start = study.tables["separability"], study.tables["start_layer"].set_index("trait")["layer"]

    def draw(trait: str) -> go.Figure:
        first = start[trait]
        return plots.separability_by_layer(table, start=None if pd.isna(first) else int(first), trait=trait)

    return StudyFigure(
        "separability",
        "Where the trait can be read",
        "Held-out area under the curve of a logistic probe on hook_post of each layer, on descriptions and questions "
        "that it has not seen, with 95 % intervals over folds, and with labels dealt out to descriptions anew. The "
        "start layer is the first within one standard error of the best.",
        table,
        _by_trait(study, draw),
    )


def _balance(study: Study) -> StudyFigure:
    table = study.tables["balance"]
    return StudyFigure(
        "balance",
        "What differs between the poles besides the trait",
        "Standardised difference of each confound between the high and the low prompts, with 95 % intervals "
        "clustered by description and question; the band marks ±0.1.",
        table,
        _by_trait(study, lambda trait: plots.balance_love(table, trait=trait)),
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
    )


def _dose(study: Study) -> StudyFigure:
    dose = study.tables["dose"]
    dose = dose[dose["arm"].isin(SHOWN)]
    return StudyFigure(
        "dose-curves",
        "Dose and trait score",
        "Mean trait score (1 to 5) of open answers to held-out questions, without a persona, against gamma; solid "
        "lines increase the trait, dashed ones decrease it. 95 % bootstrap intervals, clustered by question.",
        dose,
        _by_trait(study, lambda trait: plots.dose_curves(dose, trait=trait), pooled=True),
    )


def _capability(study: Study) -> StudyFigure:
    tradeoff = study.tables["tradeoff"]
    tradeoff = tradeoff[tradeoff["arm"].isin(SHOWN)]
    return StudyFigure(
        "trait-against-capability",
        "Trait shift against its cost in capability",
        "Each arm over its doses: how far held-out answers move in the intended direction, and how exact match on "
        f"held-out items changes against the unedited model. The emphasised point is gamma {study.gamma:g}.",
        tradeoff,
        _by_trait(
            study,
            lambda trait: plots.trait_against_capability(tradeoff, trait=trait, gamma=study.gamma),
            pooled=True,
        ),
    )


def _wellformed(study: Study) -> StudyFigure:
    tradeoff = study.tables["tradeoff"]
    tradeoff = tradeoff[tradeoff["arm"].isin(SHOWN)]

    def draw(trait: str) -> go.Figure:
        return plots.trait_against_capability(tradeoff, trait=trait, cost="wellformed_change", gamma=study.gamma)

    return StudyFigure(
        "trait-against-wellformed",
        "Trait shift against its cost in well-formed sentences",
        "As before, with the share of sentences that the embedded model's grammar accepts.",
        tradeoff,
        _by_trait(study, draw, pooled=True),
    )


def _arms(study: Study) -> StudyFigure:
    table = study.tables["equal_dose"]
    return StudyFigure(
        "arms-at-equal-dose",
        "Arms at equal dose",
        f"All arms at gamma {study.gamma:g}, both directions and all traits together, with 95 % intervals.",
        table,
        {ALL: plots.arms_compared(table)},
    )


def _controls(study: Study) -> StudyFigure:
    table = study.tables["against_controls"]
    return StudyFigure(
        "against-controls",
        "Does it take these neurons?",
        f"How much further DPN-LE moves the trait than each control at gamma {study.gamma:g}, paired by question, with "
        "95 % intervals. The controls edit other neurons, or the same ones with other values; prompts are beside them.",
        table,
        _by_trait(study, lambda trait: plots.shift_beyond_controls(table, trait=trait), pooled=True),
    )


def _specificity(study: Study) -> StudyFigure:
    table = study.tables["specificity"]
    return StudyFigure(
        "specificity",
        "What else moves",
        f"Each trait's score of held-out answers when each trait is edited at gamma {study.gamma:g}, against the "
        "unedited model, positive where it moves the way the edited trait is meant to; a star marks a shift that "
        "differs from 0 at 5 %, Holm-corrected over all cells.",
        table,
        {ALL: plots.specificity_heatmap(table)},
    )


def _patching(study: Study) -> StudyFigure:
    table = study.tables["patching"]

    def draw(trait: str) -> go.Figure:
        return plots.patching_by_layer(table, trait=trait)

    return StudyFigure(
        "patching-by-layer",
        "What the neurons cause",
        "Held-out prompts of one pole, with the activations of a set of neurons taken from the other pole's prompt on "
        "the same question: how far the logits of the next token move towards that prompt's, layer by layer and "
        "cumulatively, with 95 % intervals.",
        table,
        _by_trait(study, draw),
    )


_NEEDS = {"specificity": "specificity", "patching-by-layer": "patching"}
"""Figures of outcomes that a study may leave out, and the table that shows it did not."""

_DRAWN: dict[str, Callable[[Study], StudyFigure]] = {
    "effect-map": _effect_map,
    "magnitude-against-d": _magnitude,
    "neurons-per-layer": _per_layer,
    "null-distribution": _null,
    "stability": _stability,
    "threshold-sweep": _sweep,
    "trait-pca": _pca,
    "separability": _separability,
    "exclusivity": _exclusivity,
    "trait-overlap": _overlap,
    "balance": _balance,
    "dose-curves": _dose,
    "trait-against-capability": _capability,
    "trait-against-wellformed": _wellformed,
    "arms-at-equal-dose": _arms,
    "against-controls": _controls,
    "specificity": _specificity,
    "patching-by-layer": _patching,
}
