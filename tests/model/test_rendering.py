import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

import workbench as wb
from workbench.model.rendering import batches_by_length, pad_left, render, takes_system

PROMPT = wb.Prompt("What is 21 + 13?", "You are very kind.")


@pytest.fixture
def tokenizer(model: wb.Model) -> PreTrainedTokenizerFast:
    """A copy whose chat template a test may change."""
    return PreTrainedTokenizerFast(
        tokenizer_object=model.tokenizer.backend_tokenizer,
        bos_token="<|begin|>",
        eos_token="<|end|>",
        chat_template=model.tokenizer.chat_template,
    )


def test_a_chat_prompt_ends_where_the_answer_begins_and_has_one_bos(model: wb.Model) -> None:
    (ids,) = render(model.tokenizer, [PROMPT])
    token = model.tokenizer.get_vocab()
    assert ids[0] == token["<|begin|>"]
    assert ids.count(token["<|begin|>"]) == 1
    assert ids[-1] == token["<|assistant|>"]
    assert model.tokenizer.decode(ids).count("You are very kind.") == 1


def test_a_template_without_system_prompts_gets_it_in_front_of_the_user(tokenizer: PreTrainedTokenizerFast) -> None:
    drops = "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>' + m['content'] }}{% endif %}{% endfor %}"
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + drops
    for template in (drops, refuses):
        tokenizer.chat_template = template
        assert not takes_system(tokenizer)
        (ids,) = render(tokenizer, [PROMPT])
        assert tokenizer.decode(ids) == "<|user|>You are very kind.\n\nWhat is 21 + 13?"


def test_without_a_template_a_chat_prompt_is_plain_text(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = None
    (ids,) = render(tokenizer, [PROMPT])
    assert ids == tokenizer("You are very kind.\n\nWhat is 21 + 13?\n")["input_ids"]


def test_raw_texts_are_tokenised_as_they_stand(model: wb.Model) -> None:
    (ids,) = render(model.tokenizer, [wb.Prompt("I always talk.", chat=False)])
    assert ids == model.tokenizer("I always talk.")["input_ids"]


def test_an_empty_prompt_is_an_error() -> None:
    with pytest.raises(ValueError, match="A prompt needs a text, but '' arrived"):
        wb.Prompt("", chat=False)


def test_padding_is_on_the_left() -> None:
    tokens, real = pad_left([[1, 2, 3], [4]], pad=9)
    assert tokens.tolist() == [[1, 2, 3], [9, 9, 4]]
    assert real.tolist() == [[True, True, True], [False, False, True]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(20, 200), st.integers(1, 9))
def test_batches_hold_every_row_once_and_keep_their_bounds(lengths: list[int], max_tokens: int, max_rows: int) -> None:
    batches = batches_by_length(lengths, max_tokens=max_tokens, max_rows=max_rows)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= max_tokens
