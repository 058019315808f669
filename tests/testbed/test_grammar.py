import re
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.testbed import grammar, lexicon
from workbench.testbed.lexicon import TRAITS
from workbench.testbed.scorer import trait_score, wellformed

seeds = st.integers(0, 10_000)
traits = st.sampled_from(list(TRAITS))


@given(seeds, traits, st.integers(-2, 2))
def test_every_answer_is_well_formed_and_scored_near_its_level(seed: int, trait: str, level: int) -> None:
    text = grammar.answer(Random(seed), trait, level, topic="the office party")
    said = re.findall(r"\bI ([^.]+)\.", text)
    assume(len(said) == len(set(said)))  # once in ten thousand it says the same twice, which is no well-formed answer
    assert wellformed(text) == 1.0
    score = trait_score(text, trait)
    assert score is not None
    assert abs(score - (3 + level)) <= 2.0 if level == 0 else abs(score - (3 + level)) <= 1.0


@pytest.mark.parametrize("trait", list(TRAITS))
@pytest.mark.parametrize("level", [-2, -1, 0, 1, 2])
def test_scores_average_to_their_level(trait: str, level: int) -> None:
    rng = Random(f"{trait} {level}")
    scores = [trait_score(grammar.answer(rng, trait, level), trait) for _ in range(400)]
    known = [score for score in scores if score is not None]
    assert len(known) == len(scores)
    assert abs(sum(known) / len(known) - (3 + level)) < 0.35


@given(seeds, traits, st.sampled_from(["high", "low"]))
def test_training_personas_hold_no_held_out_word(seed: int, trait: str, pole: str) -> None:
    words = TRAITS[trait].pole(pole)
    text = grammar.persona(Random(seed), trait, pole)
    for phrase in words.taught_phrases:  # "invent something original" is taught, "original" of a person is not
        text = text.replace(grammar.second_person(phrase), "")
    held = [grammar.second_person(phrase) for phrase in words.phrases if phrase not in words.taught_phrases]
    held += [adjective for adjective in words.adjectives if adjective not in words.taught_adjectives]
    assert len(held) == lexicon.HELD_OUT_PHRASES + lexicon.HELD_OUT_ADJECTIVES
    assert not any(re.search(rf"\b{each}\b", text) for each in held)


@given(seeds, traits, st.sampled_from(["high", "low"]))
def test_held_out_personas_each_hold_one(seed: int, trait: str, pole: str) -> None:
    words = TRAITS[trait].pole(pole)
    text = grammar.persona(Random(seed), trait, pole, held_out=True)
    held = [grammar.second_person(phrase) for phrase in words.phrases if phrase not in words.taught_phrases]
    held += [adjective for adjective in words.adjectives if adjective not in words.taught_adjectives]
    assert any(each in text for each in held)


@pytest.mark.parametrize("trait", list(TRAITS))
def test_questions_of_the_splits_are_apart(trait: str) -> None:
    splits = {split: set(grammar.questions(trait, split)) for split in ("train", "search", "test")}
    assert [len(asked) for asked in splits.values()] == [1900, 100, 200]
    assert not splits["train"] & splits["test"]
    assert not splits["search"] & (splits["train"] | splits["test"])


def test_no_word_serves_two_poles() -> None:
    phrases = [phrase for words in TRAITS.values() for pole in (words.high, words.low) for phrase in pole.phrases]
    adjectives = [a for words in TRAITS.values() for pole in (words.high, words.low) for a in pole.adjectives]
    assert len(set(phrases)) == len(phrases) == 80
    assert len(set(adjectives)) == len(adjectives) == 60
