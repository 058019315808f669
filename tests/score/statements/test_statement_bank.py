"""The built-in statements: how many, how long, how common, and nobody else's words."""

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tests.concept.banks import read_bank
from workbench.score.statements.reading import TraitStatement, read_statements, split_of
from workbench.vocabulary import BIG_FIVE, Pole

SHARED = Path(__file__).parents[4] / "shared" / "data"
NAMES = ("extraver", "introver", "agreeable", "conscientious", "neurotic", "openness")


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.casefold().replace("’", "'"))


def runs(text: str, n: int = 4) -> set[tuple[str, ...]]:
    return {tuple(words(text)[i : i + n]) for i in range(len(words(text)) - n + 1)}


def texts_of(trait: str, pole: Pole) -> list[str]:
    return [each.text for each in read_statements("builtin", trait) if each.pole == pole]


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_a_trait_has_plain_first_person_statements_of_six_facets(trait: str) -> None:
    statements = read_statements("builtin", trait)
    by_pole = Counter(each.pole for each in statements)
    assert by_pole == {Pole.HIGH: 66, Pole.LOW: 66}
    assert set(Counter(each.facet for each in statements).values()) == {22}
    for each in statements:
        assert 5 <= len(each.text.split()) <= 12, each.text
        assert each.text.endswith(".")
        assert {"i", "my", "me", "myself"} & set(words(each.text)), each.text
        assert not any(name in each.text.casefold() for name in NAMES), each.text


def test_no_statement_stands_twice() -> None:
    every = [" ".join(words(each.text)) for trait in BIG_FIVE for each in read_statements("builtin", trait)]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_poles_are_balanced_in_length(trait: str) -> None:
    high, low = (np.array([len(text.split()) for text in texts_of(trait, pole)]) for pole in (Pole.HIGH, Pole.LOW))
    assert abs(high.mean() - low.mean()) < 0.35


def test_statements_share_no_run_of_four_words_with_the_personas() -> None:
    personas: set[tuple[str, ...]] = set()
    for name in (*BIG_FIVE, "neutral"):
        personas |= set().union(*(runs(text) for text in _strings(read_bank(name))))
    assert len(personas) > 1000
    shared = {
        each.text for trait in BIG_FIVE for each in read_statements("builtin", trait) if runs(each.text) & personas
    }
    assert not shared


def _strings(value: object) -> list[str]:
    """Every text of a bank, however it is nested."""
    if isinstance(value, str):
        return [value]
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in nested for text in _strings(each)]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published files are not on this machine")
def test_no_statement_is_published() -> None:
    ours = {" ".join(words(each.text)) for trait in BIG_FIVE for each in read_statements("builtin", trait)}
    published = set()
    for path in (SHARED / "model_written_evals").glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            published.add(" ".join(words(json.loads(line)["statement"])))
    assert len(published) > 1000
    for path in (SHARED / "ipip_neo").rglob("*"):
        if path.is_file() and path.suffix in (".csv", ".txt", ".json", ".tsv"):
            text = " ".join(words(path.read_text(encoding="utf-8", errors="ignore")))
            assert not [one for one in ours if one in text]
    assert not ours & published


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_splits_share_nothing_and_hold_every_facet_and_pole(trait: str) -> None:
    statements = read_statements("builtin", trait)
    search, test = split_of(statements, "search"), split_of(statements, "test")
    assert not {each.text for each in search} & {each.text for each in test}
    assert len(search) + len(test) == len(statements)
    for part, of_facet in ((search, {3, 4}), (test, {7, 8})):
        counts = Counter((each.facet, each.pole) for each in part)
        assert len(counts) == 12
        assert set(counts.values()) <= of_facet
    # A matched pair is in one split.
    order = {each.text: i for i, each in enumerate(statements)}
    assert all(order[a.text] + 1 == order[b.text] for a, b in _pairs(test))


def _pairs(statements: list[TraitStatement]) -> list[tuple[TraitStatement, TraitStatement]]:
    by_pole = [[each for each in statements if each.pole == pole] for pole in (Pole.HIGH, Pole.LOW)]
    return list(zip(*by_pole, strict=True))


def test_the_bank_travels_with_the_package() -> None:
    folder = files("workbench.concept") / "bank"
    assert {path.name for path in folder.iterdir()} >= {f"{trait.lower()}.toml" for trait in (*BIG_FIVE, "neutral")}
