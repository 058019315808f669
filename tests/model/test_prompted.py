"""Prompts put otherwise just before they become tokens, and turns that come before a question."""

from dataclasses import replace

import pytest

import workbench as wb


def with_system(text: str):
    return lambda prompt: replace(prompt, system=" ".join(filter(None, (prompt.system, text))))


def test_chat_prompts_are_put_otherwise_and_raw_texts_are_not(model: wb.Model) -> None:
    plain = model.tokens(["Who are you?"])
    raw = model.tokens(["Who are you?"], chat=False)
    with model.prompted(with_system("You are a teacher.")):
        assert model.tokens(["Who are you?"]) == model.tokens([wb.Prompt("Who are you?")]) != plain
        assert model.tokens(["Who are you?"], chat=False) == raw
        inside = model.tokens(["Who are you?"])
    assert inside == model.tokens([wb.Prompt("Who are you?", system="You are a teacher.")])
    assert model.tokens(["Who are you?"]) == plain


def test_an_inner_context_comes_after_an_outer_one(model: wb.Model) -> None:
    with model.prompted(with_system("You are a teacher.")), model.prompted(with_system("You are Ann.")):
        inside = model.tokens(["Who are you?"])
    assert inside == model.tokens([wb.Prompt("Who are you?", system="You are a teacher. You are Ann.")])


def test_a_prompt_that_was_made_raw_stays_raw(model: wb.Model) -> None:
    with model.prompted(lambda prompt: wb.Prompt(f"{prompt.user} I", chat=False)):
        with model.prompted(with_system("You are a teacher.")):
            assert model.tokens(["Who are you?"]) == model.tokens(["Who are you? I"], chat=False)


def test_nothing_of_it_survives_an_exception(model: wb.Model) -> None:
    plain = model.tokens(["Who are you?"])
    with pytest.raises(RuntimeError, match="stop"):
        with model.prompted(with_system("You are a teacher.")):
            raise RuntimeError("stop")
    assert model.tokens(["Who are you?"]) == plain


def test_what_is_generated_follows_the_prompt_as_it_is_put(model: wb.Model) -> None:
    with model.prompted(with_system("You are extremely shy.")):
        answer = model.generate("Do you talk with people?", max_new_tokens=6)
    asked = wb.Prompt("Do you talk with people?", system="You are extremely shy.")
    assert answer == model.generate(asked, max_new_tokens=6)


def test_earlier_turns_stand_in_the_tokens_in_order(model: wb.Model) -> None:
    prompt = wb.Prompt("Who are you?", system="You are Ann.", earlier=(("Tell me about music.", "I like it."),))
    [tokens] = model.tokens([prompt])
    text = model.tokenizer.decode(tokens)
    places = [text.index(part) for part in ("You are Ann.", "Tell me about music.", "I like it.", "Who are you?")]
    assert places == sorted(places)
    assert tokens[-1:] == model.tokens(["Who are you?"])[0][-1:]
    assert text == model.conversation(prompt.messages)


def test_earlier_turns_of_a_model_without_a_template_are_plain_text(model: wb.Model) -> None:
    template = model.tokenizer.chat_template
    model.tokenizer.chat_template = None
    try:
        [tokens] = model.tokens([wb.Prompt("Who are you?", earlier=(("Hello.", "Good day."),))])
        assert "Hello.\n\nGood day.\n\nWho are you?\n" in model.tokenizer.decode(tokens)
    finally:
        model.tokenizer.chat_template = template


def test_earlier_turns_tell_contrasts_apart_and_go_with_no_raw_text() -> None:
    turns = (("Hello.", "Good day."),)
    plain = wb.Contrast.testbed("Extraversion", n=4)
    later = replace(plain, high=tuple(replace(prompt, earlier=turns) for prompt in plain.high))
    assert later.digest != plain.digest
    assert "earlier=(('Hello.', 'Good day.'),)" in repr(later.high[0])
    with pytest.raises(ValueError, match="Earlier turns of a chat are texts.*a raw text with some"):
        wb.Prompt("Who are you?", chat=False, earlier=turns)
    with pytest.raises(ValueError, match="Earlier turns of a chat are texts.*empty ones"):
        wb.Prompt("Who are you?", earlier=(("Hello.", " "),))
