"""How well the items of a scale agree, in people and in a model under several conditions."""

import numpy as np
import pandas as pd

from workbench.score.questionnaire.keys import cronbach_alpha

_LABELS = ["arm", "trait", "direction", "gamma"]


def alpha_by_trait(ratings: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Cronbach's alpha of each trait's items.

    Args:
        ratings: a row for each respondent, a column for each item; 1 to 5, with items keyed - reversed already;
            missing or 0 for no answer.
        keys: from `read_keys`; only items that are columns of `ratings` are used.

    Returns:
        A row for each trait: trait, items, respondents (those who answered all items), left_out (the others), alpha.
        Where `cronbach_alpha` is not defined, alpha is missing and `reason` says why.

    Raises:
        ValueError: if no item of the key is among the columns.
    """
    keys = keys[keys["item"].isin(ratings.columns)]
    if keys.empty:
        raise ValueError(f"No item of the key is among the columns {list(ratings.columns[:4])}. Give ratings by item.")
    table = []
    for trait, items in keys.groupby("trait", sort=False):
        scores = ratings[items["item"].tolist()].astype(float)
        scores = scores.where(scores != 0).dropna()
        alpha, reason = np.nan, ""
        try:
            alpha = cronbach_alpha(scores.to_numpy())
        except ValueError as error:
            reason = str(error)
        table.append(
            {"trait": trait, "items": len(items), "respondents": len(scores), "left_out": len(ratings) - len(scores)}
            | {"alpha": alpha, "reason": reason}
        )
    return pd.DataFrame(table)


def item_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Each condition's keyed score of each statement.

    Wordings and orders are repeated measurements of one statement. They are averaged, without those that were not
    parsed.

    Args:
        frame: from `ask_questionnaire`.

    Returns:
        A row for each condition (arm, trait, direction, gamma), a column for each statement in the order asked; 1 to
        5, missing where nothing was parsed.
    """
    order, conditions = list(dict.fromkeys(frame["item"])), frame[_LABELS].drop_duplicates()
    wide = frame.pivot_table(index=_LABELS, columns="item", values="expected", aggfunc="mean", dropna=False)
    return wide.reindex(index=pd.MultiIndex.from_frame(conditions), columns=order)


def questionnaire_alpha(frame: pd.DataFrame) -> pd.DataFrame:
    """Cronbach's alpha of a questionnaire that a model answered.

    The respondents are the conditions (personas, edits, doses), each with one score for each statement. Orders and
    wordings are not counted as respondents, because they repeat one measurement: agreement between them shows how
    steady the answers are, and a preference for one position in the list would look like a trait. Alpha describes the
    conditions that were asked, and needs at least two that differ.

    Args:
        frame: from `ask_questionnaire`.

    Returns:
        As `alpha_by_trait`.
    """
    keys = frame.drop_duplicates("item")[["item", "measured_trait", "keyed"]].rename(
        columns={"measured_trait": "trait"}
    )
    return alpha_by_trait(item_scores(frame), keys)
