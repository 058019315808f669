"""Steered answers beside the unedited one: pieces give the answer back, and a change is called what it is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.report.answers import SteeredAnswer, new_words

SENTENCES = st.lists(st.sampled_from(["I", "often", "rarely", "stay", "at", "home.", "\n\n", "  "]), max_size=12)


@given(SENTENCES, SENTENCES)
def test_pieces_are_the_answer(base: list[str], answer: list[str]) -> None:
    told = " ".join(answer)
    pieces = new_words(" ".join(base), told)
    assert "".join(piece.text for piece in pieces) == told
    kept = " ".join(piece.text for piece in pieces if not piece.new).split()
    rest = iter(" ".join(base).split())
    if any(piece.new for piece in pieces):
        assert all(word in rest for word in kept)  # in this order


@given(SENTENCES)
def test_the_same_answer_has_nothing_new(answer: list[str]) -> None:
    assert not any(piece.new for piece in new_words(" ".join(answer), "  ".join(answer)))


def test_words_that_differ_are_new_and_answers_that_share_little_are_left() -> None:
    pieces = new_words("I really try new ways. I plan.", "I never try new ways. I rest and sleep.")
    assert [piece.text for piece in pieces if piece.new] == ["never", "rest and sleep."]
    assert not any(piece.new for piece in new_words("Later, maybe.", "I made a plan at once."))


@pytest.mark.parametrize(
    ("increase", "decrease", "told"),
    [
        (4.25, 2.0, [("4.2", "+1.2", "as meant"), ("2.0", "−1.0", "as meant")]),
        (2.0, 4.0, [("2.0", "−1.0", "the other way"), ("4.0", "+1.0", "the other way")]),
        (3.04, None, [("3.0", "±0.0", "unmoved"), ("", "", "")]),
        (math.nan, 3.0, [("", "", ""), ("3.0", "±0.0", "unmoved")]),
    ],
)
def test_a_change_has_a_sign_and_a_word(
    increase: float | None, decrease: float | None, told: list[tuple[str, str, str]]
) -> None:
    answer = SteeredAnswer("Openness", "?", "a", "b", "c", 3.0, increase, decrease)
    base, *edited = answer.columns
    assert (base.score, base.change, base.way) == ("3.0", "", "")
    assert [(one.score, one.change, one.way) for one in edited] == told


def test_without_the_unedited_score_there_is_no_change() -> None:
    answer = SteeredAnswer("Openness", "?", "a", "b", "c", None, 4.0, 2.0)
    assert [(one.score, one.change) for one in answer.columns] == [("", ""), ("4.0", ""), ("2.0", "")]
