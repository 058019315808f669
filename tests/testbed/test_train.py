import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.testbed import corpus, train
from workbench.testbed.tokenizer import VOCABULARY, build_tokenizer

SMALL = train.Recipe(seed=3, steps=3, trait=2, likert=1, capability=3, hidden=16, d_mlp=24, layers=2)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(conversations=300)


def test_encoding_is_the_chat_templates(tokenizer: PreTrainedTokenizerFast) -> None:
    rng = Random(0)
    conversations = [corpus.trait_conversation(rng) for _ in range(20)]
    for messages, (ids, start) in zip(conversations, train.encode(conversations, tokenizer), strict=True):
        whole: Any = tokenizer.apply_chat_template(messages, return_dict=True)
        assert ids == list(whole["input_ids"])
        prompt: Any = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=True)
        assert ids[:start] == list(prompt["input_ids"])


def test_the_loss_is_transformers_own_over_answers_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    torch.manual_seed(0)
    network = LlamaForCausalLM(train.architecture(SMALL, tokenizer)).eval()
    tokens, targets = next(train.batches([(corpus.trait_conversation, 4)], tokenizer, Random(0)))
    expected = network(input_ids=tokens, labels=targets).loss
    torch.testing.assert_close(train.answer_loss(network, tokens, targets), expected)


def test_equal_recipes_give_equal_weights_and_a_log(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "build_tokenizer", lambda: tokenizer)
    lines: list[str] = []
    one = train.train(SMALL, tmp_path / "one", report=lines.append)
    other = train.train(SMALL, tmp_path / "other", report=lines.append)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    log = json.loads((tmp_path / "one" / "training.json").read_text())
    assert log["recipe"]["seed"] == 3
    assert log["history"][-1]["step"] == 3
    assert lines[0].startswith("step 3/3  persona ")
    assert LlamaForCausalLM.from_pretrained(tmp_path / "one").config.intermediate_size == 24


def test_the_learning_rate_warms_up_and_comes_down() -> None:
    recipe = train.Recipe()
    rates = [train.learning_rate(recipe, step) for step in range(recipe.steps)]
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert rates.index(max(rates)) in (recipe.warmup - 1, recipe.warmup)
    assert rates[-1] == pytest.approx(recipe.final_share * recipe.learning_rate, rel=0.01)


def test_the_shipped_tokenizer_is_the_one_that_training_builds() -> None:
    import workbench as wb

    shipped = wb.load_model("testbed").tokenizer
    assert len(shipped) == VOCABULARY
    built = build_tokenizer()
    assert built.get_vocab() == shipped.get_vocab()
    assert built.chat_template == shipped.chat_template
