"""A study's tables: what each holds, and how to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.report.study_figures import causing, costing, editing, owning, resting, where
from workbench.study.study import Study


@dataclass(frozen=True)
class StudyTable:
    """One table of a study.

    Attributes:
        name: its file's and its anchor's name, e.g. `equal-dose`.
        title: what it shows.
        caption: how to read it.
        frame: its rows, as the study computed them.
        group: the question that it helps to answer.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    group: str


def study_tables(study: Study, *, only: Sequence[str] | None = None) -> list[StudyTable]:
    """The study's tables in reading order, or those named.

    Raises:
        ValueError: for a name that is no table, or one that this study does not have.
    """
    names = {name.replace("_", "-"): name for name in TABLES}
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise ValueError(f"There is no table {unknown[0]!r}. Choose among {', '.join(names)}.")
    lacking = [name for name in only or () if names[name] not in study.tables]
    if lacking:
        raise ValueError(f"The study in {study.folder} has no table {lacking[0]!r}: what it holds was not asked for.")
    return [
        StudyTable(shown, *TABLES[name], study.tables[name], group=_group_of(name))
        for shown, name in names.items()
        if name in study.tables and (not only or shown in only)
    ]


def _group_of(name: str) -> str:
    return next(group for group, names in _GROUPS.items() if name in names)


TABLES: dict[str, tuple[str, str]] = {
    "equal_dose": (
        "Arms at equal dose",
        "Shift in points of the 1 to 5 scale, in the intended direction; shares and their change against the unedited "
        "model, paired. 95 % bootstrap intervals, clustered by question or item.",
    ),
    "equal_shift": (
        "Arms at equal trait shift",
        "Where each arm moves the traits as far as DPN-LE does at the chosen gamma: the gamma it needs, what it costs "
        "there, and its cost minus DPN-LE's (negative: it costs more). `reached` is the share of resamples in which "
        "it gets there at all.",
    ),
    "equal_shift_by_dose": (
        "Arms at equal trait shift, for every dose of DPN-LE",
        "The same for the shift that DPN-LE reaches at each of its doses (`dpn_gamma`), so that none is favoured.",
    ),
    "equal_loss": (
        "Arms at equal loss",
        "The shift that each arm reaches where it first costs so much well-formedness or capability (`loss`), and that "
        "shift minus DPN-LE's. An arm that never costs so much is read at its greatest dose (`reached` is false).",
    ),
    "shifts": (
        "Shift by trait and direction",
        "At the chosen gamma, against the unedited model; p by sign flips of whole questions, Holm over the traits of "
        "an arm and direction; `unscored` counts answers that say nothing of their trait.",
    ),
    "against_controls": (
        "DPN-LE's shift beyond each control's",
        "Paired by question, at the chosen gamma; prompts have no dose. p by sign flips of whole questions, Holm over "
        "the traits of a control.",
    ),
    "capability_tests": (
        "Capability against the unedited model",
        "Exact match, paired item by item: McNemar and permutation tests, Holm over tasks and traits; whether a loss "
        "beyond the margin is excluded, and the smallest loss that so many items would show.",
    ),
    "specificity": (
        "Trait edited and trait measured",
        "Shift of the measured trait's score when a trait is edited in a direction, with Holm over all cells.",
    ),
    "questionnaire": (
        "Questionnaire",
        "Expected score of statements by the probability of the options, their order permuted, reversed items keyed; "
        "shift in the intended direction. `unparsed`: items whose options carry too little probability.",
    ),
    "quantile_sweep": (
        "More neurons, or fewer",
        "DPN-LE and as many random neurons at other quantiles, at the chosen gamma; `share` is that of the target "
        "layers' neurons. Shift in points in the intended direction; changes against the unedited model, paired.",
    ),
    "cost_by_breadth": (
        "Cost by breadth",
        "What each arm costs where it moves the traits as far as DPN-LE does at the chosen gamma, fewest edited units "
        "first; missing where an arm never moves them as far.",
    ),
    "fluency": (
        "Fluency of the answers",
        "Change against the unedited model's answer: log perplexity under the unedited model, repetition, length.",
    ),
    "scopes": (
        "Scopes",
        "DPN-LE at the chosen gamma with other positions edited; decode alone is the published implementation.",
    ),
    "patching_verdict": (
        "What patching says",
        "By trait and direction: whether the selected neurons cause more than as many others of like magnitude.",
    ),
    "ablation": (
        "Ablation",
        "The share of the persona's effect on the next token that is lost when a set's activations are put to their "
        "mean.",
    ),
    "edited": (
        "What was edited",
        "Edited (position, layer) pairs and forward passes, by arm, dose, outcome and phase.",
    ),
    "search": (
        "How gamma was chosen",
        "On search questions and items of the training part: the greatest shift among the doses that keep within the "
        "bounds. Nothing of it is used again.",
    ),
    "neurons_edited": ("What each arm edits", "Units at the arm's site: neurons, or residual-stream coordinates."),
    "null": (
        "What shuffled labels select",
        "Neurons that pass the dual rule under the true labels and under shuffled ones (mean, 95 % of permutations), "
        "and how many of all neurons differ between the poles with errors held over the whole model (max-T) or as a "
        "false-discovery rate, both at 5 %.",
    ),
    "stability": (
        "Stability of the selection",
        "Under other descriptions and questions; ranges hold 95 % of splits, neurons or clusters.",
    ),
    "exclusivity": (
        "Exclusivity against the neutral arm",
        "Layer -1 is all layers together. Matched: against sets drawn among neurons of like activation size. "
        "`correlation_halves` compares independent `halves` of the prompts, as the neutral arm's noise alone "
        "correlates both contrasts.",
    ),
    "start_layer": ("Start layer", "The first layer that tells the poles apart as well as any, and why."),
    "trait_overlap": (
        "Overlap between traits",
        "Selections of the dual rule, by trait and pole, with one-sided hypergeometric tests; Holm over the pairs.",
    ),
    "valence_overlap": (
        "Overlap by desirability",
        "Pairs of different traits' poles: geometric mean of the lift, and the ratio of pairs of one valence to "
        "opposite ones, with the share of all ways to call poles desirable that give as much.",
    ),
    "valence_share": (
        "What the other traits explain",
        "Cosine of a trait's effect with the direction that the other traits share by valence, and its square.",
    ),
    "balance": (
        "Balance of the poles",
        "Standardised difference of each confound, high minus low, with intervals clustered by description and "
        "question.",
    ),
    "balance_pairs": ("Likeness within pairs", "Of the high and the low text of each pair."),
    "predictability": (
        "The poles told apart from confounds alone",
        "Held-out area under the curve of a probe that sees the table above and nothing else; 0.5 is balance.",
    ),
    "sensitivity": (
        "Other thresholds",
        "What the dual rule selects, and its Jaccard with the selection that is edited.",
    ),
    "selection": (
        "What each criterion kept and removed",
        "By layer: tau_q of |s|, the neurons above it, those above tau_d, the chosen High and Low, and what each "
        "criterion alone removed.",
    ),
}
"""Title and caption by the table's name in the study; in reading order."""

_GROUPS = {
    where.GROUP: ("selection", "start_layer"),
    resting.GROUP: ("null", "stability", "sensitivity", "balance", "balance_pairs", "predictability"),
    owning.GROUP: ("exclusivity", "trait_overlap", "valence_overlap", "valence_share"),
    editing.GROUP: (
        *("equal_dose", "shifts", "against_controls", "quantile_sweep", "specificity", "questionnaire", "scopes"),
        *("search", "neurons_edited", "edited"),
    ),
    costing.GROUP: (
        *("equal_shift", "equal_shift_by_dose", "equal_loss", "cost_by_breadth", "capability_tests", "fluency"),
    ),
    causing.GROUP: ("patching_verdict", "ablation"),
}
"""The tables of each group, which the figures share."""
