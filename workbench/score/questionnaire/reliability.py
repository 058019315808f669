"""How well items of a scale agree: in people, in a model under several conditions, and whether a release is recoded."""

import numpy as np
import pandas as pd

from workbench.score.questionnaire.keys import cronbach_alpha

_LABELS = ["arm", "trait", "direction", "gamma"]


def alpha_by_trait(ratings: pd.DataFrame, keys: pd.DataFrame, *, recoded: bool = True) -> pd.DataFrame:
    """Cronbach's alpha of each trait's items.

    Args:
        ratings: a row a respondent, a column an item, 1 to 5, missing or 0 for no answer.
        keys: from `read_keys`; only items that are columns of `ratings` are used.
        recoded: whether items keyed - are turned round already.

    Returns:
        A row a trait: trait, items, respondents (who answered all of them), left_out (who did not), alpha; alpha is
        missing where `cronbach_alpha` is not defined, and `reason` says why.

    Raises:
        ValueError: if no item of the key is among the columns.
    """
    keys = keys[keys["item"].isin(ratings.columns)]
    if keys.empty:
        raise ValueError(f"No item of the key is among the columns {list(ratings.columns[:4])}. Give ratings by item.")
    found = []
    for trait, own in keys.groupby("trait", sort=False):
        scores = ratings[own["item"].tolist()].astype(float)
        scores = scores.where(scores != 0).dropna()
        if not recoded:
            turned = own.loc[own["keyed"] == "-", "item"].tolist()
            scores[turned] = 6 - scores[turned]
        alpha, reason = np.nan, ""
        try:
            alpha = cronbach_alpha(scores.to_numpy())
        except ValueError as error:
            reason = str(error)
        found.append(
            {"trait": trait, "items": len(own), "respondents": len(scores), "left_out": len(ratings) - len(scores)}
            | {"alpha": alpha, "reason": reason}
        )
    return pd.DataFrame(found)


def recoding(ratings: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """Whether items keyed - are turned round in released responses already: alpha as they stand, and once turned.

    Turning items round that were turned already makes half of a scale contradict the other half.

    Args:
        ratings: a row a respondent, a column an item, as released.
        keys: from `read_keys`.

    Returns:
        A row a trait: trait, items, respondents, as_released and turned (alphas), recoded (whether alpha is higher
        as released; missing where neither is defined or the trait has no item keyed -).

    Raises:
        ValueError: as `alpha_by_trait`.
    """
    as_released = alpha_by_trait(ratings, keys)
    turned = alpha_by_trait(ratings, keys, recoded=False)["alpha"]
    keyed = keys[keys["item"].isin(ratings.columns)].groupby("trait")["keyed"].apply(lambda signs: (signs == "-").any())
    tells = as_released["trait"].map(keyed).to_numpy() & as_released["alpha"].notna() & turned.notna()
    higher = (as_released["alpha"] > turned).astype("boolean").where(tells)
    kept = as_released[["trait", "items", "respondents"]]
    return kept.assign(as_released=as_released["alpha"], turned=turned, recoded=higher)


def item_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Each condition's keyed score of each statement, from what `ask_questionnaire` returned.

    Wordings and orders are repeated measurements of one statement, and are averaged; those that were not parsed
    are left out.

    Returns:
        A row a condition (arm, trait, direction, gamma), a column a statement in the order asked; 1 to 5, missing
        where nothing was parsed.
    """
    order, conditions = list(dict.fromkeys(frame["item"])), frame[_LABELS].drop_duplicates()
    wide = frame.pivot_table(index=_LABELS, columns="item", values="expected", aggfunc="mean", dropna=False)
    return wide.reindex(index=pd.MultiIndex.from_frame(conditions), columns=order)


def questionnaire_alpha(frame: pd.DataFrame) -> pd.DataFrame:
    """Cronbach's alpha of a questionnaire that a model answered.

    The respondents are the conditions: personas, edits and doses, each with one score a statement. Orders and
    wordings are no respondents: they repeat one measurement, so that agreement between them tells how steady the
    model's answers are, and a liking for a place in the list would pass for a trait. Alpha is about the conditions
    that were asked; it needs at least two that differ.

    Args:
        frame: from `ask_questionnaire`.

    Returns:
        As `alpha_by_trait`.
    """
    keys = frame.drop_duplicates("item")[["item", "measured_trait", "keyed"]].rename(
        columns={"measured_trait": "trait"}
    )
    return alpha_by_trait(item_scores(frame), keys)
