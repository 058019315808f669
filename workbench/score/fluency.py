"""Fluency: how likely an answer is to the unedited model, how much it repeats itself, how long it is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model

MEASURES = ("perplexity", "repetition", "distinct", "length")


def fluency(
    model: Model,
    answers: Sequence[str],
    prompts: Sequence[str | Prompt],
    *,
    n: int = 2,
    chat: bool = True,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> pd.DataFrame:
    """The fluency of each answer to its prompt, under the model as it is.

    The answer's text is tokenised again, and the token that would end it is not judged, as a cut answer has none.

    Args:
        n: how many tokens in a row make an n-gram.
        chat: what a plain string among the prompts is.
        max_tokens, max_rows: bounds of one batch, padding counted.

    Returns:
        A row an answer: perplexity (exp of the mean negative log-probability a token, from 1 up; missing for an
        answer without tokens), repetition (0 to 1, share of n-grams that occurred before in the answer; missing
        for an answer shorter than n), distinct (1 minus it), length (tokens).

    Raises:
        ValueError: if answers and prompts differ in number, or n is below 1.
        RuntimeError: if the model has hooks on, so that it may be edited.

    Reference:
        distinct-n: Li et al. (2016), section 5.
    """
    if len(answers) != len(prompts):
        raise ValueError(f"Each answer needs its prompt, but {len(answers)} answers met {len(prompts)} prompts.")
    if n < 1:
        raise ValueError(f"An n-gram holds at least 1 token, but n is {n}. Choose e.g. 2.")
    hooks = [name for name, point in model.hooked.hook_dict.items() if point.fwd_hooks]
    if hooks:
        raise RuntimeError(
            f"Perplexity is taken under the unedited model, but {len(hooks)} hooks are on, e.g. {hooks[0]}. "
            "Leave `edited` first."
        )
    tokens = [list(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in answers]  # type: ignore
    spoken = [place for place, ids in enumerate(tokens) if ids]
    perplexity = np.full(len(tokens), np.nan)
    if spoken:
        rendered = model.tokens([prompts[place] for place in spoken], chat=chat)
        found = log_likelihoods(
            model, rendered, [[tokens[place]] for place in spoken], max_tokens=max_tokens, max_rows=max_rows
        )
        perplexity[spoken] = [float(np.exp(-logs[0].double().mean().item())) for logs in found]
    repetition = np.array([repeated(ids, n) for ids in tokens], dtype=float)
    return pd.DataFrame(
        {
            "perplexity": perplexity,
            "repetition": repetition,
            "distinct": 1 - repetition,
            "length": [len(ids) for ids in tokens],
        }
    )


def repeated(tokens: Sequence[int], n: int) -> float:
    """Share of a text's n-grams that occurred in it before; nan for a text shorter than n.

    Example:
        >>> repeated([1, 2, 3, 1, 2], 2)
        0.25
    """
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else float("nan")


def answer_fluency(model: Model, answers: pd.DataFrame, *, n: int = 2) -> pd.DataFrame:
    """The rows of `answer_questions` or `ask_across` with perplexity, repetition, distinct and length.

    Answers that several rows share are judged once.

    Raises:
        ValueError: if a column is missing, or as `fluency`.
    """
    missing = [name for name in ("question", "answer") if name not in answers.columns]
    if missing:
        raise ValueError(f"answer_fluency needs columns question, answer; missing {missing}.")
    pairs = answers[["question", "answer"]].drop_duplicates()
    found = fluency(model, pairs["answer"].tolist(), pairs["question"].tolist(), n=n)
    judged = pd.concat([pairs.reset_index(drop=True), found], axis=1)
    kept = answers.drop(columns=[name for name in MEASURES if name in answers.columns])
    return kept.merge(judged, on=["question", "answer"], how="left", validate="many_to_one").set_axis(answers.index)
