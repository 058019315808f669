"""Which sentence of a pair a model finds likelier; what the two have in common is read once."""

from collections.abc import Sequence

import pandas as pd

from workbench.model.likelihood import judge_answers
from workbench.model.model import Model
from workbench.score.minimal_pairs.pair import MinimalPair, shared_start


def sentence_scores(model: Model, pairs: Sequence[MinimalPair]) -> pd.DataFrame:
    """Which sentence of each pair the model finds likelier; inside `edited`, the edited model.

    Where the tokenizer puts a token before a sentence, all tokens of the sentence are scored; otherwise all but the
    first. What both begin with is as likely in either, so that only what follows is compared. An edit acts on a
    sentence's first token as on a prompt's last, and on all later ones as on an answer's.

    Returns:
        A row for each pair: task, item (see `MinimalPair.item`), margin (log-likelihood of the right sentence minus
        that of the wrong one, nats) and correct (1.0 where the margin is above 0).

    Raises:
        ValueError: if a sentence has fewer than 2 tokens.
    """
    prompts: list[list[int]] = []
    alternatives: list[list[list[int]]] = []
    tokens = model.tokens([text for pair in pairs for text in (pair.good, pair.bad)], chat=False)
    for pair, good, bad in zip(pairs, tokens[::2], tokens[1::2], strict=True):
        if min(len(good), len(bad)) < 2:
            raise ValueError(f"A sentence to score needs at least 2 tokens, but one of {pair.item!r} has fewer.")
        shared = min(shared_start(good, bad), len(good) - 1, len(bad) - 1)
        # Sentences that differ from their first token on are two prompts of one answer each.
        prompts += [good[:shared]] if shared else [good[:1], bad[:1]]
        alternatives += [[good[shared:], bad[shared:]]] if shared else [[good[1:]], [bad[1:]]]
    judged = judge_answers(model, prompts, alternatives, ends=[0] * len(prompts))
    sums = [float(answer.logs.double().sum()) for of_prompt in judged for answer in of_prompt]
    margins = [good - bad for good, bad in zip(sums[::2], sums[1::2], strict=True)]
    return pd.DataFrame(
        {
            "task": [pair.task for pair in pairs],
            "item": [pair.item for pair in pairs],
            "margin": margins,
            "correct": [float(margin > 0) for margin in margins],
        }
    )
