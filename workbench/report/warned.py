"""What a reader must know before quoting a number of a study."""

from workbench.arm.spec import UNEDITED
from workbench.measure.summarising import ALL
from workbench.report.measured import label_of, standing_text
from workbench.study.study import Study

_UNSCORED = 0.02  # share of rows without a value above which a reader is warned


def page_warnings(study: Study) -> list[str]:
    """A sentence or two for each thing that a reader must know."""
    standing = standing_text(study)
    warnings = [*([standing] if standing else []), *_of_judge(study), *_of_arms(study)]
    if study.config.dose is None and not study.tables["search"]["allowed"].any():
        warnings.append("No dose kept within the bounds on search questions; the least one was taken.")
    warnings += [*_of_answers(study), *_of_unscored(study)]
    return warnings + [f"Raised while the study ran: {warning}" for warning in study.warnings]


def _of_judge(study: Study) -> list[str]:
    """Where a judge scored the answers, who it was, and how much it left without a rating."""
    judge, answers = study.config.judge, study.tables.get("answers")
    if judge is None or answers is None:
        return []
    missing = [
        f"{int(answers[column].isna().sum()):,} of {len(answers):,} answers have no {rating} rating"
        for column, rating in (("score", "trait"), ("wellformed", "fluency"))
        if column in answers
    ]
    return [
        f"Open answers were scored by the judge {judge.model}, which saw question and answer alone, not by the "
        f"embedded model's grammar. {'; '.join(missing)}."
    ]


def _of_arms(study: Study) -> list[str]:
    """Arms that are another one, that could not be built, and that never move the traits far enough."""
    unreached = study.tables["equal_shift"].query("gamma.isna()")["arm"]
    return [
        *(
            f"The arm {arm} is the arm {twin}, value by value: it was not run again."
            for arm, twin in study.twins.items()
        ),
        *(
            f"The arm {arm} {'did not run everywhere' if arm in study.roles else 'could not be built'}: {reason}"
            for arm, reason in study.left_out.items()
        ),
        *(
            f"The arm {arm} never moves the traits as far as {study.method}: no equal shift exists."
            for arm in unreached
        ),
    ]


def _of_answers(study: Study) -> list[str]:
    """Whether the unedited model says the same to most questions."""
    answers = study.tables.get("answers")
    if answers is None or "answer" not in answers:
        return []
    base = answers.loc[answers["arm"] == UNEDITED, "answer"]
    if base.nunique() >= 0.5 * len(base):
        return []
    return [
        f"The unedited model gives only {base.nunique()} different answers to {len(base)} questions: they are not "
        "independent, and intervals over questions are too narrow. Sample answers (temperature = 1)."
    ]


def _of_unscored(study: Study) -> list[str]:
    """How many rows at the chosen dose have no value of the target."""
    rows = study.tables["shifts"]
    rows = rows[(rows["trait"] == ALL) & (rows["direction"] == "both")]
    unscored = int(rows["unscored"].sum())
    share = unscored / max(1, unscored + int(rows["n"].sum()))
    if share <= _UNSCORED:
        return []
    return [f"{share:.1%} of the rows at the chosen dose have no {label_of(study, study.target)}."]
