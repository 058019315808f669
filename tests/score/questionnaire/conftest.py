"""The released IPIP-NEO files, where this machine has them, and a small made-up release in the same format."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from workbench.score.questionnaire.keys import read_keys
from workbench.score.questionnaire.respondents import ItemSplit, read_respondents, read_split
from workbench.vocabulary import BIG_FIVE

IPIP = Path(__file__).parents[4] / "shared" / "data" / "ipip_neo"
Release = tuple[pd.DataFrame, pd.DataFrame, ItemSplit]


@pytest.fixture(scope="session")
def released() -> Release:
    """Respondents, key and split as published."""
    if not IPIP.is_dir():
        pytest.skip("the IPIP-NEO release is not on this machine")
    pytest.importorskip("xlrd", reason="the released key is an xls file")
    people, keys = read_respondents(IPIP / "Test-set.json"), read_keys(IPIP / "IPIP-NEO-ItemKey.xls")
    return people, keys, read_split(IPIP / "mpi_300_split.json")


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Release]:
    """Makes up a release: thirty items, and people whose answers follow their traits."""

    def invent() -> Release:
        folder = write_release(tmp_path_factory.mktemp("release"))
        people, keys = read_respondents(folder / "people.json"), read_keys(folder / "key.csv")
        return people, keys, read_split(folder / "split.json")

    return invent


def small_key() -> pd.DataFrame:
    """Thirty items, six a trait, as many keyed + as -."""
    rows = []
    for number in range(1, 31):
        trait = BIG_FIVE[number % 5]
        sign = "+" if (number // 5) % 2 == 0 else "-"
        rows.append(
            {
                "Full#": number,
                "Sign": f"{sign}{trait[0]}1",
                "Facet": "Made up",
                "Item": f"Say sentence {number} often.",
            }
        )
    return pd.DataFrame(rows)


def write_release(folder: Path, *, people: int = 40, seed: int = 0) -> Path:
    """A key, respondents whose answers follow their traits, and a split, in the files of the release."""
    rng, key = Random(seed), small_key()
    key.to_csv(folder / "key.csv", index=False)
    rows = []
    for case in range(people):
        level = {trait[0]: rng.uniform(1.5, 4.5) for trait in BIG_FIVE}
        row = {"case": 1000 + case, "sex": 1, "age": 30, "country": "Nowhere"}
        for number, sign in zip(key["Full#"], key["Sign"], strict=True):
            row[f"i{number}"] = min(5, max(1, round(level[sign[1]] + rng.gauss(0, 0.7))))
        rows.append(row)
    (folder / "people.json").write_text(json.dumps(rows))
    given = [number for number in range(1, 31) if number % 3 == 0]
    asked = [number for number in range(1, 31) if number % 3]
    (folder / "split.json").write_text(json.dumps({"train_index": given, "test_index": asked}))
    return folder
