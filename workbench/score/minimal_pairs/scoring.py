"""Which sentence of a pair a model finds likelier; what sentences have in common is read once."""

from collections.abc import Sequence

import pandas as pd
from torch import Tensor

from workbench.model.branching import branches
from workbench.model.judging import Judged
from workbench.model.model import Model
from workbench.score.minimal_pairs.pair import MinimalPair, shared_start
from workbench.score.side_by_side import Reading


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
    return sentence_reading(model, pairs).read(model)


def sentence_reading(model: Model, pairs: Sequence[MinimalPair]) -> Reading:
    """What `sentence_scores` reads: the sentences by their first tokens, or pair by pair by what both begin with.

    Raises:
        ValueError: as `sentence_scores`.
    """
    tokens = model.tokens([text for pair in pairs for text in (pair.good, pair.bad)], chat=False)
    # Where one row holds many sentences, each of their beginnings is computed once; otherwise what a pair shares is.
    by_first = bool(tokens) and len(tokens[0]) > 1 and branches(model, tokens[0])
    prompts: list[list[int]] = []
    answers: list[list[list[int]]] = []
    numbers: dict[tuple[int, ...], int] = {}
    places: list[tuple[int, int, int]] = []  # of each sentence: its prompt, its answer, and where in this it is scored
    for pair, good, bad in zip(pairs, tokens[::2], tokens[1::2], strict=True):
        if min(len(good), len(bad)) < 2:
            raise ValueError(f"A sentence to score needs at least 2 tokens, but one of {pair.item!r} has fewer.")
        shared = max(1, min(shared_start(good, bad), len(good) - 1, len(bad) - 1))
        read_before = 1 if by_first or good[:shared] != bad[:shared] else shared
        for sentence in (good, bad):
            beginning = sentence[:read_before]
            key = (*beginning,) if by_first else (len(places) // 2, *beginning)
            number = numbers.setdefault(key, len(prompts))
            if number == len(prompts):
                prompts.append(beginning)
                answers.append([])
            places.append((number, len(answers[number]), shared - read_before))
            answers[number].append(sentence[read_before:])

    def table(judged: Sequence[Sequence[Judged]]) -> pd.DataFrame:
        sums = [_total(judged[number][which].logs[begin:]) for number, which, begin in places]
        margins = [good - bad for good, bad in zip(sums[::2], sums[1::2], strict=True)]
        return pd.DataFrame(
            {
                "task": [pair.task for pair in pairs],
                "item": [pair.item for pair in pairs],
                "margin": margins,
                "correct": [float(margin > 0) for margin in margins],
            }
        )

    return Reading(prompts, answers, table, ends=[0] * len(prompts))


def _total(logs: Tensor) -> float:
    return float(logs.double().sum())
