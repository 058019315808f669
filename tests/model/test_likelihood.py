"""Judged answers: whether they are the greedy ones, and where a prompt ends as hooks see it."""

import pytest
import torch

import workbench as wb
from workbench.model.likelihood import judge_answers, log_likelihoods
from workbench.vocabulary import HOOK_POST


def test_the_greedy_answer_is_the_likeliest_token_by_token(model: wb.Model) -> None:
    questions = ["What is 21 + 13?", "How do you spend your time at the office party?"]
    greedy_answers = model.generate_tokens(questions, max_new_tokens=8)
    others = [[*answer[:-1], (answer[-1] + 1) % 1408] for answer in greedy_answers]
    found = judge_answers(
        model, model.tokens(questions), [list(pair) for pair in zip(greedy_answers, others, strict=True)]
    )
    for greedy, other in found:
        assert bool(greedy.likeliest.all())
        assert other.likeliest.tolist() == [True] * (len(other.likeliest) - 1) + [False]
        assert greedy.logs[-1] > other.logs[-1]
    logs = log_likelihoods(model, model.tokens(questions), [[answer] for answer in greedy_answers])
    assert all(torch.equal(a.logs, b) for (a, _), (b,) in zip(found, logs, strict=True))


@pytest.mark.parametrize("end", [None, 3, -1])
def test_hooks_are_told_where_the_prompt_ends(model: wb.Model, end: int | None) -> None:
    prompts, answer = [[5, 6, 7], [8, 9, 10, 11, 12]], [20, 21, 22]
    seen: dict[int, list[int]] = {}

    def look(activation: torch.Tensor) -> None:
        under_way = model.current
        assert under_way is not None
        for row, real, steps in zip(under_way.rows.tolist(), under_way.real, under_way.steps(), strict=True):
            seen[row] = steps[real].tolist()

    with model.hooked_at(HOOK_POST, 0, look):
        judge_answers(model, prompts, [[answer], [answer]], ends=None if end is None else [end, end])
    for row, prompt in enumerate(prompts):
        last = len(prompt) - 1 if end is None else end
        assert seen[row] == [position - last for position in range(len(prompt) + len(answer) - 1)]


def test_what_cannot_be_judged_is_said(model: wb.Model) -> None:
    with pytest.raises(ValueError, match="2 prompts need as many lists of answers, but 1 arrived"):
        judge_answers(model, [[1], [2]], [[[3]]])
    with pytest.raises(ValueError, match="A prompt needs at least 1 token before an answer, but prompt 1"):
        judge_answers(model, [[1], []], [[[3]], [[3]]])
