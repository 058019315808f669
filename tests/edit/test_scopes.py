"""What each scope edits, against plain transformers and a pre-hook on `down_proj` that adds at positions given by hand.

The edits here write to the down projection's input, so that the workbench's hooks and the plain ones meet at one place,
and are strong enough that a single position edited too much or too little shows in every later logit.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import workbench as wb
from workbench.edit.counting import EditedRun
from workbench.model.likelihood import judge_answers
from workbench.vocabulary import HOOK_POST, RESID_POST, SCOPES, site_named

PROMPTS = ["How do you spend your time at the office party?", "What is 21 + 13?", "Name the capital of Zandia."]
STEPS = 6
LAYERS = (0, 1)
SAME, OTHER = 1e-4, 1e-2
"""How far logits of one scope may lie from the plain model's, and how far those of another scope must."""


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> Any:
    """Random weights, large enough that positions attend to each other and tokens are no near ties."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig.from_pretrained(checkpoint, initializer_range=0.3)).eval()


@pytest.fixture(scope="module")
def tiny(network: Any, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    folder = tmp_path_factory.mktemp("network")
    network.save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(checkpoint).save_pretrained(folder)
    model = wb.load_model(folder)
    model.stop_tokens = frozenset()  # every answer is as long as it may be
    return model


def edit_of(seed: int, *, site: str = "hook_post", operation: str = "add") -> wb.Edit:
    generator = torch.Generator().manual_seed(seed)
    width = 48 if site == "hook_post" else 32
    units = wb.NeuronSet.of((layer, unit) for layer in LAYERS for unit in range(width))
    values = 3 * torch.randn(len(units), generator=generator)
    return wb.Edit.on(
        units, values, operation=operation, width=width, trait="t", method=f"{operation} {seed}",
        direction="increase", site=site,
    )  # fmt: skip


def prompt_positions(scope: str, length: int) -> list[int]:
    """Where a scope edits a prompt of this length."""
    return {"all": list(range(length)), "generated": [length - 1], "decode": []}[scope]


@contextmanager
def adding(network: Any, edit: wb.Edit | None, positions: Sequence[int]) -> Iterator[None]:
    """Plain transformers with the edit's delta added at these positions of the pass."""

    def pre_hook(layer: int) -> Any:
        def add(module: Any, args: tuple[Tensor, ...]) -> tuple[Tensor]:
            h = args[0].clone()
            if edit is not None:
                for position in positions:
                    h[:, position] += edit.delta(layer)
            return (h,)

        return add

    blocks = enumerate(network.model.layers)
    handles = [block.mlp.down_proj.register_forward_pre_hook(pre_hook(layer)) for layer, block in blocks]
    try:
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()


def plain_answer(network: Any, ids: list[int], edit: wb.Edit | None, scope: str) -> tuple[list[int], Tensor]:
    """Greedy tokens and the logits `(step, d_vocab)` that they were taken from, of one prompt alone."""
    fed, cache, tokens, logits = torch.tensor([ids]), None, [], []
    for step in range(STEPS):
        with adding(network, edit, [0] if step else prompt_positions(scope, len(ids))):
            output = network(fed, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        logits.append(output.logits[0, -1])
        tokens.append(int(logits[-1].argmax()))
        fed = torch.tensor([[tokens[-1]]])
    return tokens, torch.stack(logits)


@contextmanager
def logits_seen(model: wb.Model) -> Iterator[dict[int, list[Tensor]]]:
    """The logits that generation takes each token from, by prompt."""
    seen: dict[int, list[Tensor]] = {}

    def keep(module: Any, args: Any, output: Any) -> None:
        assert model.current is not None
        for row, logits in zip(model.current.rows.tolist(), output.logits[:, -1], strict=True):
            seen.setdefault(row, []).append(logits.clone())

    handle = model.network.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()


@pytest.mark.parametrize("scope", SCOPES)
def test_generation_equals_plain_transformers_edited_at_these_positions(
    tiny: wb.Model, network: Any, scope: str
) -> None:
    edit, prompts = edit_of(1), tiny.tokens(PROMPTS)
    with wb.edited(tiny, edit, scope=scope) as run, logits_seen(tiny) as seen:
        answers = tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
    for row, ids in enumerate(prompts):
        tokens, logits = plain_answer(network, ids, edit, scope)
        assert answers[row] == tokens
        torch.testing.assert_close(torch.stack(seen[row]), logits, atol=SAME, rtol=SAME)
    positions = sum(len(prompt_positions(scope, len(ids))) for ids in prompts)
    assert run.pairs == Counter(prompt=2 * positions, decode=2 * len(PROMPTS) * (STEPS - 1))
    assert run.by_edit == {0: 2 * positions + 2 * len(PROMPTS) * (STEPS - 1)}


def test_scopes_differ_in_logits_and_tokens(network: Any, tiny: wb.Model) -> None:
    edit = edit_of(1)
    for ids in tiny.tokens(PROMPTS):
        plain = plain_answer(network, ids, None, "all")
        answers = {scope: plain_answer(network, ids, edit, scope) for scope in SCOPES}
        for one, other in combinations(SCOPES, 2):
            assert answers[one][0] != answers[other][0]
            apart = (answers[one][1] - answers[other][1]).abs().amax(1)
            assert bool((apart > OTHER).all())
        # As published, the first new token of scope decode is that of the model as it is, and no other scope's is.
        assert torch.equal(answers["decode"][1][0], plain[1][0])
        assert all((answers[scope][1][0] - plain[1][0]).abs().max() > OTHER for scope in ("all", "generated"))
        assert (answers["decode"][1][1] - plain[1][1]).abs().max() > OTHER


def plain_log_probabilities(network: Any, ids: list[int], answer: list[int], edit: wb.Edit, scope: str) -> Tensor:
    """The log-probability of each token of an answer, from one pass over prompt and answer."""
    fed = [*ids, *answer[:-1]]
    positions = [*prompt_positions(scope, len(ids)), *range(len(ids), len(fed))]
    with adding(network, edit, positions):
        logits = network(torch.tensor([fed])).logits[0, len(ids) - 1 :]
    return logits.log_softmax(-1)[torch.arange(len(answer)), torch.tensor(answer)]


@pytest.mark.parametrize("scope", SCOPES)
def test_given_answers_are_edited_as_in_generation(tiny: wb.Model, network: Any, scope: str) -> None:
    edit, prompts = edit_of(1), tiny.tokens(PROMPTS)
    answers = [[[20, 21, 22], [30]], [[23, 24, 25, 26, 27]], [[28, 29], [31, 32, 33]]]
    with wb.edited(tiny, edit, scope=scope) as run:
        judged = judge_answers(tiny, prompts, answers)
    fed: Counter[str] = Counter()
    for ids, several, found in zip(prompts, answers, judged, strict=True):
        for answer, one in zip(several, found, strict=True):
            plain = plain_log_probabilities(network, ids, answer, edit, scope)
            torch.testing.assert_close(one.logs, plain, atol=SAME, rtol=SAME)
            for other in set(SCOPES) - {scope}:
                apart = plain - plain_log_probabilities(network, ids, answer, edit, other)
                assert apart.abs().max() > OTHER
            if answer != [30]:  # it is judged in the pass of the answer beside it
                fed.update(prompt=2 * len(prompt_positions(scope, len(ids))), decode=2 * (len(answer) - 1))
        if len({tuple(answer[:-1]) for answer in several if answer != [30]}) > 1:  # the prompt is computed once
            fed["prompt"] -= 2 * len(prompt_positions(scope, len(ids)))
    assert run.pairs == fed


@pytest.mark.parametrize("scope", SCOPES)
def test_each_row_of_a_batch_is_edited_in_its_scope(tiny: wb.Model, network: Any, scope: str) -> None:
    edits, rows = [edit_of(1), edit_of(2)], [1, -1, 0, 1, 0, -1]
    with wb.edited(tiny, edits, scope=scope, rows=rows) as run, logits_seen(tiny) as seen:
        tiny.generate_tokens(2 * PROMPTS, max_new_tokens=STEPS)
    counts = {0: 0, 1: 0}
    for row, (ids, place) in enumerate(zip(2 * tiny.tokens(PROMPTS), rows, strict=True)):
        edit = None if place < 0 else edits[place]
        torch.testing.assert_close(
            torch.stack(seen[row]), plain_answer(network, ids, edit, scope)[1], atol=SAME, rtol=SAME
        )
        if place >= 0:
            counts[place] += 2 * (len(prompt_positions(scope, len(ids))) + STEPS - 1)
    assert run.by_edit == counts


@dataclass
class Observed:
    """What two hooks around an edit's own saw change: positions of tokens, by phase and by prompt."""

    by_phase: Counter[str] = field(default_factory=Counter)
    by_row: Counter[int] = field(default_factory=Counter)

    def compare(self, model: wb.Model, before: Tensor, after: Tensor) -> None:
        under_way = model.current
        assert under_way is not None
        changed = (before != after).any(-1) & under_way.real
        answered = under_way.steps() >= 1
        self.by_phase["decode"] += int((changed & answered).sum())
        self.by_phase["prompt"] += int((changed & ~answered).sum())
        for row, count in zip(under_way.rows.tolist(), changed.sum(1).tolist(), strict=True):
            self.by_row[row] += count


@contextmanager
def observed(model: wb.Model, edits: Any, *, sites: Sequence[str], **settings: Any) -> Iterator[tuple[EditedRun, Any]]:
    """A run edited, and beside it what its edits were seen to change."""
    saw, held = Observed(), {}

    def keep(place: tuple[str, int]) -> Any:
        return lambda activation: held.__setitem__(place, activation.clone())

    def compare(place: tuple[str, int]) -> Any:
        return lambda activation: saw.compare(model, held.pop(place), activation)

    places = [(site, layer) for site in sites for layer in LAYERS]
    with ExitStack() as hooks:
        for site, layer in places:
            hooks.enter_context(model.hooked_at(site_named(site), layer, keep((site, layer))))
        run = hooks.enter_context(wb.edited(model, edits, **settings))
        for site, layer in places:
            hooks.enter_context(model.hooked_at(site_named(site), layer, compare((site, layer))))
        yield run, saw


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["constant", "operations", "rows"])
def test_the_count_is_of_what_was_seen_to_change(tiny: wb.Model, scope: str, kind: str) -> None:
    edits: list[Any] = {
        "constant": [edit_of(1)],
        "operations": [edit_of(1, operation="set") + edit_of(2, site=RESID_POST.name)],
        "rows": [edit_of(1), edit_of(2, operation="scale")],
    }[kind]
    rows = [1, 0, -1] if kind == "rows" else None
    sites = [HOOK_POST.name, RESID_POST.name] if kind == "operations" else [HOOK_POST.name]
    with observed(tiny, edits, sites=sites, scope=scope, rows=rows) as (run, saw):
        tiny.generate_tokens(PROMPTS, max_new_tokens=STEPS)
        judge_answers(tiny, tiny.tokens(PROMPTS), [[[20, 21, 22]], [[23, 24]], [[25, 26, 27, 28]]])
    assert saw.by_phase["decode"]
    assert bool(saw.by_phase["prompt"]) == (scope != "decode")
    assert run.pairs == saw.by_phase
    by_edit: Counter[int] = Counter()
    for row, count in saw.by_row.items():
        by_edit[0 if rows is None else rows[row]] += count
    assert by_edit[-1] == 0
    assert run.by_edit == by_edit


def test_nothing_is_counted_where_nothing_was_written(tiny: wb.Model) -> None:
    with pytest.raises(RuntimeError, match="never fired"), wb.edited(tiny, edit_of(1), scope="decode") as run:
        judge_answers(tiny, tiny.tokens(PROMPTS), [[[20]], [[21]], [[22]]])
    assert (run.edited, run.passes["prompt"] > 0) == (0, True)
    assert not +run.pairs


def test_a_run_of_many_passes_counts_them_all(tiny: wb.Model) -> None:
    (ids,) = tiny.tokens(PROMPTS[:1])
    with wb.edited(tiny, edit_of(1), scope="generated") as run:
        for _ in range(600):
            judge_answers(tiny, [ids[:3]], [[[20, 21]]])
    assert run.pairs == {"prompt": 2 * 600, "decode": 2 * 600}
    assert run.passes == {"prompt": 600}
