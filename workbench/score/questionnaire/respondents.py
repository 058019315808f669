"""Released answers of people to a questionnaire, and the split into items that are known and items to predict."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.textfile import read_json


@dataclass(frozen=True)
class ItemSplit:
    """Items whose answers are known of a respondent, and items whose answers are to be predicted.

    Attributes:
        given: the known ones, e.g. `i1`; in the PAPI release the 120 items of the short form.
        asked: those to predict; 180 in the PAPI release.
    """

    given: tuple[str, ...]
    asked: tuple[str, ...]

    def __post_init__(self) -> None:
        both = set(self.given) & set(self.asked)
        if both:
            raise ValueError(
                f"An item is given or asked, never both, but {len(both)} are both, e.g. {min(both)}. Remove it from "
                "one side."
            )
        if not self.given or not self.asked:
            raise ValueError(f"A split needs items on both sides, but {len(self.given)} and {len(self.asked)} arrived.")


def read_respondents(path: str | Path) -> pd.DataFrame:
    """The ratings of the released respondents, as PAPI's `Test-set.json` holds them.

    The file is a JSON list of objects: `case`, the person's number; `i1`, `i2`, …, ratings 1 to 5, 0 for no answer.
    Other entries are not read. Items keyed - are reversed in the file already, so that a higher rating means more of
    the trait on every item.

    Returns:
        A row for each person, indexed by case, and a float column for each item in order; missing where not answered.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is no such list, a person lacks an item or occurs twice, or a rating is not 0 to 5.

    Reference:
        Zhu et al. (2025), Personality Alignment of Large Language Models. Responses: Johnson (2014).
    """
    path = Path(path)
    rows = read_json(path)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path.name} must hold a list of respondents, each an object, but it holds something else.")
    items = sorted((key for key in rows[0] if _is_item(key)), key=lambda item: int(item[1:]))
    if not items:
        raise ValueError(f"{path.name}: respondent 1 has no items i1, i2, …; it has {sorted(rows[0])[:8]}.")
    for number, row in enumerate(rows, start=1):
        lacking = [key for key in ("case", *items) if key not in row]
        if lacking:
            raise ValueError(f"{path.name}: respondent {number} lacks {lacking[0]} (and {len(lacking) - 1} more).")
        for item in items:
            if isinstance(row[item], bool) or row[item] not in (0, 1, 2, 3, 4, 5):
                raise ValueError(
                    f"Ratings are 1 to 5, or 0 for no answer, but {path.name}, respondent {number}, has "
                    f"{row[item]!r} for {item}."
                )
    cases = pd.Index([row["case"] for row in rows], name="case")
    if cases.has_duplicates:
        raise ValueError(f"{path.name} holds respondent {cases[cases.duplicated()][0]} twice. Keep one.")
    ratings = pd.DataFrame([[row[item] for item in items] for row in rows], index=cases, columns=items, dtype=float)
    return ratings.replace(0.0, np.nan)


def read_split(path: str | Path) -> ItemSplit:
    """The items that are given and those that are asked, as in PAPI's `mpi_300_split.json`.

    The file is a JSON object with two lists of item numbers, counted from 1: `train_index` (given) and `test_index`
    (asked).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such object, or an item is on both sides.
    """
    path = Path(path)
    content = read_json(path)
    sides = []
    for key in ("train_index", "test_index"):
        numbers = content.get(key) if isinstance(content, dict) else None
        if not isinstance(numbers, list) or any(
            isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers
        ):
            raise ValueError(
                f"{path.name} needs two lists of item numbers from 1, train_index and test_index, but {key} is not one."
            )
        sides.append(tuple(f"i{number}" for number in dict.fromkeys(numbers)))
    return ItemSplit(*sides)


def _is_item(key: str) -> bool:
    return key[:1] == "i" and key[1:].isdecimal()
