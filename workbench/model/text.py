"""From text to token ids: the one place that calls a tokenizer, so that the rule on BOS is the same on every path.

The rule is the checkpoint's own: raw text gets the tokens that its tokenizer puts before it, a conversation those that
its template writes, and a text that follows a prompt none. What stands there already is never put there again.
"""

import copy
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from workbench.model.quiet import quiet

_CHARACTER = 8  # tokens that one character takes at most


def text_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of raw texts, with the tokens that the tokenizer adds; BOS begins a text once, whoever wrote it."""
    return _encoded(tokenizer, texts, add_special_tokens=True)


def rendered_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of conversations that the chat template made text of already, with no token that it did not write."""
    return _encoded(tokenizer, texts, add_special_tokens=False)


def answer_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts that follow a prompt: none is added, and a BOS at the head of one is left out."""
    bare = _plain(tokenizer, texts)
    beginning = _beginning(tokenizer)
    return [_without(beginning, ids) for ids in bare]


def once(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[int]:
    """Token ids with what begins a text written once where it stands several times in a row."""
    beginning = _beginning(tokenizer)
    rest = _without(beginning, ids)
    return list(ids) if len(rest) == len(ids) else [*beginning, *rest]


def added_before(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that the tokenizer puts before raw text by itself: most often BOS, or none."""
    with_added, bare = (list(tokenizer("a", add_special_tokens=each)["input_ids"]) for each in (True, False))  # type: ignore[arg-type]
    for start in range(len(with_added) - len(bare) + 1):
        if bare and with_added[start : start + len(bare)] == bare:
            return with_added[:start]
    return []


def without_bos(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """A turn of a conversation without the BOS at its head, as the template writes the conversation's own.

    Raises:
        ValueError: if it holds other special tokens too, so that it is a conversation that was rendered already.
    """
    bos = tokenizer.bos_token
    if not isinstance(bos, str) or not bos or not text.startswith(bos):
        return text
    while text.startswith(bos):
        text = text.removeprefix(bos)
    held = next((token for token in _special_texts(tokenizer) if token in text), None)
    if held is not None and getattr(tokenizer, "chat_template", None):
        raise ValueError(
            f"A chat prompt is rendered by the chat template, but one begins with {bos!r} and holds {held!r}, so that "
            "it was rendered already. Give it as raw text with chat=False."
        )
    return text


def checkpoints_own(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer as its checkpoint defines it, where TransformerLens loaded it again so that it always adds BOS.

    The checkpoint's tokenizer is read from where this one came from, without reaching for the hub. A chat template that
    was set since then is kept. Where it cannot be read, a warning says so and the tokenizer stays as it is.
    """
    source = str(getattr(tokenizer, "name_or_path", "") or "")
    if not getattr(tokenizer, "init_kwargs", {}).get("add_bos_token") or not source:
        return tokenizer
    added = added_before(tokenizer)
    if not added:
        return tokenizer
    try:
        with quiet():
            fresh: Any = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        fresh = None
    if fresh is None or not _same_words(tokenizer, fresh):
        warnings.warn(
            f"The model's tokenizer puts {tokenizer.decode(added)!r} before every raw text, as TransformerLens has it; "
            f"whether its checkpoint does cannot be read from {source}. Give wrap_model the checkpoint's tokenizer.",
            stacklevel=3,
        )
        return tokenizer
    if added_before(fresh) == added:
        return tokenizer
    fresh.chat_template = copy.deepcopy(tokenizer.chat_template)
    fresh.padding_side = tokenizer.padding_side
    return fresh


def _same_words(tokenizer: PreTrainedTokenizerBase, fresh: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers have the same tokens, but for an end of text that TransformerLens adds where none is."""
    ours, theirs = tokenizer.get_vocab(), fresh.get_vocab()
    return all(ours.get(word) == number for word, number in theirs.items()) and set(ours) - set(theirs) <= {
        "<|endoftext|>"
    }


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, add_special_tokens: bool) -> list[list[int]]:
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=add_special_tokens)["input_ids"]
    beginning = _beginning(tokenizer)
    rows: list[list[int]] = []
    for ids in encoded:  # type: ignore[union-attr]
        rest = _without(beginning, list(ids))  # type: ignore[call-overload]
        rows.append(list(ids) if len(rest) == len(ids) else [*beginning, *rest])  # type: ignore[call-overload, arg-type]
    return rows


def _plain(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [list(ids) for ids in encoded]  # type: ignore[union-attr, call-overload]


def _beginning(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What begins a text: the tokens that the tokenizer adds by itself, else its BOS, else nothing."""
    added = added_before(tokenizer)
    bos = tokenizer.bos_token_id
    return added or ([bos] if isinstance(bos, int) else [])


def _without(beginning: Sequence[int], ids: Sequence[int]) -> list[int]:
    """Token ids without all that begin them of a beginning, however often it stands there."""
    size, rest = len(beginning), list(ids)
    while size and rest[:size] == list(beginning):
        rest = rest[size:]
    return rest


def _special_texts(tokenizer: PreTrainedTokenizerBase) -> Iterable[str]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return sorted({str(token) for token in added.values() if token.special} | set(tokenizer.all_special_tokens))


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """What each token adds to the text, special tokens included; together they are the text.

    A character that several tokens make stands with the last of them; the others are empty.

    Example:
        >>> import workbench as wb
        >>> tokenizer = wb.load_model("testbed").tokenizer
        >>> token_texts(tokenizer, tokenizer(" a party 🎉", add_special_tokens=False)["input_ids"])
        [' a', ' party', ' ', '', '', '', '🎉']
    """

    def decoded(start: int, stop: int) -> str:
        return str(
            tokenizer.decode(list(ids[start:stop]), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    texts: list[str] = []
    start = read = 0  # tokens from `start` to `read` are told already, and say how what follows is spaced
    for number in range(len(ids)):
        before, whole = decoded(start, read), decoded(start, number + 1)
        last = number + 1 == len(ids) or number - read >= _CHARACTER
        if whole.endswith("\ufffd") and not last:
            texts.append("")
            continue
        texts.append(whole[len(before) :])
        start, read = read, number + 1
    return texts
