"""Answers of a study's unedited model beside those under the arm under test."""

from typing import Any

import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.report.answers import SteeredAnswer
from workbench.study.study import Study
from workbench.vocabulary import SIGN

_NEEDED = {"arm", "trait", "direction", "gamma", "question", "answer", "score"}


def steered_answers(study: Study, *, count: int = 4) -> list[SteeredAnswer]:
    """The first `count` held-out questions of each trait: answered by the unedited model, and steered both ways.

    Steered by the arm under test at the chosen gamma. Empty where the study has no open answers.
    """
    answers = study.tables.get("answers")
    if answers is None or not set(answers) >= _NEEDED:
        return []
    steered = answers[(answers["arm"] == study.method) & (answers["gamma"] == study.gamma)]
    rows = pd.concat([answers[answers["arm"] == UNEDITED], steered])
    shown: list[SteeredAnswer] = []
    for (trait, question), group in rows.groupby(["trait", "question"], sort=False):
        by_direction = group.set_index("direction")
        if sum(each.trait == trait for each in shown) < count and {"none", *SIGN} <= set(by_direction.index):
            shown.append(_side_by_side(str(trait), str(question), by_direction))
    return shown


def _side_by_side(trait: str, question: str, by_direction: pd.DataFrame) -> SteeredAnswer:
    def given(direction: str) -> tuple[str, float]:
        row: Any = by_direction.loc[direction]
        return str(row["answer"]), float(row["score"])

    (base, base_score), (increase, increase_score), (decrease, decrease_score) = map(
        given, ("none", "increase", "decrease")
    )
    return SteeredAnswer(trait, question, base, increase, decrease, base_score, increase_score, decrease_score)
