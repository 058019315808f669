"""A study as a page: its question, what the data say, figures, answers, tables, methods and manifest."""

from importlib.resources import files
from pathlib import Path

import pandas as pd

from workbench.report.evidence import evidence_of
from workbench.report.page import Report, ReportFigure, ReportTable, SteeredAnswer, Verdict, write_report
from workbench.report.study_figures import StudyFigure, study_figures
from workbench.report.study_tables import study_tables
from workbench.report.terminal import chosen_by
from workbench.study.study import Study

PAGE = "report.html"
_ANSWERS = 4  # questions shown side by side, for each trait


def study_report(study: Study) -> Report:
    """Everything that the study's page says."""
    tables, config = study.tables, study.config
    selection = tables["selection"]
    chosen, neurons = int(selection[["high", "low"]].to_numpy().sum()), int(selection["neurons"].sum())
    figures = [_page_figure(figure) for figure in study_figures(study)]
    shown = [
        ReportTable(f"table-{table.name}", table.title, table.caption, table.frame, group=table.group)
        for table in study_tables(study)
    ]
    there = {each.id for each in (*figures, *shown)}
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
        verdicts=[
            Verdict(found.claim, found.verdict, found.sentence, shown=evidence_of(found.claim, there))
            for found in study.findings
        ],
        facts={
            "neurons per trait": f"{chosen / len(config.traits):.0f} of {neurons // len(config.traits):,}",
            "gamma": f"{study.gamma:g}",
            "scope": config.scope,
            "answers": f"{len(tables['answers']):,}",
            "capability items": f"{len(tables['capability']):,}",
            "arms": str(len(config.arms)),
        },
        figures=figures,
        tables=shown,
        answers=steered_answers(study),
        methods=files("workbench.report").joinpath("methods.html").read_text(encoding="utf-8"),
        manifest={name: entry for name, entry in study.manifest.items() if name != "findings"},
        warnings=_warnings(study),
    )


def _page_figure(figure: StudyFigure) -> ReportFigure:
    alt = figure.alt(next(iter(figure.figures)))
    file = f"figures/{figure.name}"
    return ReportFigure(figure.name, figure.title, figure.caption, alt, figure.figures, group=figure.group, file=file)


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
    return said + [f"Raised while the study ran: {warning}" for warning in study.warnings]


def write_study_report(study: Study, path: str | Path | None = None) -> Path:
    """Write the study's page, self-contained, to `path` or as `report.html` into the study's folder."""
    return write_report(study_report(study), Path(path) if path else study.folder / PAGE)
