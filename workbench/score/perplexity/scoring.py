"""Mean log-likelihood per token of texts, and of the answers that the unedited model gives."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.model.generation import Sampling, generate
from workbench.model.judging import Judged
from workbench.model.model import Model
from workbench.score.side_by_side import Reading

_MOST_KEPT = 16
_kept: dict[tuple[object, ...], list[list[int]]] = {}


def text_likelihoods(model: Model, texts: Sequence[str]) -> pd.DataFrame:
    """How likely a model finds each text, without a chat template; inside `edited`, the edited model.

    Where the tokenizer puts a token before a text, all its tokens are scored; otherwise all but the first. An edit
    acts on the first token as on a prompt's last, and on all later ones as on an answer's.

    Returns:
        A row for each text: item (the text), log_likelihood (mean natural log-probability per token, nats, 0 at most;
        exp of minus it is the text's perplexity), tokens (how many were scored).

    Raises:
        ValueError: if a text has fewer than 2 tokens.
    """
    return text_reading(model, texts).read(model)


def text_reading(model: Model, texts: Sequence[str]) -> Reading:
    """What `text_likelihoods` reads.

    Raises:
        ValueError: as `text_likelihoods`.
    """
    tokens = model.tokens(list(texts), chat=False)
    short = next((text for text, ids in zip(texts, tokens, strict=True) if len(ids) < 2), None)
    if short is not None:
        raise ValueError(f"A text to score needs at least 2 tokens, but {short!r} has fewer.")

    def table(judged: Sequence[Sequence[Judged]]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "item": list(texts),
                "log_likelihood": [float(one.logs.double().mean()) for [one] in judged],
                "tokens": [len(one.logs) for [one] in judged],
            }
        )

    return Reading([ids[:1] for ids in tokens], [[ids[1:]] for ids in tokens], table, ends=[0] * len(tokens))


def own_answers(model: Model, questions: Sequence[str], *, max_new_tokens: int = 40) -> list[list[int]]:
    """The token ids of the unedited model's likeliest answers to questions in a chat, kept while the process lives.

    They follow from the weights alone, so that another process, or a study that continues, makes the same ones.

    Raises:
        RuntimeError: if hooks are on, so that the model may be edited.
    """
    prompts = model.tokens(list(questions))
    key = (model.fingerprint, str(model.dtype), str(model.device), str(prompts), max_new_tokens)
    if key not in _kept:
        hooks = [name for name, point in model.hooked.hook_dict.items() if point.fwd_hooks]
        if hooks:
            raise RuntimeError(
                f"Its own answers are the unedited model's, but {len(hooks)} hooks are on, e.g. {hooks[0]}. "
                "Leave `edited` first."
            )
        if len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        greedy = Sampling(max_new_tokens=max_new_tokens, temperature=0.0, seed=0)
        _kept[key] = generate(model.decoder, prompts, greedy, max_tokens=16_384, max_rows=256)
    return _kept[key]


def own_likelihoods(model: Model, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]) -> pd.DataFrame:
    """How likely a model finds given answers to prompts; inside `edited`, the edited model.

    Args:
        answers: token ids, for each prompt; see `own_answers`. The token that would end an answer is not judged.

    Returns:
        A row for each prompt: item (what the user asks), log_likelihood (as `text_likelihoods`; missing for an answer
        without tokens), tokens.
    """
    return own_reading(model, prompts, answers).read(model)


def own_reading(model: Model, prompts: Sequence[Prompt], answers: Sequence[Sequence[int]]) -> Reading:
    """What `own_likelihoods` reads."""
    known = [number for number, answer in enumerate(answers) if answer]

    def table(judged: Sequence[Sequence[Judged]]) -> pd.DataFrame:
        means = [float("nan")] * len(answers)
        for number, [one] in zip(known, judged, strict=True):
            means[number] = float(one.logs.double().mean())
        return pd.DataFrame(
            {
                "item": [prompt.user for prompt in prompts],
                "log_likelihood": means,
                "tokens": [len(answer) for answer in answers],
            }
        )

    rendered = model.tokens([prompts[number] for number in known]) if known else []
    return Reading(rendered, [[answers[number]] for number in known], table)


@contextmanager
def own_answers_apart() -> Iterator[None]:
    """Inside, own answers are made anew; on leaving they are forgotten, and those that were kept before are back."""
    before = dict(_kept)
    _kept.clear()
    try:
        yield
    finally:
        _kept.clear()
        _kept.update(before)
