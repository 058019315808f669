"""The distance of predicted answers from people's answers, by item and by trait, and that of trivial predictions."""

import numpy as np
import pandas as pd

from workbench.score.questionnaire.reliability import item_scores
from workbench.score.questionnaire.respondents import ItemSplit

MIDDLE = 3.0
ALL = "all"


def distances(
    predicted: pd.DataFrame, ratings: pd.DataFrame, keys: pd.DataFrame, *, as_published: bool = False
) -> pd.DataFrame:
    """Mean absolute errors of predicted ratings, for each respondent.

    On items keyed -, both must be reversed: the released responses are, and so is `expected` of `ask_questionnaire`.
    The PAPI repository compares answers that are not reversed with responses that are. By that comparison people's
    own released answers have a total error of 3.86, above the 3.80 of always answering the middle.

    Args:
        predicted: a row for each respondent, a column for each item; 1 to 5, missing where nothing is predicted.
        ratings: the respondents' ratings, with rows in the same order; missing where not answered.
        keys: from `read_keys`; items that all three have are compared.
        as_published: count an unanswered item as a rating of 0, as the PAPI repository does, instead of leaving it
            out.

    Returns:
        A row for each respondent and trait, and one for `all`: the index of `ratings`, measured_trait, items (how
        many are compared), unparsed (answered by the respondent, but not predicted), unanswered, item_mae (mean over
        the items, points of 1 to 5), profile_error (absolute difference of the means over the same items; for `all`,
        its mean over the traits), total_mae (for `all` alone: the sum of item_mae over the traits, 0 to 20 for five).
        Missing where nothing could be compared.

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
    rated = ratings[keys["item"].tolist()].to_numpy(dtype=float)
    rated = np.where(rated == 0, np.nan, rated)
    guessed = predicted[keys["item"].tolist()].to_numpy(dtype=float)
    if as_published:
        rated = np.where(np.isnan(rated), 0.0, rated)
    traits = keys["trait"].to_numpy()
    parts = {
        str(trait): _errors(guessed[:, traits == trait], rated[:, traits == trait]) for trait in dict.fromkeys(traits)
    }
    whole = _errors(guessed, rated)
    whole["profile_error"] = np.mean([part["profile_error"] for part in parts.values()], axis=0)
    whole["total_mae"] = np.sum([part["item_mae"] for part in parts.values()], axis=0)
    return pd.concat(
        [
            pd.DataFrame({"measured_trait": trait, **part}, index=ratings.index)
            for trait, part in (parts | {ALL: whole}).items()
        ]
    ).assign(items=lambda frame: frame["items"].astype(int))


def _errors(guessed: np.ndarray, rated: np.ndarray) -> dict[str, np.ndarray]:
    both = ~np.isnan(guessed) & ~np.isnan(rated)
    count = both.sum(axis=1)
    divisor = np.where(count > 0, count, np.nan)
    difference = np.where(both, guessed - rated, 0.0)
    return {
        "items": count,
        "unparsed": (np.isnan(guessed) & ~np.isnan(rated)).sum(axis=1),
        "unanswered": np.isnan(rated).sum(axis=1),
        "item_mae": np.abs(difference).sum(axis=1) / divisor,
        "profile_error": np.abs(difference.sum(axis=1)) / divisor,
        "total_mae": np.full(len(count), np.nan),
    }


def trivial_answers(
    ratings: pd.DataFrame, keys: pd.DataFrame, split: ItemSplit, *, population: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Predictions of the asked items without a model, which a result on these people must beat.

    Args:
        ratings: a row for each respondent, indexed by case, a column for each item; 0 or missing for no answer.
        split: a respondent's answers to the given items may be used, those to the asked items never.
        population: people whose median is taken, by default `ratings`; a respondent is left out of their own median.

    Returns:
        By name, a row for each respondent and a column for each asked item: `always middle` (3), `population median`
        (each item's, over other people), `own mean` (over the respondent's given items), `own trait means` (the same
        for each trait). Missing where there is nothing to predict from.

    Raises:
        ValueError: if the ratings or the key lack an item of the split.
    """
    trait = keys.set_index("item")["trait"]
    for name, items in (("ratings", ratings.columns), ("key", trait.index)):
        lacking = [item for item in (*split.given, *split.asked) if item not in items]
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
    """Mean distance of each trivial prediction over all respondents.

    Returns:
        A row for each predictor and trait, and for `all`: predictor, measured_trait, respondents, items (the number
        compared over all respondents), item_mae, profile_error, total_mae (means over respondents).

    Raises:
        ValueError: as `trivial_answers`.
    """
    tables = []
    for name, predicted in trivial_answers(ratings, keys, split).items():
        each = distances(predicted, ratings, keys, as_published=as_published)
        grouped = each.groupby("measured_trait", sort=False)
        means = grouped[["item_mae", "profile_error", "total_mae"]].mean()
        counts = {"respondents": grouped["item_mae"].count(), "items": grouped["items"].sum()}
        tables.append(means.assign(predictor=name, **counts).reset_index())
    columns = ["predictor", "measured_trait", "respondents", "items", "item_mae", "profile_error", "total_mae"]
    return pd.concat(tables, ignore_index=True)[columns]


def distance_to_respondent(
    answers: pd.DataFrame,
    respondent: pd.Series,
    keys: pd.DataFrame,
    *,
    split: ItemSplit | None = None,
    population: pd.DataFrame | None = None,
    as_published: bool = False,
) -> pd.DataFrame:
    """The distance of each condition's answers to a questionnaire from one person's, and that of trivial predictions.

    Args:
        answers: from `ask_questionnaire`; a statement's score is the mean over its parsed wordings and orders.
        respondent: the person's ratings by item, reversed where keyed -, e.g. a row of `read_respondents`; the name
            of the series is the case.
        keys: from `read_keys`.
        split: if given, only the asked items are compared, and the person's means over the given items are among the
            trivial predictions.
        population: other people, for the median of each item; the respondent's case is left out.
        as_published: as in `distances`.

    Returns:
        The columns of `distances`, with a row for each condition and each trivial prediction: arm (of a trivial
        prediction, its name), trait, direction, gamma, and trivial (true for trivial predictions). Trivial
        predictions are compared on all items that were asked, parsed or not. Without a split the person's own means
        are left out, as they would be computed from the answers that they predict.

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
        asked = ItemSplit(split.given, tuple(items))
        trivial = trivial_answers(person, keys, asked, population=population)
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
