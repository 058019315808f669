import pytest

from workbench.testbed import lexicon
from workbench.testbed.lexicon import TRAITS
from workbench.testbed.scorer import trait_score, wellformed

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
