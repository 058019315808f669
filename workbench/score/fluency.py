"""Fluency of answers: perplexity under the unedited model, repetition and length."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model

MEASURES = ("perplexity", "repetition", "distinct", "length")
NGRAM = 2
"""How many tokens in a row make an n-gram."""


def fluency(
    model: Model,
    answers: Sequence[str],
    prompts: Sequence[str | Prompt],
    *,
    max_rows: int = 256,
) -> pd.DataFrame:
    """The fluency of each answer to its prompt, under the unedited model.

    The answer's text is tokenised again. A token that ends the answer is not counted, as an answer that was cut off
    has none.

    Args:
        prompts: a plain string is the user's turn of a chat.
        max_rows: the most answers in one batch.

    Returns:
        A row for each answer: perplexity (exp of the mean negative log-probability of its tokens, at least 1; missing
        for an answer without tokens), repetition (0 to 1, share of bigrams that occurred earlier in the answer;
        missing for an answer of fewer than 2 tokens), distinct (1 minus repetition), length (tokens).

    Raises:
        ValueError: if answers and prompts differ in number.
        RuntimeError: if hooks are on, so that the model may be edited.

    Reference:
        distinct-n: Li et al. (2016), section 5.
    """
    if len(answers) != len(prompts):
        raise ValueError(f"Each answer needs its prompt, but {len(answers)} answers met {len(prompts)} prompts.")
    hooks = [name for name, point in model.hooked.hook_dict.items() if point.fwd_hooks]
    if hooks:
        raise RuntimeError(
            f"Perplexity is measured under the unedited model, but {len(hooks)} hooks are on, e.g. {hooks[0]}. "
            "Leave `edited` first."
        )
    tokens = model.answer_tokens(answers)
    with_tokens = [row for row, ids in enumerate(tokens) if ids]
    perplexity = np.full(len(tokens), np.nan)
    if with_tokens:
        rendered = model.tokens([prompts[row] for row in with_tokens])
        likelihoods = log_likelihoods(model, rendered, [[tokens[row]] for row in with_tokens], max_rows=max_rows)
        perplexity[with_tokens] = [float(np.exp(-logs[0].double().mean().item())) for logs in likelihoods]
    repetition = np.array([repeated(ids, NGRAM) for ids in tokens], dtype=float)
    return pd.DataFrame(
        {
            "perplexity": perplexity,
            "repetition": repetition,
            "distinct": 1 - repetition,
            "length": [len(ids) for ids in tokens],
        }
    )


def repeated(tokens: Sequence[int], n: int) -> float:
    """Share of a text's n-grams that occurred earlier in it; nan for a text shorter than n.

    Example:
        >>> repeated([1, 2, 3, 1, 2], 2)
        0.25
    """
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else float("nan")


def answer_fluency(model: Model, answers: pd.DataFrame) -> pd.DataFrame:
    """The rows of `answer_questions` with perplexity, repetition, distinct and length added.

    An answer that several rows share is measured once.

    Raises:
        ValueError: if a column is missing, or as `fluency`.
    """
    missing = [name for name in ("question", "answer") if name not in answers.columns]
    if missing:
        raise ValueError(f"answer_fluency needs columns question, answer; missing {missing}.")
    pairs = answers[["question", "answer"]].drop_duplicates()
    measures = fluency(model, pairs["answer"].tolist(), pairs["question"].tolist())
    measured = pd.concat([pairs.reset_index(drop=True), measures], axis=1)
    kept = answers.drop(columns=[name for name in MEASURES if name in answers.columns])
    return kept.merge(measured, on=["question", "answer"], how="left", validate="many_to_one").set_axis(answers.index)
