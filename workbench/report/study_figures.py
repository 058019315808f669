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
    return [draw(study) for name, draw in _DRAWN.items() if not only or name in only]


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


def _dose(study: Study) -> StudyFigure:
    dose = study.tables["dose"]
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


_DRAWN: dict[str, Callable[[Study], StudyFigure]] = {
    "effect-map": _effect_map,
    "magnitude-against-d": _magnitude,
    "neurons-per-layer": _per_layer,
    "trait-pca": _pca,
    "dose-curves": _dose,
    "trait-against-capability": _capability,
    "trait-against-wellformed": _wellformed,
    "arms-at-equal-dose": _arms,
}
