"""The bank of minimal pairs and the neutral texts on a real model: difficult enough to lose, easy enough to know."""

import pytest

import workbench as wb
from workbench.outcome.minimal_pairs import MinimalPairs
from workbench.outcome.outcome import Asking
from workbench.outcome.perplexity import Perplexity
from workbench.score.answers import Condition
from workbench.score.minimal_pairs.bank import KINDS, builtin_minimal_pairs
from workbench.score.perplexity.neutral import neutral_passages

UNEDITED = (Condition.unedited("Extraversion"),)


@pytest.fixture(scope="module")
def smollm2() -> wb.Model:
    try:
        return wb.load_model("smollm2")
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("split", ["test", "search"])
def test_every_kind_of_pair_is_neither_at_chance_nor_at_the_ceiling(smollm2: wb.Model, split) -> None:
    frame = MinimalPairs().ask(smollm2, Asking(UNEDITED, split, "generated"))
    right = frame.groupby("task")["correct"].mean()
    assert set(right.index) == set(KINDS)
    assert right.between(0.6, 0.95).all(), right.to_dict()


def test_sentences_and_passages_are_of_the_length_that_is_said(smollm2: wb.Model) -> None:
    sentences = [text for pair in builtin_minimal_pairs() for text in (pair.good, pair.bad)]
    lengths = [len(ids) for ids in smollm2.tokens(sentences, chat=False)]
    assert all(5 <= length <= 12 for length in lengths), (min(lengths), max(lengths))
    passages = smollm2.tokens(neutral_passages("test") + neutral_passages("search"), chat=False)
    assert all(40 <= len(ids) <= 60 for ids in passages)


def test_its_own_answers_are_likelier_to_it_than_text_is(smollm2: wb.Model) -> None:
    outcome = Perplexity(passages=4, answers=3, answer_tokens=16)
    frame = outcome.ask(smollm2, Asking(UNEDITED, "test", "generated"))
    mean = frame.groupby("source")["log_likelihood"].mean()
    assert -5 < mean["text"] < -2.5
    assert mean["text"] + 1 < mean["own answer"] < 0
