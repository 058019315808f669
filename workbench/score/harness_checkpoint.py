"""What the harness reads of a checkpoint by itself: how raw texts become tokens, and how many fit."""

from functools import cache

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from workbench.model.model import Model


def plain_tokenizer(model: Model) -> PreTrainedTokenizerBase:
    """The tokenizer as the checkpoint has it, for raw texts; that of a wrapped model is taken as it is.

    TransformerLens loads every tokenizer to begin raw texts with its first token, where it has one. A checkpoint
    whose own tokenizer does not would get other prompts than anywhere else.
    """
    if model.recipe is None:
        return model.tokenizer
    try:
        return _as_saved(
            str(model.tokenizer.name_or_path), model.recipe["revision"], bool(model.recipe["trust_remote_code"])
        )
    except (OSError, ValueError):  # the files are gone
        return model.tokenizer


@cache
def _as_saved(path: str, revision: str | None, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=trust_remote_code)


def room_of(model: Model) -> int:
    """How many positions a model has, as the harness reads it."""
    config = getattr(model.network, "config", None)
    if config is None:
        return int(model.hooked.cfg.n_ctx)
    from lm_eval.models.utils import resolve_max_length

    return resolve_max_length(config, model.tokenizer)
