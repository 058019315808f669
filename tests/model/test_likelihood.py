"""Judged answers: whether they are the greedy ones, and where a prompt ends as hooks see it."""

import pytest
import torch

import workbench as wb
from workbench.model.likelihood import judge_answers, log_likelihoods
from workbench.model.runner import KeyValues
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


PROMPTS = [[5, 6, 7, 30, 31, 32], [8, 9, 10, 11, 12, 13, 14, 15, 16], [40, 41]]
ANSWERS = [
    [[20, 21, 22], [20, 25], [26]],
    [[27, 28], [29, 20, 21, 22]],
    [[33, 34, 35], [36, 37]],
]


def apart(model: wb.Model, ends: list[int] | None) -> list[list[torch.Tensor]]:
    """Each answer on its own, so that nothing is shared."""
    return [
        [
            log_likelihoods_of(model, prompt, answer, None if ends is None else ends[number])
            for answer in ANSWERS[number]
        ]
        for number, prompt in enumerate(PROMPTS)
    ]


def log_likelihoods_of(model: wb.Model, prompt: list[int], answer: list[int], end: int | None) -> torch.Tensor:
    [[judged]] = judge_answers(model, [prompt], [[answer]], ends=None if end is None else [end])
    return judged.logs


@pytest.mark.parametrize("ends", [None, [2, 1, -1]])
@pytest.mark.parametrize("scope", ["all", "generated", "decode"])
def test_answers_that_share_their_prompt_are_judged_as_if_alone(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, scope: str, ends: list[int] | None
) -> None:
    with wb.edited(model, wb.dpn_edit(effects, selection, gamma=3.0), scope=scope):
        alone = apart(model, ends)
        together = judge_answers(model, PROMPTS, ANSWERS, ends=ends)
        cramped = judge_answers(model, PROMPTS, ANSWERS, ends=ends, max_rows=2, max_tokens=12)
    for one, all_at_once, in_small_batches in zip(alone, together, cramped, strict=True):
        for logs, other, small in zip(one, all_at_once, in_small_batches, strict=True):
            assert torch.allclose(logs, other.logs, atol=1e-5)
            assert torch.allclose(logs, small.logs, atol=1e-5)
    unedited = judge_answers(model, PROMPTS, ANSWERS)
    assert not torch.allclose(unedited[1][1].logs, together[1][1].logs, atol=1e-3)


def test_a_shared_prompt_is_computed_once(model: wb.Model) -> None:
    tokens = []
    judge_answers(model, PROMPTS, ANSWERS)  # whether the model can continue a beginning is known from here on
    with model.hooked_at(HOOK_POST, 0, lambda activation: tokens.append(activation.shape[:2].numel())):
        judge_answers(model, [list(range(5, 65))], [[[20, 21], [22], [23, 24], [25, 26]]])
    assert tokens == [60 + 3]  # the prompt, and three first tokens; an answer's last token is judged, not computed


def test_a_model_that_cannot_continue_a_beginning_computes_answers_whole(
    model: wb.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = judge_answers(model, PROMPTS, ANSWERS)
    monkeypatch.setattr(model, "shares_beginnings", None)
    # Keys and values that are lost, as in a model whose state is not in its cache.
    kept = type(model.runner).key_values
    monkeypatch.setattr(
        type(model.runner),
        "key_values",
        lambda self, cache: KeyValues(tuple((k * 0, v * 0) for k, v in kept(self, cache).layers)),
    )
    found = judge_answers(model, PROMPTS, ANSWERS)
    assert model.shares_beginnings is False
    for one, other in zip(wanted, found, strict=True):
        assert all(torch.allclose(a.logs, b.logs, atol=1e-5) for a, b in zip(one, other, strict=True))


def test_the_test_whether_a_model_continues_is_not_counted_as_edited(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = wb.dpn_edit(effects, selection)
    counts = []
    for known in (True, None):
        monkeypatch.setattr(model, "shares_beginnings", known)
        with wb.edited(model, edit, scope="all") as run:
            judge_answers(model, PROMPTS, ANSWERS)
        counts.append((run.pairs, run.passes))
    assert counts[0] == counts[1]
