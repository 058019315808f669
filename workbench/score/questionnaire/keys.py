"""Item keys of published questionnaires in IPIP's layout, trait scores of a model, and Cronbach's alpha."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from workbench.concept.formats.item_key import parse_sign as parse_sign
from workbench.concept.formats.item_key import read_keys as read_keys
from workbench.score.questionnaire.asking import Statement


def statements_of(keys: pd.DataFrame) -> list[Statement]:
    """The items of a key as statements for `ask_questionnaire`."""
    rows = zip(keys["text"], keys["trait"], keys["keyed"], keys["item"], strict=True)
    return [Statement(text, trait, keyed, item) for text, trait, keyed, item in rows]


def trait_profile(frame: pd.DataFrame) -> pd.DataFrame:
    """Each condition's score of each trait.

    A statement's score is the mean over its parsed wordings and orders; a trait's is the mean over its statements.

    Args:
        frame: from `ask_questionnaire`.

    Returns:
        Columns arm, trait, direction, gamma, measured_trait, score (1 to 5, missing where nothing was parsed),
        statements (how many have a score), asked (rows), unparsed (rows).
    """
    names = ["arm", "trait", "direction", "gamma", "measured_trait"]
    table = []
    for labels, rows in frame.groupby(names, sort=False):
        per_item = rows.groupby("item", sort=False)["expected"].mean().dropna()
        table.append(
            dict(zip(names, labels, strict=True))
            | {"score": float(per_item.mean()) if len(per_item) else np.nan, "statements": len(per_item)}
            | {"asked": len(rows), "unparsed": int((~rows["parsed"]).sum())}
        )
    return pd.DataFrame(table)


def cronbach_alpha(items: ArrayLike) -> float:
    """Cronbach's alpha of a scale of k items: k / (k - 1) * (1 - sum of item variances / variance of the sum).

    Args:
        items: `(respondent, item)` scores, reversed where keyed -.

    Returns:
        1 where all items agree, 0 where they are unrelated, below 0 where they contradict each other.

    Raises:
        ValueError: with fewer than 2 respondents or items, missing scores, or sums that do not vary.

    Reference:
        Cronbach (1951), equation 2.

    Example:
        >>> cronbach_alpha([[1, 2], [2, 3], [3, 4]])
        1.0
    """
    scores = np.asarray(items, dtype=np.float64)
    if scores.ndim != 2 or min(scores.shape) < 2:
        raise ValueError(f"alpha needs at least 2 respondents and 2 items, but got shape {scores.shape}. Ask more.")
    if not np.isfinite(scores).all():
        raise ValueError("alpha needs every score, but some are missing. Leave out respondents with gaps.")
    total = scores.sum(axis=1).var(ddof=1)
    if not total > 0:
        raise ValueError("alpha needs sums that vary, but all respondents have the same. Ask respondents who differ.")
    k = scores.shape[1]
    return float(k / (k - 1) * (1 - scores.var(axis=0, ddof=1).sum() / total))
