"""Prompts that are computed once for many runs give what each run gives alone, token by token, within their memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

import workbench as wb
from workbench.model.branching import branches, trees_of
from workbench.model.kept import Kept
from workbench.model.likelihood import judge_answers
from workbench.model.runner import KeyValues
from workbench.vocabulary import HOOK_POST, SCOPES

PROMPTS = ["How do you spend your time at the office party?", "What is 21 + 13?", "Name the capital of Zandia."]
ANSWERS = [[[20, 21, 22], [20, 33, 30, 31], [40]], [[23, 24, 25, 26, 27]], [[28, 29, 30], [31, 32, 33], [28]]]
STEPS = 6
EDITS = 3


@pytest.fixture(scope="module")
def tiny(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    """A random Llama, large enough that positions attend to each other."""
    shape = LlamaConfig.from_pretrained(checkpoint, initializer_range=0.3)
    return loaded(LlamaForCausalLM(seeded(shape)), checkpoint, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def double(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    """A random GPT-2, all of which is computed in double precision; Llama's norms and positions are not."""
    size = LlamaConfig.from_pretrained(checkpoint).vocab_size
    shape = GPT2Config(vocab_size=size, n_embd=32, n_inner=48, n_layer=2, n_head=4, initializer_range=0.3)
    folder = tmp_path_factory.mktemp("double")
    return loaded(GPT2LMHeadModel(seeded(shape)).double(), checkpoint, folder, dtype=torch.float64)


def seeded(shape: Any) -> Any:
    torch.manual_seed(0)
    return shape


def loaded(network: Any, checkpoint: Path, folder: Path, **settings: Any) -> wb.Model:
    network.save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(checkpoint).save_pretrained(folder)
    model = wb.load_model(folder, **settings)
    model.stop_tokens = frozenset()
    return model


def edits_of(model: wb.Model) -> list[wb.Edit]:
    generator = torch.Generator().manual_seed(1)
    width = model.d_mlp
    units = wb.NeuronSet.of((layer, unit) for layer in range(model.n_layers) for unit in range(width))
    return [
        wb.Edit.on(
            units, torch.randn(len(units), generator=generator), operation="add", width=width, trait="t",
            method=f"edit {number}", direction="increase", site="hook_post",
        )
        for number in range(EDITS)
    ]  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("max_rows", [1, 2, 256])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_from_shared_prompts_are_those_of_separate_runs(
    tiny: wb.Model, scope: str, max_rows: int, padded: bool, temperature: float
) -> None:
    prompts, edits = PROMPTS if padded else PROMPTS[1:2] * 3, edits_of(tiny)
    settings = {"max_new_tokens": STEPS, "temperature": temperature, "max_rows": max_rows}
    streams = list(range(len(prompts)))
    alone = [tiny.generate_tokens(prompts, streams=streams, **settings)]
    counts = []
    for edit in edits:
        with wb.edited(tiny, edit, scope=scope) as run:
            alone.append(tiny.generate_tokens(prompts, streams=streams, **settings))
        counts.append((run.pairs, run.passes if max_rows == 1 else None))
    rows = [place for place in range(-1, EDITS) for _ in prompts]
    with tiny.sharing() as kept:
        plain = tiny.generate_tokens(prompts, streams=streams, **settings)
        before = kept.used
        with wb.edited(tiny, edits, scope=scope, rows=rows) as run:
            together = tiny.generate_tokens(prompts * (1 + EDITS), streams=streams * (1 + EDITS), **settings)
    assert plain == alone[0]
    assert together == [answer for answers in alone for answer in answers]
    assert len({tuple(map(tuple, answers)) for answers in alone}) == 1 + EDITS
    # Each prompt once; where an edit changes what comes before its last token, nobody but the plain run shares it.
    assert kept.computed == len(set(prompts))
    assert (kept.used > before) == (scope != "all")
    for number, (pairs, passes) in enumerate(counts):
        found = run.share_of([number])
        assert found[0] == pairs
        assert passes is None or found[1] == passes


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("bounds", [{}, {"max_rows": 2}, {"max_rows": 3, "max_tokens": 24}])
@pytest.mark.parametrize("ends", [None, [0, 2, -1]])
@pytest.mark.parametrize(("name", "within"), [("tiny", 1e-5), ("double", 1e-9)])
def test_likelihoods_side_by_side_are_those_of_separate_runs(
    request: pytest.FixtureRequest,
    name: str,
    within: float,
    scope: str,
    bounds: dict[str, int],
    ends: list[int] | None,
) -> None:
    tiny: wb.Model = request.getfixturevalue(name)
    prompts, edits = tiny.tokens(PROMPTS), edits_of(tiny)

    def each_alone() -> list[torch.Tensor]:
        return [
            judge_answers(tiny, [prompt], [[answer]], ends=None if ends is None else [ends[number]])[0][0].logs
            for number, prompt in enumerate(prompts)
            for answer in ANSWERS[number]
        ]

    wanted = each_alone()
    for edit in edits:
        with wb.edited(tiny, edit, scope=scope):
            wanted += each_alone()
    rows = [place for place in range(-1, EDITS) for _ in prompts]
    times = 1 + EDITS
    for shared in (False, True):
        with wb.edited(tiny, edits, scope=scope, rows=rows), tiny.sharing(1_000_000 if shared else 0):
            found = judge_answers(
                tiny, prompts * times, ANSWERS * times, ends=None if ends is None else ends * times, **bounds
            )
        logs = [one.logs for of_prompt in found for one in of_prompt]
        assert len(logs) == len(wanted)
        for one, other in zip(logs, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=within, rtol=0)
    assert tiny.branches
    apart = [a - b for a, b in zip(wanted[: len(wanted) // times], wanted[-len(wanted) // times :], strict=True)]
    assert max(float(each.abs().max()) for each in apart) > 0.1


def test_equal_prompts_are_computed_once_for_all_edits(tiny: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, edits = tiny.tokens(PROMPTS[:1]), edits_of(tiny)
    judge_answers(tiny, prompts, ANSWERS[:1])  # what the model can share is known from here on
    computed: list[int] = []
    for name in ("run", "branching_logits", "last_logits"):
        way = getattr(tiny.runner, name)

        def counted(tokens: torch.Tensor, *given: Any, way: Any = way, **more: Any) -> Any:
            computed.append(tokens.numel())
            return way(tokens, *given, **more)

        monkeypatch.setattr(tiny.runner, name, counted)
    with wb.edited(tiny, edits, rows=range(EDITS)):
        judge_answers(tiny, prompts * EDITS, ANSWERS[:1] * EDITS)
    # The beginning once; then for each edit the prompt's last token, and 20, 21, 33, 30, which answers go through.
    assert computed == [len(prompts[0]) - 1, EDITS * 5]


def test_what_sees_a_prompt_keeps_it_from_being_shared(tiny: wb.Model) -> None:
    (edit, *_), seen = edits_of(tiny), []
    wanted = tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    with tiny.sharing() as kept:
        tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
        assert (kept.computed, kept.used) == (len(PROMPTS), 0)
        with tiny.hooked_at(HOOK_POST, 0, lambda activation: seen.append(activation.shape[1])):
            assert tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS) == wanted
            with wb.edited(tiny, edit, scope="generated"):
                tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
        assert (kept.computed, kept.used) == (len(PROMPTS), 0)
        assert seen[0] == max(map(len, tiny.tokens(PROMPTS)))
        with wb.edited(tiny, edit, scope="generated"):
            tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
        assert kept.used == len(PROMPTS)
    assert tiny.kept is None


@pytest.mark.parametrize("share", [0.0, 0.5, 1.5, 2.5])
def test_no_more_is_kept_than_the_budget(tiny: wb.Model, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny.sharing() as kept:
        tiny.generate_tokens(PROMPTS[:1], max_new_tokens=1)
        one = kept.held
    assert one > 0
    wanted = tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    most: list[int] = []
    put = Kept.put

    def watched(self: Kept, tokens: Sequence[int], values: KeyValues) -> None:
        put(self, tokens, values)
        most.append(sum(each.bytes for each in self._by_tokens.values()))
        assert most[-1] == self.held

    monkeypatch.setattr(Kept, "put", watched)
    with tiny.sharing(int(share * one)) as kept:
        for row, prompt in enumerate(PROMPTS):
            assert tiny.generate_tokens([prompt], max_new_tokens=STEPS) == [wanted[row]]
        assert tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS) == wanted
    assert max(most) <= kept.budget
    with pytest.raises(ValueError, match="0 bytes or more, but -1"), tiny.sharing(-1):
        pass


def test_what_was_used_least_recently_goes() -> None:
    values = KeyValues(((torch.zeros(1, 1, 2, 1), torch.zeros(1, 1, 2, 1)),))
    kept = Kept(2 * values.bytes)
    kept.put([1], values)
    kept.put([2], values)
    assert kept.get([1]) is values
    kept.put([3], values)
    assert (kept.get([2]), kept.get([1]), kept.get([3])) == (None, values, values)
    assert kept.held == 2 * values.bytes


def test_a_window_keeps_answers_in_rows_of_their_own(checkpoint: Path, tmp_path: Path) -> None:
    """A mask of one's own would reach past the window, which no short trial shows."""
    shape = MistralConfig.from_pretrained(checkpoint, initializer_range=0.3, sliding_window=64)
    model = loaded(MistralForCausalLM(seeded(shape)), checkpoint, tmp_path)
    prompts = model.tokens(PROMPTS)
    wanted = [judge_answers(model, [p], [[a]])[0][0].logs for p, of in zip(prompts, ANSWERS, strict=True) for a in of]
    found = [one.logs for of_prompt in judge_answers(model, prompts, ANSWERS) for one in of_prompt]
    assert (model.shares_beginnings, model.branches) == (True, False)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    answers = model.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    with model.sharing() as kept:
        assert [model.generate_tokens(PROMPTS, max_new_tokens=STEPS) for _ in range(2)] == [answers, answers]
    assert kept.computed == len(PROMPTS)


def test_answers_make_trees_of_a_bounded_size(tiny: wb.Model) -> None:
    answers = [[first, second, 9] for first in (1, 2) for second in range(10, 20)]
    trees = trees_of(0, [5, 6, 7], answers, 2, most=8)
    assert all(tree.answering <= 9 for tree in trees)
    assert sorted(which for tree in trees for which in tree.judged) == list(range(len(answers)))
    for tree in trees:
        for which, places in tree.judged.items():
            assert [tree.tokens[place] for place in places] == [7, *answers[which][:-1]]
            assert [tree.parents[place] for place in places[1:]] == places[:-1]
    [whole] = trees_of(0, [5, 6, 7], answers, 2)
    assert len(whole.tokens) == 1 + 2 + 20
    assert branches(tiny, tiny.tokens(PROMPTS[:1])[0])


@pytest.mark.parametrize("company", [0, 2])
def test_what_is_edited_after_an_answer_has_ended_counts_for_nobody(
    tiny: wb.Model, company: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that has ended may stay in its batch for as long as others go on; its edit is of that answer alone."""
    edit = edits_of(tiny)[0]
    with wb.edited(tiny, edit):
        (full,) = tiny.generate_tokens(PROMPTS[:1], max_new_tokens=STEPS)
    monkeypatch.setattr(tiny, "stop_tokens", frozenset({full[2]}))
    prompts = [PROMPTS[0], *PROMPTS[1 : 1 + company], *PROMPTS[1 : 1 + company]]
    with wb.edited(tiny, [edit], rows=[0] + [-1] * (len(prompts) - 1)) as run:
        tiny.generate_tokens(prompts, max_new_tokens=STEPS)
    assert run.pairs == {"prompt": tiny.n_layers, "decode": 2 * tiny.n_layers}
    assert run.share_of([0])[1] == {"prompt": 1, "decode": 2}


def test_a_prompt_of_a_token_or_two_says_nothing_of_the_model(checkpoint: Path) -> None:
    model = wb.load_model(checkpoint)
    short = judge_answers(model, [[5], [5, 6]], [[[7, 8], [9]], [[7], [8, 9]]])
    assert [len(each) for each in short] == [2, 2]
    assert model.shares_beginnings is None
    assert branches(model, list(range(5, 13)))
