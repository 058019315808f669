"""A study as a page: its question, what the data say, figures, answers, tables, methods and manifest."""

from collections.abc import Collection
from html import escape
from importlib.resources import files
from pathlib import Path

from workbench.outcome.finding import Finding
from workbench.report.contents import Report, ReportFigure, ReportTable, Verdict
from workbench.report.measured import has_dose, shown_costs, standing_text, subject_of
from workbench.report.page import write_report
from workbench.report.steered import steered_answers
from workbench.report.study_figures import StudyFigure, study_figures
from workbench.report.study_tables import study_tables
from workbench.report.terminal import chosen_by
from workbench.report.warned import page_warnings
from workbench.study.study import Study

PAGE = "report.html"
_MEASURED = "<!-- measured -->"  # where methods.html lists what a study measured


def study_report(study: Study) -> Report:
    """Everything that the study's page says."""
    figures = [_page_figure(figure) for figure in study_figures(study)]
    tables = [
        ReportTable(f"table-{table.name}", table.title, table.caption, table.frame, group=table.group)
        for table in study_tables(study)
    ]
    ids = {each.id for each in (*figures, *tables)}
    return Report(
        title=f"{study.method} on {study.manifest['model']}",
        question=_question(study),
        lead=_lead(study),
        verdicts=[
            Verdict(finding.claim, finding.verdict, finding.sentence, shown=evidence_on_page(study, finding, ids))
            for finding in study.findings
        ],
        facts=_facts(study),
        figures=figures,
        tables=tables,
        answers=steered_answers(study),
        methods=_methods(study),
        manifest={name: entry for name, entry in study.manifest.items() if name != "findings"},
        warnings=page_warnings(study),
    )


def evidence_on_page(study: Study, finding: Finding, ids: Collection[str]) -> tuple[str, ...]:
    """The ids of the figures and tables behind a finding, of those that the page holds.

    A name in the finding's evidence may be a figure's, a table's, or both.
    """
    shown: list[str] = []
    for name in finding.evidence:
        table = f"table-{name.replace('_', '-')}" if name in study.tables else ""
        shown += [each for each in (name, table) if each in ids]
    return tuple(dict.fromkeys(shown))


def _question(study: Study) -> str:
    """What the study asks of the arm under test."""
    question = f"Does {subject_of(study)} move a personality trait further than controls of equal strength do"
    return f"{question}, and what does it cost beside other ways to steer?" if shown_costs(study) else f"{question}?"


def _lead(study: Study) -> str:
    """What was done, in a paragraph."""
    config, selection = study.config, study.tables["selection"]
    chosen, neurons = int(selection[["high", "low"]].to_numpy().sum()), int(selection["neurons"].sum())
    traits = f"each of {len(config.traits)} traits" if len(config.traits) > 1 else ", ".join(config.traits)
    others = len(study.roles) - 1
    beside = f" and {others} other {'arm' if others == 1 else 'arms'}" if others else ""
    measured = ", ".join(study.quantities.drop_duplicates("name")["label"])
    return (
        f"For {traits}, {config.pairs} pairs of personas were put to the model, and {chosen / neurons:.2%} of its MLP "
        f"neurons were chosen by {chosen_by(config)}: the difference s between the poles and its effect size d. "
        f"{study.method}{beside} then moved the model in both directions, edits without any persona in the prompt. On "
        f"questions and items that the search for a dose never saw, these were measured: {measured}."
        + (f" Layers and min_d that its file does not give follow the {study.preset}." if study.preset else "")
        + (f" {standing}" if (standing := standing_text(study)) else "")
    )


def _facts(study: Study) -> dict[str, str]:
    """What is read at a glance."""
    config, selection = study.config, study.tables["selection"]
    chosen, neurons = int(selection[["high", "low"]].to_numpy().sum()), int(selection["neurons"].sum())
    traits = len(config.traits)
    return {
        "neurons per trait": f"{chosen / traits:.0f} of {neurons // traits:,}",
        **({"gamma": f"{study.gamma:g}"} if has_dose(study) else {}),
        "scope": config.scope,
        **{f"rows of {name}": f"{rows:,}" for name, rows in rows_asked(study).items()},
        "arms": str(len(study.roles)),
    }


def rows_asked(study: Study) -> dict[str, int]:
    """How many answers each outcome gave, by its name; of those alone whose table holds them all."""
    counts = {}
    for row in study.quantities.drop_duplicates("outcome").to_dict("records"):
        table = study.tables.get(row["outcome"].replace("-", "_").replace(" ", "_"))
        if table is not None and {"arm", "gamma", row["cluster"]} <= set(table):
            counts[row["outcome"]] = len(table)
    return counts


def _methods(study: Study) -> str:
    """How it was done, as HTML, with what this study measured."""
    rows = study.quantities.drop_duplicates("name").to_dict("records")
    items = [
        f"<li><code>{escape(row['name'])}</code>: {escape(row['label'])}, in {escape(row['unit'])}, resampled by "
        f"{escape(row['cluster'])}</li>"
        for row in rows
    ]
    judge = study.config.judge
    scored = f"<p>The judge of open answers is {escape(judge.model)}.</p>" if judge else ""
    text = files("workbench.report").joinpath("methods.html").read_text(encoding="utf-8")
    return text.replace(_MEASURED, f"<ul>{''.join(items)}</ul>{scored}")


def _page_figure(figure: StudyFigure) -> ReportFigure:
    alt = figure.alt(next(iter(figure.figures)))
    file = f"figures/{figure.name}"
    return ReportFigure(figure.name, figure.title, figure.caption, alt, figure.figures, group=figure.group, file=file)


def write_study_report(study: Study, path: str | Path | None = None) -> Path:
    """Write the study's page, self-contained, to `path` or as `report.html` into the study's folder."""
    return write_report(study_report(study), Path(path) if path else study.folder / PAGE)
