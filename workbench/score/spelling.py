"""Refuse text that a model's tokenizer cannot spell."""

from collections.abc import Iterable

from workbench.model.model import Model


def require_spelling(model: Model, texts: Iterable[str], *, by: str) -> None:
    """Refuse text of which the tokenizer makes its token for the unknown, so that any likelihood of it means nothing.

    Args:
        by: what asks in these texts, e.g. `minimal-pairs`.

    Raises:
        ValueError: naming the first such text.
    """
    unknown, spelt = model.tokenizer.unk_token_id, list(texts)
    for text, ids in zip(spelt, model.answer_tokens(spelt), strict=True):
        if unknown in ids:
            raise ValueError(
                f"The outcome {by} needs text that the model's tokenizer can spell, but {model.name}'s does not know "
                f"all of {text!r}. Give a file in words that it knows, or leave the outcome out."
            )
