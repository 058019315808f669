from random import Random

import pytest

from workbench.testbed import corpus, tasks


@pytest.mark.parametrize("task", list(tasks.TASKS))
def test_training_never_shows_a_held_out_item(task: str) -> None:
    held = {item.question for item in tasks.items(task, "test", n=30, seed=1)}
    rng = Random(0)
    assert not any(tasks.draw(rng, task, "train").question in held for _ in range(3000))


@pytest.mark.parametrize("task", list(tasks.TASKS))
def test_items_are_distinct_and_reproducible(task: str) -> None:
    drawn = tasks.items(task, "test", n=40, seed=2)
    assert len({item.question for item in drawn}) == 40
    assert drawn == tasks.items(task, "test", n=40, seed=2)
    assert all(item.correct(f" {item.answer}\n") and not item.correct(item.answer + " or so") for item in drawn)


def test_answers_are_right() -> None:
    for item in tasks.items("arithmetic", "test", n=100):
        question = item.question.removeprefix("What is ").removesuffix("?")
        a, sign, b = question.split()
        assert int(item.answer) == (int(a) + int(b) if sign == "+" else int(a) - int(b))
    for item in tasks.items("comparison", "test", n=50):
        word, _, numbers = item.question.removeprefix("Which is ").removesuffix("?").partition(", ")
        pair = [int(number) for number in numbers.split(" or ")]
        assert int(item.answer) == (max(pair) if word == "larger" else min(pair))


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="There is no task 'chess'"):
        tasks.items("chess", "test", n=3)
    with pytest.raises(ValueError, match="holds fewer than 90 distinct items"):
        tasks.items("facts", "test", n=90)


def test_the_corpus_is_drawn_from_the_training_part_alone() -> None:
    held = {item.question for task in tasks.TASKS for item in tasks.items(task, "test", n=25)}
    rng = Random(1)
    for _ in range(2000):
        messages = corpus.capability_conversation(rng)
        assert messages[-2]["content"] not in held
        assert messages[-1]["role"] == "assistant"
