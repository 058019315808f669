"""A study as a page: its question, what the data say, figures, answers, tables, methods and manifest."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from workbench.report.page import Report, ReportFigure, ReportTable, SteeredAnswer, Verdict, write_report
from workbench.report.study_figures import StudyFigure, study_figures
from workbench.report.terminal import chosen_by
from workbench.study.study import Study

PAGE = "report.html"
_ANSWERS = 4  # questions shown side by side, for each trait

_TABLES = {
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
        "`correlation_halves` compares independent halves of the descriptions, as the neutral arm's noise alone "
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


def study_report(study: Study) -> Report:
    """Everything that the study's page says."""
    tables, config = study.tables, study.config
    selection = tables["selection"]
    chosen, neurons = int(selection[["high", "low"]].to_numpy().sum()), int(selection["neurons"].sum())
    return Report(
        title=f"DPN-LE on {study.manifest['model']}",
        question=(
            "Do a few MLP neurons, found by contrasting personas, carry a personality trait, and does editing them "
            "cost less than editing more, or elsewhere?"
        ),
        lead=(
            f"For each of {len(config.traits)} traits, {config.pairs} pairs of personas were put to the model, and "
            f"{chosen / neurons:.2%} of its MLP neurons were chosen by {chosen_by(config)}: the "
            f"difference s between the poles and its effect size d. Those neurons and {len(config.arms) - 1} other "
            "arms were edited or prompted in both directions, the edits without "
            "any persona in the prompt, and the answers were scored on questions and items that the search never saw."
        ),
        verdicts=[Verdict(finding.claim, finding.verdict, finding.text) for finding in study.findings],
        facts={
            "neurons per trait": f"{chosen / len(config.traits):.0f} of {neurons // len(config.traits):,}",
            "gamma": f"{study.gamma:g}",
            "scope": config.scope,
            "answers": f"{len(tables['answers']):,}",
            "capability items": f"{len(tables['capability']):,}",
            "arms": str(len(config.arms)),
        },
        figures=[_page_figure(figure) for figure in study_figures(study)],
        tables=[
            ReportTable(f"table-{name.replace('_', '-')}", title, caption, tables[name])
            for name, (title, caption) in _TABLES.items()
            if name in tables
        ],
        answers=steered_answers(study),
        methods=files("workbench.report").joinpath("methods.html").read_text(encoding="utf-8"),
        manifest={name: entry for name, entry in study.manifest.items() if name != "findings"},
        warnings=_warnings(study),
    )


def _page_figure(figure: StudyFigure) -> ReportFigure:
    first = next(iter(figure.figures.values()))
    return ReportFigure(figure.name, figure.title, figure.caption, first.layout.meta["alt"], figure.figures)


def steered_answers(study: Study, *, count: int = _ANSWERS) -> list[SteeredAnswer]:
    """The first held-out questions of each trait: unedited, and edited by DPN-LE both ways at the chosen gamma."""
    answers = study.tables["answers"]
    ours = answers[(answers["arm"] == "DPN-LE") & (answers["gamma"] == study.gamma)]
    shown = pd.concat([answers[answers["arm"] == "none"], ours])
    found = []
    for (trait, question), rows in shown.groupby(["trait", "question"], sort=False):
        if sum(answer.trait == trait for answer in found) == count:
            continue
        given = rows.set_index("direction")
        said = {str(way): (str(row["answer"]), float(row["score"])) for way, row in given.iterrows()}
        found.append(
            SteeredAnswer(
                str(trait),
                str(question),
                base=said["none"][0],
                increase=said["increase"][0],
                decrease=said["decrease"][0],
                base_score=said["none"][1],
                increase_score=said["increase"][1],
                decrease_score=said["decrease"][1],
            )
        )
    return found


def _told_of_judge(study: Study) -> list[str]:
    """Where a judge scored the answers, what that changes of what the page says everywhere."""
    judge = study.config.judge
    if judge is None:
        return []
    answers = study.tables["answers"]
    return [
        f"Open answers were scored by the judge {judge.model}, which saw question and answer alone, not by the "
        "embedded model's grammar. Well-formedness stands for its rating of fluency, 0 for 1 and 1 for 5. "
        f"{int(answers['score'].isna().sum()):,} of {len(answers):,} answers have no trait rating, and "
        f"{int(answers['wellformed'].isna().sum()):,} no fluency rating."
    ]


def _warnings(study: Study) -> list[str]:
    """What a reader must know before quoting a number."""
    said = _told_of_judge(study) + [
        f"The arm {arm} is the arm {twin}, value by value: it was not run again." for arm, twin in study.twins.items()
    ]
    said += [f"The arm {arm} could not be built: {reason}" for arm, reason in study.left_out.items()]
    if not study.tables["search"]["allowed"].any():
        said.append("No dose kept within the bounds on search questions; the least one was taken.")
    unreached = study.tables["equal_shift"].query("gamma.isna()")["arm"]
    said += [f"The {arm} arm never moves the traits as far as DPN-LE: no equal shift exists." for arm in unreached]
    base = study.tables["answers"].query("arm == 'none'")
    if base["answer"].nunique() < 0.5 * len(base):
        said.append(
            f"The unedited model gives only {base['answer'].nunique()} different answers to {len(base)} questions: "
            "they are not independent, and intervals over questions are too narrow. Sample answers (temperature = 1)."
        )
    unscored = 1 - study.tables["answers"]["score"].notna().mean()
    if unscored > 0.02:
        said.append(f"{unscored:.1%} of the answers say nothing about their trait and have no score.")
    return said


def write_study_report(study: Study, path: str | Path | None = None) -> Path:
    """Write the study's page, self-contained, to `path` or as `report.html` into the study's folder."""
    return write_report(study_report(study), Path(path) if path else study.folder / PAGE)
