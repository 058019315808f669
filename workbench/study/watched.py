"""What the model reads in a few of the answers that it gave, token by token."""

from collections.abc import Mapping

import pandas as pd

from workbench.arm.building import Steering
from workbench.arm.spec import UNEDITED
from workbench.contrast.prompt import Prompt
from workbench.edit.edit import Composite, Edit
from workbench.model.model import Model
from workbench.monitoring.running import monitor
from workbench.vocabulary import SIGN

SHOWN = 2
"""Questions of each trait."""
DRAWS = 20
_NEEDED = {"arm", "trait", "direction", "gamma", "question", "answer"}
_LABELS = {"none": "Unedited", "increase": "Increased", "decrease": "Decreased"}


def watched_answers(
    model: Model,
    answers: pd.DataFrame,
    steering: Mapping[tuple[str, str], Steering],
    *,
    method: str,
    gamma: float,
    seed: int,
) -> pd.DataFrame:
    """A few answers of each trait along the direction of its edit: unedited, and steered both ways.

    Every answer is read by the unedited model, so that what the edit itself adds to activations is not in it.

    Args:
        answers: open answers with the columns arm, trait, direction, gamma, question and answer.
        steering: by trait and direction, what the arm under test does. A trait whose edit does not add is left out.

    Returns:
        a row for each token of a question and its answer: trait, question, label (`Unedited`, `Increased`,
        `Decreased`) and the columns of `Monitoring.frame`. Empty where there is nothing to read.
    """
    frames = []
    if set(answers) >= _NEEDED:
        kept = answers[(answers["arm"] == UNEDITED) | ((answers["arm"] == method) & (answers["gamma"] == gamma))]
        for trait, rows in kept.groupby("trait", sort=False):
            edit = steering.get((str(trait), "increase"))
            if isinstance(edit, Edit | Composite) and all(part.operation == "add" for part in edit.parts) and edit.acts:
                shown = _shown(rows)
                if len(shown):
                    frames.append(_watched(model, edit, shown, seed).assign(trait=str(trait)))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The answers to a few questions that were answered with words unedited and in both directions.

    Those whose answers differ most come first, then those that were asked first.
    """
    said = rows[rows["answer"].str.strip() != ""].drop_duplicates(["question", "direction"])
    whole = said.groupby("question", sort=False)["direction"].agg(lambda ways: {"none", *SIGN} <= set(ways))
    differing = said[said["question"].isin(whole.index[whole])].groupby("question", sort=False)["answer"].nunique()
    asked_for = differing.sort_values(ascending=False, kind="stable").index[:SHOWN]
    chosen = said[said["question"].isin(asked_for)]
    order = {way: number for number, way in enumerate(_LABELS)}
    return chosen.sort_values("direction", key=lambda ways: ways.map(order), kind="stable").sort_values(
        "question", key=lambda asked: asked.map({each: i for i, each in enumerate(whole.index)}), kind="stable"
    )


def _watched(model: Model, edit: Edit | Composite, shown: pd.DataFrame, seed: int) -> pd.DataFrame:
    pairs = [(Prompt(question), answer) for question, answer in zip(shown["question"], shown["answer"], strict=True)]
    frame = monitor(model, pairs, edit, draws=DRAWS, seed=seed).frame()
    number = frame["text"].to_numpy()
    told = {
        "question": shown["question"].to_numpy()[number],
        "label": shown["direction"].map(_LABELS).to_numpy()[number],
    }
    return frame.assign(**told)
