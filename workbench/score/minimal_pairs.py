"""Minimal pairs: which of two sentences, one right and one wrong, the model finds likelier."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pandas as pd

from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model
from workbench.score.items.rows import read_rows

_COLUMNS = (("sentence_good", "sentence_bad"), ("good", "bad"))


@dataclass(frozen=True)
class MinimalPair:
    """A right sentence and a wrong one that differ in little.

    Attributes:
        good: the right one.
        bad: the wrong one.
        task: what the pair tests, e.g. a phenomenon of BLiMP.
    """

    good: str
    bad: str
    task: str = "pairs"


def read_minimal_pairs(path: str | Path, *, seed: int = 0) -> list[MinimalPair]:
    """Read the pairs of a jsonl or json file, in a random order that the seed decides.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a row lacks its sentences.

    Reference:
        Warstadt et al. (2020), BLiMP.
    """
    path = Path(path)
    rows = read_rows(path)
    names = next((columns for columns in _COLUMNS if rows and set(columns) <= set(rows[0])), None)
    if names is None:
        raise ValueError(
            f"Minimal pairs need columns sentence_good and sentence_bad, or good and bad, but {path.name} has "
            f"{sorted(rows[0]) if rows else 'no rows'}."
        )
    pairs = []
    for number, row in enumerate(rows, start=1):
        good, bad = (str(row.get(name, "")).strip() for name in names)
        if not good or not bad or good == bad:
            raise ValueError(f"{path.name}, row {number}: a pair needs two different sentences.")
        pairs.append(MinimalPair(good, bad, str(row.get("linguistics_term") or row.get("task") or path.stem)))
    Random(seed).shuffle(pairs)
    return pairs


def sentence_scores(model: Model, pairs: Sequence[MinimalPair]) -> pd.DataFrame:
    """Which sentence of each pair the model finds likelier; inside `edited`, the edited model.

    Where the tokenizer puts a token before a sentence, all tokens of the sentence are scored; otherwise all but the
    first.

    Returns:
        A row for each pair: task, item (the right sentence), margin (log-likelihood of the right sentence minus that
        of the wrong one, nats) and correct (1.0 where the margin is above 0).
    """
    prompts, answers = [], []
    for pair in pairs:
        for text in (pair.good, pair.bad):
            [ids] = model.tokens([text], chat=False)
            prompts.append(ids[:1])
            answers.append([ids[1:]])
    scores = [float(logs[0].double().sum()) for logs in log_likelihoods(model, prompts, answers)]
    margins = [good - bad for good, bad in zip(scores[::2], scores[1::2], strict=True)]
    return pd.DataFrame(
        {
            "task": [pair.task for pair in pairs],
            "item": [pair.good for pair in pairs],
            "margin": margins,
            "correct": [float(margin > 0) for margin in margins],
        }
    )
