"""How far answers are from a respondent's, item by item and trait by trait, beside what trivial answers score."""

import numpy as np
import pandas as pd

from workbench.score.questionnaire.reliability import item_scores
from workbench.score.questionnaire.respondents import ItemSplit

MIDDLE = 3.0
ALL = "all"


def distances(
    predicted: pd.DataFrame, ratings: pd.DataFrame, keys: pd.DataFrame, *, as_published: bool = False
) -> pd.DataFrame:
    """Mean absolute errors of predicted ratings, a respondent at a time.

    Both must be keyed alike: the released responses are turned round already, and so is `expected` of
    `ask_questionnaire`. The PAPI repository compares answers as they were said with responses turned round: there
    the released people's own answers score a total of 3.86, above the 3.80 of always saying the middle.

    Args:
        predicted: a row a respondent, a column an item, 1 to 5; missing where nothing is predicted.
        ratings: the respondents' own, rows in the same order; missing where not answered.
        keys: from `read_keys`; items in all three are compared.
        as_published: count an unanswered item as a rating of 0, as the PAPI repository does, instead of leaving it
            out.

    Returns:
        A row a respondent and trait, and one for `all`: the index of `ratings`, measured_trait, items (compared),
        unparsed (answered, but not predicted), unanswered (by the respondent), item_mae (mean over the items,
        points of 1 to 5), profile_error (difference of the means over the same items; for `all`, its mean over the
        traits), total_mae (for `all` alone: the sum of item_mae over the traits, 0 to 20 for five). Missing where
        nothing could be compared.

    Raises:
        ValueError: if the rows differ in number, or no item is in all three.

    Reference:
        total_mae: Zhu et al. (2025), Personality Alignment of Large Language Models.
    """
    if len(predicted) != len(ratings):
        raise ValueError(f"Each respondent needs predictions, but {len(predicted)} rows met {len(ratings)}.")
    keys = keys[keys["item"].isin(predicted.columns) & keys["item"].isin(ratings.columns)]
    if keys.empty:
        raise ValueError("No item of the key is both predicted and rated. Name items alike, e.g. i1.")
    own = ratings[keys["item"].tolist()].to_numpy(dtype=float)
    own = np.where(own == 0, np.nan, own)
    said = predicted[keys["item"].tolist()].to_numpy(dtype=float)
    if as_published:
        own = np.where(np.isnan(own), 0.0, own)
    traits = keys["trait"].to_numpy()
    parts = {str(trait): _errors(said[:, traits == trait], own[:, traits == trait]) for trait in dict.fromkeys(traits)}
    whole = _errors(said, own)
    whole["profile_error"] = np.mean([part["profile_error"] for part in parts.values()], axis=0)
    whole["total_mae"] = np.sum([part["item_mae"] for part in parts.values()], axis=0)
    return pd.concat(
        [
            pd.DataFrame({"measured_trait": trait, **part}, index=ratings.index)
            for trait, part in (parts | {ALL: whole}).items()
        ]
    ).assign(items=lambda frame: frame["items"].astype(int))


def _errors(said: np.ndarray, own: np.ndarray) -> dict[str, np.ndarray]:
    both = ~np.isnan(said) & ~np.isnan(own)
    count = both.sum(axis=1)
    per = np.where(count > 0, count, np.nan)
    difference = np.where(both, said - own, 0.0)
    return {
        "items": count,
        "unparsed": (np.isnan(said) & ~np.isnan(own)).sum(axis=1),
        "unanswered": np.isnan(own).sum(axis=1),
        "item_mae": np.abs(difference).sum(axis=1) / per,
        "profile_error": np.abs(difference.sum(axis=1)) / per,
        "total_mae": np.full(len(count), np.nan),
    }


def trivial_answers(
    ratings: pd.DataFrame, keys: pd.DataFrame, split: ItemSplit, *, population: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """What can be said of the asked items without a model; nothing is worth reporting that does not beat it.

    Args:
        ratings: a row a respondent, indexed by case, a column an item; 0 or missing for no answer.
        split: the given items may be used of a respondent, the asked ones never.
        population: people whose median is taken, by default `ratings`; a respondent is left out of their own median.

    Returns:
        By name, a row a respondent, a column an asked item: `always middle` (3), `population median` (each item's,
        over other people), `own mean` (over the respondent's given items), `own trait means` (the same, trait by
        trait). Missing where it cannot be told.

    Raises:
        ValueError: if the ratings or the key lack an item of the split.
    """
    trait = keys.set_index("item")["trait"]
    for name, there in (("ratings", ratings.columns), ("key", trait.index)):
        lacking = [item for item in (*split.given, *split.asked) if item not in there]
        if lacking:
            raise ValueError(f"The {name} lack {len(lacking)} items of the split, e.g. {lacking[0]}.")
    given, asked = list(split.given), list(split.asked)
    known = ratings[given].replace(0, np.nan)
    people = (ratings if population is None else population)[asked].replace(0, np.nan)

    def constant(rows: pd.Series | float) -> pd.DataFrame:
        return pd.DataFrame(dict.fromkeys(asked, rows), index=ratings.index, dtype=float)

    medians = [people.drop(index=case, errors="ignore").median() for case in ratings.index]
    by_trait = {name: known[[item for item in given if trait[item] == name]].mean(axis=1) for name in set(trait)}
    return {
        "always middle": constant(MIDDLE),
        "population median": pd.DataFrame(medians, index=ratings.index),
        "own mean": constant(known.mean(axis=1)),
        "own trait means": pd.DataFrame({item: by_trait[trait[item]] for item in asked}, index=ratings.index),
    }


def trivial_distances(
    ratings: pd.DataFrame, keys: pd.DataFrame, split: ItemSplit, *, as_published: bool = False
) -> pd.DataFrame:
    """Mean distance of each trivial answer over all respondents: the floor under any result on them.

    Returns:
        A row a predictor and trait, and `all`: predictor, measured_trait, respondents, items (compared, all
        together), item_mae, profile_error, total_mae; means over respondents.

    Raises:
        ValueError: as `trivial_answers`.
    """
    found = []
    for name, predicted in trivial_answers(ratings, keys, split).items():
        each = distances(predicted, ratings, keys, as_published=as_published)
        grouped = each.groupby("measured_trait", sort=False)
        means = grouped[["item_mae", "profile_error", "total_mae"]].mean()
        counts = {"respondents": grouped["item_mae"].count(), "items": grouped["items"].sum()}
        found.append(means.assign(predictor=name, **counts).reset_index())
    columns = ["predictor", "measured_trait", "respondents", "items", "item_mae", "profile_error", "total_mae"]
    return pd.concat(found, ignore_index=True)[columns]


def distance_to_respondent(
    answers: pd.DataFrame,
    respondent: pd.Series,
    keys: pd.DataFrame,
    *,
    split: ItemSplit | None = None,
    population: pd.DataFrame | None = None,
    as_published: bool = False,
) -> pd.DataFrame:
    """How far each condition's answers to a questionnaire are from one person's, the trivial answers beside them.

    Args:
        answers: from `ask_questionnaire`; a statement's score is the mean over its parsed wordings and orders.
        respondent: the person's ratings by item, turned round where keyed -, e.g. a row of `read_respondents`; its
            name is the case.
        keys: from `read_keys`.
        split: compare the asked items alone, and say what the given ones would have told.
        population: other people, for the median of each item; the respondent is left out by its case.
        as_published: as `distances`.

    Returns:
        As `distances`, for each condition and each trivial answer: arm (of a trivial answer, its name), trait,
        direction, gamma, and trivial (whether it is one). Trivial answers are compared on the items that were asked,
        parsed or not. Without a split the person's own means are not told, as they would tell the answers.

    Raises:
        ValueError: if nothing asked is in the key and rated by the respondent.
    """
    scores = item_scores(answers)
    if split is not None:
        scores = scores[[item for item in scores.columns if item in split.asked]]
    conditions = scores.index.to_frame(index=False)
    predicted = [scores.reset_index(drop=True)]
    items = [item for item in scores.columns if item in respondent.index]
    if not items:
        raise ValueError("The respondent rated none of the statements that were asked. Name items alike, e.g. i1.")
    person = pd.DataFrame([respondent])
    if split is not None:
        kept = ItemSplit(split.given, tuple(items))
        trivial = trivial_answers(person, keys, kept, population=population)
    else:
        middle = pd.DataFrame(MIDDLE, index=person.index, columns=items)
        trivial = {"always middle": middle}
        if population is not None:
            others = population[items].replace(0, np.nan).drop(index=respondent.name, errors="ignore")
            trivial["population median"] = others.median().to_frame().T
    if population is None:
        trivial.pop("population median", None)
    names = pd.DataFrame([{"arm": name, "trait": "", "direction": "none", "gamma": 0.0} for name in trivial])
    labels = pd.concat([conditions.assign(trivial=False), names.assign(trivial=True)], ignore_index=True)
    rows = pd.concat([*predicted, *trivial.values()], ignore_index=True)
    ratings = pd.concat([person] * len(rows), ignore_index=True)
    each = distances(rows, ratings, keys, as_published=as_published)
    return labels.join(each).reset_index(drop=True)
