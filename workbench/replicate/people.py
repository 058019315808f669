"""The IPIP's items: how far each arm moves them, and how near answers come to those of people, as papers measure it."""

import numpy as np
import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.paired import bootstrap_mean
from workbench.replicate.data import Found
from workbench.replicate.outcomes import ITEMS
from workbench.replicate.protocol import Protocol
from workbench.score.questionnaire.distance import MIDDLE
from workbench.score.questionnaire.keys import read_keys
from workbench.score.questionnaire.respondents import read_respondents, read_split
from workbench.study.study import Study

THRESHOLD = 2.8
ALWAYS_MIDDLE = "always the middle"


def people_tables(study: Study, found: Found, protocol: Protocol) -> dict[str, pd.DataFrame]:
    """By name: `ipip_shift`, the shift of the items; `ipip_people`, the distance from people's answers.

    The second needs PAPI's `Test-set.json` and `mpi_300_split.json`.
    """
    if ITEMS not in study.tables:
        return {}
    shift = study.tables["questionnaire"]
    tables = {"ipip_shift": shift[shift["trait"] == "all"].drop(columns="trait").reset_index(drop=True)}
    people, split = (found.paths["ipip"] / name for name in ("Test-set.json", "mpi_300_split.json"))
    if people.is_file() and split.is_file():
        threshold = float(protocol.values.get("ipip", {}).get("threshold", THRESHOLD))
        ratings, sides = read_respondents(people), read_split(split)
        given = [item for item in sides.given if item in ratings]
        tables["ipip_people"] = distance_to_people(
            study.tables[ITEMS],
            ratings,
            given,
            threshold=threshold,
            traits=_traits_of(found),
            resamples=study.config.resamples,
        )
    return tables


def distance_to_people(
    items: pd.DataFrame,
    ratings: pd.DataFrame,
    given: list[str],
    *,
    traits: pd.Series,
    threshold: float = THRESHOLD,
    resamples: int = 2000,
) -> pd.DataFrame:
    """How far an arm's answers are from each person's, where the trait is increased for people above a threshold.

    The paper's protocol for one trait: a person's mean of the given items says the direction, and the mean absolute
    error is taken over the asked items of that trait. As the released ratings, the items' scores are keyed: more is
    more of the trait.

    Args:
        items: columns arm, gamma, direction, trait, item and expected, the score from 1 to 5.
        ratings: a row for each person, a column for each item.
        given: the items that say a person's direction.
        traits: the trait of each item, by item.

    Returns:
        columns arm, gamma, trait, error (points of 1 to 5; mean over people), low, high, people and items. A row each
        for the unedited model and for always answering the middle, which any result must beat.
    """
    table = []
    for trait, of_trait in items.groupby("trait", sort=False):
        known = [item for item in given if traits.get(item) == trait]
        asked = [item for item in dict.fromkeys(of_trait["item"]) if item in ratings]
        if not known or not asked:
            continue
        up = ratings[known].replace(0, np.nan).mean(axis=1) > threshold
        rated = ratings[asked].replace(0, np.nan)
        predicted: dict[tuple[str, float], pd.DataFrame] = {}
        for (arm, gamma), rows in of_trait.groupby(["arm", "gamma"], sort=False):
            ways = rows.pivot_table(index="direction", columns="item", values="expected")
            if arm == UNEDITED:
                choice = np.repeat(ways.reindex(columns=asked).to_numpy()[:1], len(up), axis=0)
            elif {"increase", "decrease"} <= set(ways.index):
                ordered = ways.reindex(columns=asked)
                choice = np.where(up.to_numpy()[:, None], ordered.loc["increase"], ordered.loc["decrease"])
            else:
                continue
            predicted[str(arm), float(str(gamma))] = pd.DataFrame(choice, index=ratings.index, columns=asked)
        predicted[ALWAYS_MIDDLE, 0.0] = pd.DataFrame(MIDDLE, index=ratings.index, columns=asked)
        for (arm, gamma), guess in predicted.items():
            errors = (guess - rated).abs().mean(axis=1).dropna()
            if errors.empty:
                continue
            mean = bootstrap_mean(errors.to_numpy(), clusters=list(errors.index), resamples=resamples)
            entry = {"arm": arm, "gamma": gamma, "trait": trait, "error": mean.estimate, "low": mean.low}
            table.append(entry | {"high": mean.high, "people": mean.n, "items": len(asked)})
    return pd.DataFrame(table, columns=["arm", "gamma", "trait", "error", "low", "high", "people", "items"])


def _traits_of(found: Found) -> pd.Series:
    from_key = read_keys(found.ipip_key())
    return from_key.set_index("item")["trait"]
