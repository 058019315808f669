from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

import workbench as wb
from workbench.model.rendering import (
    Rendering,
    batches_by_length,
    pad_left,
    render,
    render_conversation,
    rendering_of,
    takes_system,
)

PROMPT = wb.Prompt("What is 21 + 13?", "You are very kind.")


@pytest.fixture
def tokenizer(model: wb.Model) -> PreTrainedTokenizerFast:
    """A copy whose chat template a test may change."""
    own: Any = model.tokenizer
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(own.backend_tokenizer.to_str()),
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


LLAMA = (  # the BOS is the template's own, as in Llama 3
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] | trim }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}{{ '<|user|>' + m['content'] | trim }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
MISTRAL = (  # a system prompt stands inside the last user turn
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set s = '' %}{% set turns = messages %}{% endif %}"
    "{% for m in turns %}{{ '[INST] ' + (s if loop.last else '') + m['content'] + ' [/INST]' }}{% endfor %}"
)
DROPPING = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>' + m['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
BOTH = "You are very kind.\n\nWhat is 21 + 13?"
TEMPLATES = {
    "Llama-like": (LLAMA, Rendering.TEMPLATE, "<|system|>You are very kind.<|user|>What is 21 + 13?<|assistant|>"),
    "Gemma-like": (GEMMA, Rendering.SYSTEM_BEFORE_USER, f"<|user|>{BOTH}<|assistant|>"),
    "Mistral-like": (MISTRAL, Rendering.TEMPLATE, f"[INST] {BOTH} [/INST]"),
    "silently dropping": (DROPPING, Rendering.SYSTEM_BEFORE_USER, f"<|user|>{BOTH}<|assistant|>"),
    "no template": (None, Rendering.PLAIN, f"{BOTH}\n"),
}


@pytest.mark.parametrize("adds_bos", [False, True], ids=["plain", "puts BOS before raw texts"])
@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_kind_of_template_is_tokenised_once(
    kind: str, adds_bos: bool, tokenizer: PreTrainedTokenizerFast
) -> None:
    template, how, expected = TEMPLATES[kind]
    begin = tokenizer.get_vocab()["<|begin|>"]
    if adds_bos:
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", begin)]
        )
        assert tokenizer("Hello")["input_ids"][0] == begin
    tokenizer.chat_template = template
    assert rendering_of(tokenizer) is how
    assert takes_system(tokenizer) is (how is Rendering.TEMPLATE)
    assert how.is_fallback is (how is not Rendering.TEMPLATE)
    (ids,) = render(tokenizer, [PROMPT])
    ours = adds_bos if template is None else True
    assert ids == ([begin] if ours else []) + tokenizer(expected, add_special_tokens=False)["input_ids"]
    (bare,) = render(tokenizer, [wb.Prompt("What is 21 + 13?")])  # without a system prompt nothing is added
    assert bare.count(begin) == ours
    assert "\n\n" not in tokenizer.decode(bare)


def test_a_model_says_how_it_renders(model: wb.Model, tokenizer: PreTrainedTokenizerFast) -> None:
    assert str(model.rendering) == "the chat template, system prompts included"
    tokenizer.chat_template = GEMMA
    other = wb.wrap_model(model.hooked, tokenizer)
    assert other.rendering.is_fallback
    assert "takes no system prompt: it goes in front of the user's turn" in str(other.rendering)
    tokenizer.chat_template = None
    assert str(other.rendering).startswith("no chat template: system prompt, blank line, user's turn")


def test_a_template_that_refuses_a_prompt_is_told(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{{ raise_exception('only tools') }}"
    with pytest.raises(ValueError, match=r"The chat template refuses 'What is 21 \+ 13\?': only tools. Give raw texts"):
        render(tokenizer, [PROMPT])


def test_a_template_with_todays_date_gives_the_same_prompt_on_any_day(tokenizer: PreTrainedTokenizerFast) -> None:
    """The rule of Llama's templates from 3.2 on."""
    tokenizer.chat_template = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{{ 'Today is ' + date_string + '.' + messages[-1]['content'] }}"
    )
    (ids,) = render(tokenizer, [wb.Prompt("Hello")])
    assert tokenizer.decode(ids) == "Today is 26 Jul 2024.Hello"


def test_a_conversation_as_text_is_the_prompt_in_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    def tokens(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    drops = "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>' + m['content'] }}{% endif %}{% endfor %}"
    for template in (tokenizer.chat_template, drops):
        tokenizer.chat_template = template
        assert [tokens(render_conversation(tokenizer, PROMPT.messages))] == render(tokenizer, [PROMPT])
    turns = [*PROMPT.messages, {"role": "assistant", "content": "34"}, {"role": "user", "content": "And 1 + 1?"}]
    assert render_conversation(tokenizer, turns) == "<|user|>You are very kind.\n\nWhat is 21 + 13?<|user|>And 1 + 1?"
    assert PROMPT.messages[0]["role"] == turns[0]["role"] == "system"  # the turns are left as they are
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match=r"needs a chat template, but the tokenizer has none\. Use chat=False"):
        render_conversation(tokenizer, turns)


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


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(20, 200), st.integers(1, 9))
def test_batches_hold_every_row_once_and_keep_their_bounds(lengths: list[int], max_tokens: int, max_rows: int) -> None:
    batches = batches_by_length(lengths, max_tokens=max_tokens, max_rows=max_rows)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= max_rows
        assert len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= max_tokens
