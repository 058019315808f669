"""A study as a page: its question, what the data say, figures, answers, tables, methods and manifest."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from workbench.report.page import Report, ReportFigure, ReportTable, SteeredAnswer, Verdict, write_report
from workbench.report.study_figures import StudyFigure, study_figures
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
    "against_random": (
        "Shift beyond the random control's",
        "Paired by question, at the chosen gamma.",
    ),
    "search": (
        "How gamma was chosen",
        "On search questions and items of the training part: the greatest shift among the doses that keep within the "
        "bounds. Nothing of it is used again.",
    ),
    "neurons_edited": ("What each arm edits", "Units at the arm's site: neurons, or residual-stream coordinates."),
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
            f"{chosen / neurons:.2%} of its MLP neurons were chosen by the size and the effect size of their "
            f"difference. Those neurons and {len(config.arms) - 1} other arms were edited in both directions, without "
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


def _warnings(study: Study) -> list[str]:
    """What a reader must know before quoting a number."""
    said = [
        f"The arm {arm} is the arm {twin}, value by value: it was not run again." for arm, twin in study.twins.items()
    ]
    if not study.tables["search"]["allowed"].any():
        said.append("No dose kept within the bounds on search questions; the least one was taken.")
    unreached = study.tables["equal_shift"].query("gamma.isna()")["arm"]
    said += [f"The {arm} arm never moves the traits as far as DPN-LE: no equal shift exists." for arm in unreached]
    unscored = 1 - study.tables["answers"]["score"].notna().mean()
    if unscored > 0.02:
        said.append(f"{unscored:.1%} of the answers say nothing about their trait and have no score.")
    return said


def write_study_report(study: Study, path: str | Path | None = None) -> Path:
    """Write the study's page, self-contained, to `path` or as `report.html` into the study's folder."""
    return write_report(study_report(study), Path(path) if path else study.folder / PAGE)
