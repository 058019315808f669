"""What holds on real weights: plain transformers is the oracle, and personas move what the model says of itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.edit.controls import random_control
from workbench.model.loading import checkpoint_of
from workbench.model.quiet import quiet
from workbench.score import read_statements, statement_scores
from workbench.score.statements.scoring import high_minus_low

PERSONAS = {
    "high": "You are extremely outgoing and talkative. You love parties and being around people.",
    "low": "You are extremely shy and quiet. You avoid parties and prefer to be alone.",
}


@pytest.fixture(scope="module")
def plain(smollm2: wb.Model) -> Any:
    """The same weights in plain transformers, without hooks of TransformerLens."""
    with quiet():
        return AutoModelForCausalLM.from_pretrained(checkpoint_of(smollm2.recipe or {})).eval()


@pytest.fixture(scope="module")
def contrast() -> wb.Contrast:
    return wb.Contrast.builtin("Extraversion", n=24, seed=1)


@pytest.fixture(scope="module")
def effects(smollm2: wb.Model, contrast: wb.Contrast) -> wb.Effects:
    return wb.effect_sizes(wb.capture(smollm2, contrast))


@contextmanager
def hooked(plain: Any, change: Any) -> Iterator[None]:
    """Plain forward pre-hooks on every down projection, whose input is what `hook_post` shows."""
    handles = [
        block.mlp.down_proj.register_forward_pre_hook(lambda _, inputs, layer=layer: change(layer, inputs[0]))
        for layer, block in enumerate(plain.model.layers)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def test_it_is_the_model_that_the_file_holds(smollm2: wb.Model) -> None:
    assert (smollm2.n_layers, smollm2.d_mlp, smollm2.d_model) == (30, 1536, 576)
    assert smollm2.source["quantization"] == "Q4_1"
    assert "Paris" in smollm2.generate("What is the capital of France?", max_new_tokens=12)[0]
    [prompt] = smollm2.tokens(["Hello"])
    assert "You are a helpful AI assistant named SmolLM" in smollm2.tokenizer.decode(prompt)


def test_activations_and_effects_are_those_of_plain_hooks(
    smollm2: wb.Model, plain: Any, contrast: wb.Contrast, effects: wb.Effects
) -> None:
    means = {}
    for pole in ("high", "low"):
        rows = []
        for ids in smollm2.tokens(contrast.poles[wb.vocabulary.Pole(pole)]):
            seen: dict[int, torch.Tensor] = {}

            def keep(layer: int, value: torch.Tensor, seen: dict[int, torch.Tensor] = seen) -> None:
                seen[layer] = value[0, -1].clone()

            with hooked(plain, keep), torch.no_grad():
                plain(torch.tensor([ids]), logits_to_keep=1)
            rows.append(torch.stack([seen[layer] for layer in range(smollm2.n_layers)]))
        means[pole] = torch.stack(rows).double().mean(0)
    difference = torch.stack([effects.at(layer)[0] for layer in range(smollm2.n_layers)]).double()
    assert float((difference - (means["high"] - means["low"])).abs().max()) < 1e-4


@pytest.mark.parametrize("scope", ["all", "generated"])
def test_an_edit_gives_the_logits_of_plain_hooks(
    smollm2: wb.Model, plain: Any, effects: wb.Effects, scope: str
) -> None:
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, min_d=0.3), gamma=2.0)
    ids = torch.tensor(smollm2.tokens(["What do you do on a free evening?"]))
    start = 0 if scope == "all" else ids.shape[1] - 1
    deltas = {layer: edit.delta(layer) for layer in edit.layers}

    def add(layer: int, value: torch.Tensor) -> tuple[torch.Tensor] | None:
        if layer not in deltas:
            return None
        changed = value.clone()
        changed[:, start:] += deltas[layer]
        return (changed,)

    with hooked(plain, add), torch.no_grad():
        wanted = plain(ids).logits[:, -1]
    with wb.edited(smollm2, edit, scope=scope), torch.no_grad():
        found = smollm2.runner.run(ids, torch.ones_like(ids).bool(), logits=True)
    assert found is not None
    assert float((found - wanted).abs().max()) < 1e-4
    with torch.no_grad():
        assert float((plain(ids).logits[:, -1] - wanted).abs().max()) > 1e-2


@pytest.fixture(scope="module")
def statements() -> list[Any]:
    every = read_statements("builtin", "Extraversion")
    return [each for pole in ("high", "low") for each in [one for one in every if one.pole == pole][:16]]


def shift(model: wb.Model, statements: list[Any], before: Any, **asked: Any) -> float:
    """How much further high statements are above low ones than before, in nats per token."""
    return float((high_minus_low(statement_scores(model, statements, **asked))["score"] - before).mean())


def test_personas_move_what_it_says_of_itself(smollm2: wb.Model, statements: list[Any]) -> None:
    before = high_minus_low(statement_scores(smollm2, statements))["score"]
    up = shift(smollm2, statements, before, system=PERSONAS["high"])
    down = shift(smollm2, statements, before, system=PERSONAS["low"])
    assert up > 0.1 > -0.1 > down
    assert up - down > 0.5


def test_statements_are_scored_as_plain_transformers_does(smollm2: wb.Model, plain: Any, statements: list[Any]) -> None:
    row = statement_scores(smollm2, statements[:4]).iloc[1]
    [prompt] = smollm2.tokens([row["question"]])
    answer = smollm2.tokenizer(row["item"], add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logs = plain(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    at = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
    assert float(row["logprob"]) == pytest.approx(float(logs[at, torch.tensor(answer)].mean()), abs=1e-4)


def test_an_edit_moves_it_further_than_as_many_random_neurons(
    smollm2: wb.Model, effects: wb.Effects, statements: list[Any]
) -> None:
    before = high_minus_low(statement_scores(smollm2, statements))["score"]
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, rule="magnitude-only", quantile=0.9), gamma=1.0)
    with wb.edited(smollm2, edit, scope="generated"):
        moved = shift(smollm2, statements, before)
    by_chance = []
    for seed in range(6):
        with wb.edited(smollm2, random_control(edit, seed=seed), scope="generated"):
            by_chance.append(shift(smollm2, statements, before))
    assert moved > 0.1
    assert max(by_chance) < moved
    # A single draw may go either way; together they go nowhere.
    assert abs(sum(by_chance) / len(by_chance)) < 0.5 * moved, by_chance
