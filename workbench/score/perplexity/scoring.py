"""Mean log-likelihood per token of texts, and of the answers that the unedited model gives."""

from collections.abc import Sequence

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.model.generation import Sampling, generate
from workbench.model.likelihood import judge_answers, log_likelihoods
from workbench.model.model import Model

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
    tokens = model.tokens(list(texts), chat=False)
    short = next((text for text, ids in zip(texts, tokens, strict=True) if len(ids) < 2), None)
    if short is not None:
        raise ValueError(f"A text to score needs at least 2 tokens, but {short!r} has fewer.")
    judged = judge_answers(model, [ids[:1] for ids in tokens], [[ids[1:]] for ids in tokens], ends=[0] * len(tokens))
    return pd.DataFrame(
        {
            "item": list(texts),
            "log_likelihood": [float(one.logs.double().mean()) for [one] in judged],
            "tokens": [len(one.logs) for [one] in judged],
        }
    )


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
    known = [number for number, answer in enumerate(answers) if answer]
    rendered = model.tokens([prompts[number] for number in known])
    means = [float("nan")] * len(answers)
    for number, [logs] in zip(known, log_likelihoods(model, rendered, [[answers[i]] for i in known]), strict=True):
        means[number] = float(logs.double().mean())
    return pd.DataFrame(
        {
            "item": [prompt.user for prompt in prompts],
            "log_likelihood": means,
            "tokens": [len(answer) for answer in answers],
        }
    )
