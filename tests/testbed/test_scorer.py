from collections.abc import Iterator
from random import Random

import pytest

from workbench.testbed import grammar, lexicon
from workbench.testbed.lexicon import TRAITS
from workbench.testbed.scorer import _read, _sentences, trait_score, wellformed

HIGH = TRAITS["Extraversion"].high
LOW = TRAITS["Extraversion"].low
ALWAYS, OFTEN = lexicon.PHRASE_ADVERBS[2][0], lexicon.PHRASE_ADVERBS[1][0]


def test_clauses_average() -> None:
    text = f"I {ALWAYS} {HIGH.phrases[0]}. I {OFTEN} {LOW.phrases[0]}."
    assert trait_score(text, "Extraversion") == (5 + 2) / 2
    assert wellformed(text) == 1.0


def test_topics_openers_and_adjectives_are_read() -> None:
    text = f"{HIGH.openers[0]} At the office party I {ALWAYS} {HIGH.phrases[1]}. I am very {HIGH.adjectives[0]}."
    assert (trait_score(text, "Extraversion"), wellformed(text)) == (5.0, 1.0)
    neither = f"I am neither {HIGH.adjectives[0]} nor {LOW.adjectives[0]}."
    assert trait_score(neither, "Extraversion") == 3.0


def test_another_trait_is_well_formed_but_has_no_score() -> None:
    text = f"I {ALWAYS} {TRAITS['Openness'].high.phrases[0]}."
    assert trait_score(text, "Extraversion") is None
    assert wellformed(text) == 1.0


@pytest.mark.parametrize("text", ["", "Hello there.", f"I {ALWAYS}.", "I always always talk.", "the the the"])
def test_what_the_grammar_never_says_has_no_score(text: str) -> None:
    assert trait_score(text, "Extraversion") is None
    assert wellformed(text) == 0.0


def test_wellformedness_is_the_share_of_whole_sentences() -> None:
    assert wellformed(f"I {ALWAYS} {HIGH.phrases[0]}. And then I I.") == 0.5


def answers(n: int) -> Iterator[tuple[str, str]]:
    """Answers as the grammar makes them, each with its trait."""
    rng = Random(0)
    for _ in range(n):
        trait, level = rng.choice(list(TRAITS)), rng.choice([-2, -1, 0, 1, 2])
        yield grammar.answer(rng, trait, level, topic=grammar.training_topic(rng)), trait


def test_the_grammars_own_answers_are_well_formed_and_score_the_mean_of_their_clauses() -> None:
    changed = 0
    for text, trait in answers(4000):
        levels = [clause[1] for clause in map(_read, _sentences(text)) if clause is not None]
        plain = 3 + sum(levels) / len(levels)
        changed += (trait_score(text, trait), wellformed(text)) != (plain, 1.0)
    assert changed / 4000 < 0.01  # one adjective in two clauses: the grammar says it with another adverb, or by chance


FIRST, SECOND = (f"I {ALWAYS} {phrase}." for phrase in HIGH.phrases[:2])
OPENER = HIGH.openers[0]
ADVERBS = [word for words in lexicon.PHRASE_ADVERBS.values() for word in words]


@pytest.mark.parametrize(
    ("text", "score", "formed"),
    [
        (" ".join([FIRST] * 12), 3 + 2 / (1 + 9), 1 / 12),
        (f"{FIRST} {FIRST}", 5.0, 1 / 2),  # a slip, within the length of an answer
        (f"{FIRST} At the office party {FIRST} {SECOND}", 5.0, 2 / 3),
        (" ".join([FIRST, SECOND] * 6), 3 + 4 / (2 + 9), 2 / 12),
        (" ".join([f"I {adverb} {HIGH.phrases[0]}." for adverb in ADVERBS]), 3 + 4 / (2 + 6), 2 / len(ADVERBS)),
        (" ".join([f"I am very {HIGH.adjectives[0]}."] * 8), 3 + 2 / (1 + 5), 1 / 8),
        (f"{OPENER}", None, 0.0),
        (" ".join([OPENER] * 5), None, 0.0),
        (" ".join([*HIGH.openers, *lexicon.UNDECIDED_OPENERS]), None, 0.0),
        (f"{FIRST} {SECOND} " + " ".join([OPENER] * 9), 3 + 4 / (2 + 8), 2 / 11),
        (f"{OPENER} {OPENER} {FIRST} {SECOND}", 5.0, 3 / 4),
        (f"{OPENER} the the the. {FIRST} {SECOND}", 5.0, 3 / 4),
        (f"{FIRST} {SECOND} {OPENER}", 5.0, 2 / 3),
        ("always " * 40, None, 0.0),
        (f"{FIRST} " + "always " * 80, 3 + 2 / (1 + 5), 1 / 8),
        (f"{FIRST} the. the. the. the. the. the.", 3 + 2 / (1 + 4), 1 / 7),
        (f"{FIRST} {SECOND} I {ALWAYS} tal", 5.0, 2 / 3),  # cut off by the limit of tokens
        (f"{FIRST} {SECOND} At the", 5.0, 2 / 3),
        (" ".join(f"I {ALWAYS} {phrase}." for phrase in HIGH.phrases[:8]), 3 + 12 / 8, 6 / 8),
    ],
)
def test_loops_and_nonsense_count(text: str, score: float | None, formed: float) -> None:
    assert trait_score(text, "Extraversion") == pytest.approx(score)
    assert wellformed(text) == pytest.approx(formed)


def test_answers_in_a_loop_lose_their_score_and_their_form() -> None:
    for text, trait in answers(300):
        once, loop = trait_score(text, trait), trait_score(" ".join([text] * 6), trait)
        assert once is not None
        assert loop is not None
        assert abs(loop - 3) <= abs(once - 3) / 2
        assert wellformed(" ".join([text] * 6)) < 0.25
