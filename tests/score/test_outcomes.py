import pytest

import workbench as wb
from workbench.score.answers import Condition, Rating, answer_questions, run_conditions
from workbench.score.capability import answer_items
from workbench.testbed import grammar, tasks

QUESTIONS = {"Extraversion": grammar.questions("Extraversion", "test")[:4]}


@pytest.fixture(scope="module")
def conditions(effects: wb.Effects, selection: wb.Selection) -> list[Condition]:
    up = wb.dpn_edit(effects, selection, gamma=0.75, direction="increase")
    down = wb.dpn_edit(effects, selection, gamma=0.75, direction="decrease")
    return [
        Condition.unedited("Extraversion"),
        Condition("DPN-LE", "Extraversion", "increase", 0.75, up),
        Condition("DPN-LE", "Extraversion", "decrease", 0.75, down),
    ]


def test_answers_come_with_their_condition_and_scores(model: wb.Model, conditions: list[Condition]) -> None:
    frame = answer_questions(model, conditions, QUESTIONS, seed=1)
    assert len(frame) == 12
    assert set(frame["direction"]) == {"none", "increase", "decrease"}
    means = frame.groupby("direction")["score"].mean()
    assert means["decrease"] < means["increase"]
    assert frame["wellformed"].between(0, 1).all()


def test_conditions_share_batches_without_touching_each_other(model: wb.Model, conditions: list[Condition]) -> None:
    prompts = [[wb.Prompt(question) for question in QUESTIONS["Extraversion"]] for _ in conditions]
    settings = {"scope": "generated", "max_new_tokens": 16, "temperature": 1.0, "seed": 2}
    together = run_conditions(model, conditions, prompts, **settings)
    alone = [run_conditions(model, [c], [p], **settings)[0] for c, p in zip(conditions, prompts, strict=True)]
    assert together == alone


def test_any_scorer_may_rate_and_decline(model: wb.Model, conditions: list[Condition]) -> None:
    frame = answer_questions(
        model, conditions[:1], QUESTIONS, scorer=lambda answer, trait: Rating(None, 0.5), max_new_tokens=4
    )
    assert frame["score"].isna().all()
    assert (frame["wellformed"] == 0.5).all()


def test_capability_is_exact_match_item_by_item(model: wb.Model, conditions: list[Condition]) -> None:
    items = [item for task in tasks.TASKS for item in tasks.items(task, "test", n=4)]
    frame = answer_items(model, conditions[:1], [items])
    assert list(frame["item"]) == [item.question for item in items]
    assert frame["correct"].mean() > 0.8
    right = {item.question: item.answer for item in items}
    for item, answer, correct in zip(frame["item"], frame["answer"], frame["correct"], strict=True):
        assert (answer.strip() == right[item]) == correct
