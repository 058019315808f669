"""The built-in bank's own quality: enough texts, all distinct, poles matched in length and facet."""

import re
from itertools import combinations

import pytest

from workbench.contrast.banks import read_bank
from workbench.vocabulary import BIG_FIVE


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return re.findall(r"[a-z']+", text.casefold())


def nearest(texts: list[str]) -> float:
    """The greatest Jaccard overlap of words between any two texts."""
    sets = [set(words(text)) for text in texts]
    return max(len(a & b) / len(a | b) for a, b in combinations(sets, 2))


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_descriptions_come_in_matched_pairs(trait: str) -> None:
    bank = read_bank(trait)
    high, low = bank["descriptions"]["high"], bank["descriptions"]["low"]
    assert bank["trait"] == trait
    assert len(set(bank["facets"])) == 6
    assert len(high) == len(low) >= 24
    names = {trait.casefold(), bank["high_adjective"], bank["low_adjective"]}
    for one, other in zip(high, low, strict=True):
        assert one["facet"] == other["facet"]
        assert one["facet"] in bank["facets"]
        assert 0.85 <= len(words(one["text"])) / len(words(other["text"])) <= 1 / 0.85
        for text in (one["text"], other["text"]):
            assert {"you", "your"} & set(words(text))
            assert not names & set(words(text))
    for pole in (high, low):
        assert {row["facet"] for row in pole} == set(bank["facets"])
        assert nearest([row["text"] for row in pole]) < 0.7


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_questions_are_many_distinct_and_open(trait: str) -> None:
    bank = read_bank(trait)
    texts = [question["text"] for question in bank["questions"]]
    assert len({text.casefold() for text in texts}) == len(texts) >= 200
    assert all(text.endswith("?") and len(words(text)) >= 5 for text in texts)
    assert all(question["facet"] in bank["facets"] for question in bank["questions"])
    for facet in bank["facets"]:
        assert sum(question["facet"] == facet for question in bank["questions"]) >= 30
    names = {trait.casefold(), bank["high_adjective"], bank["low_adjective"]}
    assert not any(names & set(words(text)) for text in texts)
    assert nearest(texts) < 0.75


def test_neutral_descriptions_name_no_trait() -> None:
    texts = [row["text"] for row in read_bank("neutral")["descriptions"]]
    assert len(set(texts)) == len(texts) >= 40
    assert all(text.startswith("You") for text in texts)
    adjectives = {read_bank(trait)[f"{pole}_adjective"] for trait in BIG_FIVE for pole in ("high", "low")}
    assert not any(adjectives & set(words(text)) for text in texts)


def test_no_question_serves_two_traits() -> None:
    texts = [question["text"].casefold() for trait in BIG_FIVE for question in read_bank(trait)["questions"]]
    assert len(set(texts)) == len(texts)
