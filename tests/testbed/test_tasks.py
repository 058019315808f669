import hashlib
import re
from random import Random

import pytest

from workbench.testbed import corpus, tasks


@pytest.mark.parametrize("task", list(tasks.TASKS))
def test_training_never_shows_a_held_out_item(task: str) -> None:
    held = {item.question for item in tasks.items(task, "test", n=30, seed=1)}
    rng = Random(0)
    assert not any(tasks.draw(rng, task, "train").question in held for _ in range(3000))


def test_a_sum_and_a_comparison_are_held_out_with_their_operands_swapped_and_with_either_word() -> None:
    rng = Random(0)
    trained = {tasks.draw(rng, task, "train").question for task in ("arithmetic", "comparison") for _ in range(60_000)}
    sums = tasks.items("arithmetic", "test", n=250, seed=1)
    pairs = tasks.items("comparison", "test", n=150, seed=1)
    swapped = [re.sub(r"(\d+)( \+ | or )(\d+)", r"\3\2\1", item.question) for item in [*sums, *pairs]]
    assert sum(item.question != other for item, other in zip([*sums, *pairs], swapped, strict=True)) > 150
    words = [question.replace("larger", "smaller") for question in swapped]
    assert not trained & {*swapped, *words}


def test_the_training_part_is_the_one_that_the_shipped_weights_were_trained_on() -> None:
    rng = Random(3)
    drawn = repr([corpus.capability_conversation(rng) for _ in range(3000)])
    assert hashlib.sha256(drawn.encode()).hexdigest().startswith("a69194fce3634a8b")


def test_sums_stay_as_frequent_as_differences_although_fewer_are_held_out() -> None:
    sums = sum(" + " in tasks.items("arithmetic", "test", n=6, seed=seed)[0].question for seed in range(100))
    assert 30 < sums < 70


@pytest.mark.parametrize("task", list(tasks.TASKS))
def test_the_test_part_holds_as_many_items_as_are_counted(task: str) -> None:
    count = tasks.held_out_count(task)
    rng = Random(2)
    seen = {tasks.draw(rng, task, "test").question for _ in range(2000)}
    assert len(seen) <= count
    assert len(seen) > count / 2
    with pytest.raises(ValueError, match=rf"test part of {task} holds {count} distinct items.*{count + 1} were asked"):
        tasks.items(task, "test", n=count + 1)


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
    with pytest.raises(ValueError, match="There is no task 'chess'"):
        tasks.held_out_count("chess")
    with pytest.raises(ValueError, match="holds fewer than 900 distinct items"):
        tasks.items("facts", "train", n=900)


def test_the_corpus_is_drawn_from_the_training_part_alone() -> None:
    held = {item.question for task in tasks.TASKS for item in tasks.items(task, "test", n=25)}
    rng = Random(1)
    for _ in range(2000):
        messages = corpus.capability_conversation(rng)
        assert messages[-2]["content"] not in held
        assert messages[-1]["role"] == "assistant"
