from typing import Any

import pytest
import torch

import workbench as wb
from workbench.model.generation import Sampling, Until, generate

PROMPTS = ["What is 21 + 13?", "How do you spend your time at the office party?", "Name the capital of Zandia."]


def test_greedy_equals_transformers_own_generation(model: wb.Model) -> None:
    for prompt in PROMPTS:
        ids = torch.tensor(model.tokens(prompt))
        generated = model.network.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False
        )
        new = generated[0, ids.shape[1] :].tolist()
        ours = model.generate_tokens(prompt, max_new_tokens=20)[0]
        assert ours == [token for token in new if token not in model.stop_tokens][: len(ours)]
        assert len(ours) >= len(new) - 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_do_not_depend_on_batching(model: wb.Model, temperature: float) -> None:
    many = PROMPTS * 3
    settings = {"max_new_tokens": 24, "temperature": temperature, "seed": 4}
    together = model.generate_tokens(many, **settings)
    assert together == model.generate_tokens(many, max_rows=2, **settings)
    assert together[:3] == model.generate_tokens(PROMPTS, **settings)


def test_one_stream_gives_one_answer(model: wb.Model) -> None:
    alike = model.generate_tokens([PROMPTS[1]] * 3, max_new_tokens=24, temperature=1.0, streams=[5, 5, 6])
    assert alike[0] == alike[1] != alike[2]


def test_sampling_follows_the_distribution() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(3000, -1)
    sampling = Sampling(max_new_tokens=1, temperature=1.0, seed=0)
    draws = torch.stack([sampling.draws(stream) for stream in range(3000)])[:, 0]
    shares = torch.bincount(sampling.choose(logits, draws), minlength=3) / 3000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.03, rtol=0)


def test_max_new_tokens_bounds_an_answer(model: wb.Model) -> None:
    assert len(model.generate_tokens(PROMPTS[1], max_new_tokens=3)[0]) == 3


@pytest.mark.parametrize("max_rows", [1, 256])
def test_texts_end_an_answer_where_they_first_stand(model: wb.Model, max_rows: int) -> None:
    sampling = Sampling(24, 0.0, 0)
    bounds: dict[str, Any] = {"max_tokens": 4096, "max_rows": max_rows}
    prompts = model.tokens(PROMPTS)
    whole = generate(model.decoder, prompts, sampling, **bounds)
    texts = (" always", ". I", "ville")
    until = Until(texts, model.tokenizer)
    cut = generate(model.decoder, prompts, sampling, until=until, **bounds)
    assert any(len(short) < len(full) for short, full in zip(cut, whole, strict=True))
    for short, full in zip(cut, whole, strict=True):
        assert short == full[: len(short)]
        text_before_end = model.tokenizer.decode(short[:-1])
        assert not any(text in text_before_end for text in texts)  # not a token too many
        stopped = any(text in model.tokenizer.decode(short) for text in texts)
        assert stopped or short == full


def test_mistakes_are_told(model: wb.Model) -> None:
    with pytest.raises(ValueError, match="temperature is a number from 0 up, but -1.0"):
        model.generate(PROMPTS, temperature=-1.0)
    with pytest.raises(ValueError, match="At least 1 new token is needed, but 0"):
        model.generate(PROMPTS, max_new_tokens=0)
    with pytest.raises(ValueError, match="Each of 3 prompts needs a stream, but 1"):
        model.generate(PROMPTS, streams=[0])
    with pytest.raises(ValueError, match=r"has at least 1 character, but \('a', ''\) arrived"):
        Until(("a", ""), model.tokenizer)
