"""Letters that answers choose."""

import pytest

from workbench.score.items.choices import chosen_letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(c)", "C"),
        ("A.", "A"),
        ("a", "A"),
        ("**B**", "B"),
        ("B) Paris", "B"),
        ("D: all of them", "D"),
        ("A\nBecause it is.", "A"),
        ("The answer is (B).", "B"),
        ("The answer is a", "A"),
        ("The answer is B because it is.", "B"),
        ("Option C, as it is larger", "C"),
        ("I think (B) is right, since (B) holds", "B"),
        # The article, and the word that begins a sentence.
        ("A cat is a pet.", None),
        ("It is a dog", None),
        ("The answer is a dog.", None),
        ("The answer is A dog.", None),
        ("The answer is an apple", None),
        ("Bread", None),
        # Several, none, or one that was not to choose from.
        ("(A) or (B)", None),
        ("E", None),
        ("", None),
        ("I would rather not say.", None),
    ],
)
def test_an_article_is_no_option(text: str, letter: str | None) -> None:
    assert chosen_letter(text) == letter


def test_other_letters_may_be_the_options() -> None:
    assert chosen_letter("The answer is I think so", ("H", "I")) is None
    assert chosen_letter("(h)", ("H", "I")) == "H"
    assert chosen_letter("The answer is A", ("A",)) == "A"
