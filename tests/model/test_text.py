"""BOS begins a text once, by the checkpoint's own rule, on every path into a model; the oracle is `AutoTokenizer`."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import workbench as wb
from workbench.model.likelihood import answer_likelihoods, log_likelihoods
from workbench.model.text import added_before, answer_tokens, checkpoints_own, once, rendered_tokens, text_tokens
from workbench.score.harness.model import HookedRequests
from workbench.score.minimal_pairs.pair import MinimalPair
from workbench.score.minimal_pairs.scoring import sentence_scores
from workbench.score.perplexity.scoring import text_likelihoods

BOS = "<|begin|>"
ADDS = {"none": None, "BOS": f"{BOS} $A", "BOS and EOS": f"{BOS} $A <|end|>", "two": f"<|pad|> {BOS} $A"}


def saved(model: wb.Model, folder: Path, adds: str | None, template: str | None = None) -> Any:
    """The embedded model's tokenizer in a folder, with a rule for raw text and a chat template, read again plainly."""
    own: Any = model.tokenizer
    backend = Tokenizer.from_str(own.backend_tokenizer.to_str())
    if adds is not None:
        specials = [(word, own.get_vocab()[word]) for word in (BOS, "<|end|>", "<|pad|>")]
        backend.post_processor = TemplateProcessing(single=adds, special_tokens=specials)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=BOS, eos_token="<|end|>", chat_template=template)
    made.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("adds", ADDS)
def test_raw_text_begins_once_by_the_tokenizers_own_rule(adds: str, model: wb.Model, tmp_path: Path) -> None:
    plain = saved(model, tmp_path, ADDS[adds])
    wrapped = wb.wrap_model(model.hooked, plain)
    expected = plain("I talk.")["input_ids"]
    assert text_tokens(plain, ["I talk."]) == wrapped.tokens("I talk.", chat=False) == [expected]
    begins = "<|pad|>" + BOS if adds == "two" else BOS
    once_begun = plain("I talk." if ADDS[adds] else BOS + "I talk.")["input_ids"]
    for times in (1, 2, 3):
        assert wrapped.tokens(begins * times + "I talk.", chat=False) == [once_begun]
        assert rendered_tokens(plain, [begins * times + "I talk."])[0][: len(once_begun) - (adds == "BOS and EOS")] == (
            once_begun[:-1] if adds == "BOS and EOS" else once_begun
        )
        assert answer_tokens(plain, [begins * times + "I talk."]) == [
            plain("I talk.", add_special_tokens=False)["input_ids"]
        ]
    assert once(plain, plain(begins + "I talk.")["input_ids"]) == once_begun
    assert text_tokens(plain, []) == answer_tokens(plain, []) == []
    # A BOS inside a text is the writer's own.
    assert wrapped.tokens("I" + BOS, chat=False) == [plain("I" + BOS)["input_ids"]]


@pytest.mark.parametrize("adds", ["none", "BOS"])
@pytest.mark.parametrize("writes", [True, False], ids=["template writes BOS", "template writes none"])
def test_a_conversation_begins_as_its_template_writes_it(
    adds: str, writes: bool, model: wb.Model, tmp_path: Path
) -> None:
    template = ("{{ bos_token }}" if writes else "") + "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    plain = saved(model, tmp_path, ADDS[adds], template)
    wrapped = wb.wrap_model(model.hooked, plain)
    prompt = wb.Prompt("Hello", "You are kind.")
    expected = plain.apply_chat_template(prompt.messages, return_dict=True)["input_ids"]
    assert expected.count(plain.bos_token_id) == writes
    assert wrapped.tokens(prompt) == [expected]
    for begun in (wb.Prompt(BOS + "Hello", "You are kind."), wb.Prompt("Hello", BOS + "You are kind.")):
        assert wrapped.tokens(begun) == [expected]
    text = wrapped.conversation(prompt.messages)
    assert rendered_tokens(plain, [text]) == [expected]
    # The same text given as raw text begins once, whoever begins it.
    begun = writes or adds == "BOS"
    assert wrapped.tokens(text, chat=False)[0].count(plain.bos_token_id) == begun
    with pytest.raises(ValueError, match=r"begins with '<\|begin\|>' and holds '<\|user\|>', so that it was rendered"):
        wrapped.tokens(f"{BOS}<|user|>Hello")


def test_every_path_begins_a_text_once(model: wb.Model, tmp_path: Path) -> None:
    """A text with BOS and one without it are the same to a tokenizer that adds it."""
    wrapped = wb.wrap_model(model.hooked, saved(model, tmp_path, ADDS["BOS"]))
    harness = object.__new__(HookedRequests)
    harness.hooked, harness.chat, harness.tokenizer, harness.max_length = wrapped, False, wrapped.tokenizer, 64
    harness._context = harness.encode
    begin = wrapped.tokenizer.bos_token_id
    before: dict[str, Any] = {}
    for texts in (("I talk.", "You talk."), (BOS + "I talk.", BOS + "You talk.")):
        found = {
            "perplexity": text_likelihoods(wrapped, texts)["log_likelihood"].tolist(),
            "pairs": sentence_scores(wrapped, [MinimalPair(*texts, task="a")])["margin"].tolist(),
            "answers": answer_likelihoods(wrapped, ["Who?", "What?"], texts),
            "generate": wrapped.generate_tokens(list(texts), chat=False, max_new_tokens=3),
            "windows": harness._windows(texts[0]),
            "pair": [harness._pair(texts[0], " a"), harness._pair("", texts[0])],
        }
        contrast = wb.Contrast.from_texts("a", high=texts, low=texts[::-1]).with_responses(high=texts, low=texts)
        tally = wb.capture(wrapped, contrast, position="response")
        found["capture"] = [float(moments.mean.sum()) for moments in tally.moments.values()]
        assert all(asked.prompt.count(begin) + asked.answer.count(begin) == 1 for asked in found["windows"])
        if texts[0].startswith(BOS):
            assert found == before
        before = found
    alone = log_likelihoods(wrapped, wrapped.tokens(["Who?"]), [[wrapped.tokenizer("I talk.")["input_ids"][1:]]])
    assert before["answers"][0] == pytest.approx(float(alone[0][0].double().mean()), abs=1e-5)


def test_a_wrapped_model_keeps_its_checkpoints_rule(checkpoint: Path) -> None:
    """TransformerLens reads a tokenizer again so that it always adds BOS."""
    plain: Any = AutoTokenizer.from_pretrained(checkpoint)
    bridge = TransformerBridge.boot_transformers(str(checkpoint), device="cpu")
    changed: Any = bridge.tokenizer
    assert added_before(changed) == [plain.bos_token_id]
    assert added_before(plain) == []
    changed.chat_template = "{{ messages[0].content }}"
    wrapped, loaded = wb.wrap_model(bridge), wb.load_model(checkpoint)
    for text in ("I talk.", BOS + "I talk."):
        expected = [plain(text)["input_ids"]]
        assert wrapped.tokens(text, chat=False) == loaded.tokens(text, chat=False) == expected
    assert wrapped.tokens("I talk.") == [plain("I talk.")["input_ids"]]  # by the template that was set
    assert wb.wrap_model(bridge, changed).tokenizer is changed


def test_a_checkpoint_that_adds_bos_itself_keeps_it(model: wb.Model, tmp_path: Path) -> None:
    plain = saved(model, tmp_path, ADDS["BOS"])
    plain.init_kwargs["add_bos_token"] = True
    assert checkpoints_own(plain) is plain


def test_a_rule_that_cannot_be_read_is_said(model: wb.Model, tmp_path: Path) -> None:
    changed = saved(model, tmp_path, ADDS["BOS"])
    changed.init_kwargs["add_bos_token"] = True
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.warns(
        UserWarning, match=r"puts '<\|begin\|>' before every raw text.* Give wrap_model the checkpoint's"
    ):
        assert checkpoints_own(changed) is changed
