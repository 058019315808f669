"""The built-in bank's own quality: enough distinct texts, as many for each trait, poles alike but for the trait."""

import re
from collections import Counter
from itertools import combinations
from statistics import fmean

import pytest

from tests.concept.banks import builtin_descriptions, read_bank
from workbench.contrast.banks import STYLES
from workbench.score.statements.reading import read_statements
from workbench.vocabulary import BIG_FIVE, Pole

POLES = (Pole.HIGH, Pole.LOW)
TOKENS, CHARACTERS = 40, 4
"""The most tokens of an explicit persona, and the characters that a token stands for at least where it is no name."""


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return re.findall(r"[a-z']+", text.casefold())


def nearest(texts: list[str]) -> float:
    """The greatest Jaccard overlap of words between any two texts."""
    sets = [set(words(text)) for text in texts]
    return max(len(a & b) / len(a | b) for a, b in combinations(sets, 2))


def names_of(trait: str) -> set[str]:
    """Words that would name the trait outright."""
    bank = read_bank(trait)
    phrases = (trait.casefold(), bank["high_adjective"], bank["low_adjective"])
    return {phrase for phrase in phrases if " " not in phrase}


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_explicit_personas_are_short_many_and_spread_over_facets_and_forms(trait: str) -> None:
    facets = read_bank(trait)["facets"]
    assert len(set(facets)) == 6
    for pole in POLES:
        rows = builtin_descriptions(trait, pole)
        counts = Counter((row["facet"], row["form"]) for row in rows)
        assert counts == {(facet, form): 5 for facet in facets for form in ("adjectives", "plain")}
        for row in rows:
            text = row["text"]
            assert max(len(text) / CHARACTERS, len(words(text))) <= TOKENS
            assert "You" in text or "you" in text
            assert not names_of(trait) & set(words(text))
            if row["form"] == "adjectives":
                degrees = {"extremely", "very", "highly", "truly", "exceptionally", "remarkably", "deeply"}
                assert len(degrees & set(words(text))) >= 1
        assert nearest([row["text"] for row in rows]) < 0.8


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_the_explicit_poles_are_of_equal_length(trait: str) -> None:
    high, low = ([row["text"] for row in builtin_descriptions(trait, pole)] for pole in POLES)
    for measure in (len, lambda text: len(words(text))):
        ratio = fmean(map(measure, high)) / fmean(map(measure, low))
        assert 0.92 < ratio < 1 / 0.92


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_behavioural_descriptions_come_in_matched_pairs(trait: str) -> None:
    bank = read_bank(trait, style="behavioural")
    high, low = bank["descriptions"]["high"], bank["descriptions"]["low"]
    assert bank["trait"] == trait
    for one, other in zip(high, low, strict=True):
        assert one["facet"] == other["facet"]
        assert one["facet"] in bank["facets"]
        assert 0.85 <= len(words(one["text"])) / len(words(other["text"])) <= 1 / 0.85
        for text in (one["text"], other["text"]):
            assert {"you", "your"} & set(words(text))
            assert not names_of(trait) & set(words(text))
    for pole in (high, low):
        assert {row["facet"] for row in pole} == set(bank["facets"])
        assert nearest([row["text"] for row in pole]) < 0.7


def test_every_trait_has_as_many_descriptions_and_questions() -> None:
    for style, count in zip(STYLES, (60, 24), strict=True):
        for trait in BIG_FIVE:
            for pole in POLES:
                assert len(builtin_descriptions(trait, pole, style=style)) == count
    for trait in BIG_FIVE:
        bank = read_bank(trait)
        assert Counter(row["facet"] for row in bank["questions"]) == dict.fromkeys(bank["facets"], 25)


def test_no_persona_stands_twice() -> None:
    every = [
        row["text"].casefold()
        for style in STYLES
        for trait in BIG_FIVE
        for pole in POLES
        for row in builtin_descriptions(trait, pole, style=style)
    ]
    every += [row["text"].casefold() for row in builtin_descriptions("Openness", Pole.NEUTRAL)]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("trait", BIG_FIVE)
def test_the_held_out_part_is_a_fixed_share_of_each_facet(trait: str, style: str) -> None:
    for pole in POLES:
        found, held = (
            [row["text"] for row in builtin_descriptions(trait, pole, style=style, held_out=held_out)]
            for held_out in (False, True)
        )
        assert not set(found) & set(held)
        assert set(found) | set(held) == {row["text"] for row in builtin_descriptions(trait, pole, style=style)}
        assert len(held) == {"explicit": 12, "behavioural": 6}[style]
    neutral = builtin_descriptions(trait, Pole.NEUTRAL, held_out=True)
    assert len(neutral) >= 10


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """Every run of so many words."""
    said = words(text)
    return {tuple(said[i : i + length]) for i in range(len(said) - length + 1)}


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_no_persona_says_a_statement(trait: str) -> None:
    """Four words on end in both would let a model repeat its persona instead of following it."""
    statements = set().union(*(runs(each.text, 4) for each in read_statements("builtin", trait)))
    for pole in POLES:
        for row in builtin_descriptions(trait, pole):
            assert not runs(row["text"], 4) & statements, row["text"]


def test_a_style_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        ValueError, match="come in the styles explicit and behavioural, but 'terse' arrived"
    ):
        read_bank("Openness", style="terse")


@pytest.mark.parametrize("trait", BIG_FIVE)
def test_questions_are_short_distinct_and_open(trait: str) -> None:
    bank = read_bank(trait)
    texts = [question["text"] for question in bank["questions"]]
    assert len({text.casefold() for text in texts}) == len(texts) == 150
    assert all(text.endswith("?") and 4 <= len(words(text)) <= 14 for text in texts)
    assert all(question["facet"] in bank["facets"] for question in bank["questions"])
    assert not any(names_of(trait) & set(words(text)) for text in texts)
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
