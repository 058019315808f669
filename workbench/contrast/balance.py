"""What differs between the poles besides the trait, and whether these differences alone predict the pole."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor

from workbench.contrast.embedding import Embedder, cosines
from workbench.contrast.pairs import Pairs
from workbench.contrast.prompt import Prompt
from workbench.measure.bootstrap import Interval
from workbench.measure.effects import effect_sizes
from workbench.measure.paired import bootstrap_mean
from workbench.measure.separability import separability
from workbench.measure.units import Rows
from workbench.vocabulary import Pole

MEASURES = {
    "tokens": "tokens of the rendered prompt",
    "text tokens": "tokens of the text that differs between poles",
    "type-token ratio": "distinct words over words of that text",
    "word length": "letters per word of that text",
    "negations": "negating words per word of that text",
    "overlap with the question": "share of the question's words that are in that text",
    "description reuse": "rows that share the row's description",
    "system prompt": "whether the prompt has a system prompt",
}
"""The confounds that are measured on every prompt, each with what it is."""

_NEGATIONS = {"no", "not", "never", "none", "nobody", "nothing", "neither", "nor", "without", "hardly", "rarely"}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@runtime_checkable
class Tokenizes(Protocol):
    """What is needed of a model to count tokens."""

    def tokens(self, prompts: Any, *, chat: bool = True) -> list[list[int]]: ...


@dataclass(frozen=True, eq=False)
class Balance:
    """How the poles differ besides the trait.

    Attributes:
        table: a row for each confound: `measure`, `what`, its mean on `high` and `low`, the standardised `difference`
            (Cohen's d, high minus low) with its 95 % interval `difference_low` to `difference_high`, `n` and `method`.
        pairs: a row for each way to compare the two texts of a pair: `measure`, `estimate`, `low`, `high` (95 %
            bootstrap over descriptions), `n`.
        predictability: how well a probe predicts the pole from the table's confounds alone, on rows whose description
            and question it has not seen: `probe`, `control`, `auc`, `auc_error`, `accuracy`; empty where there are too
            few clusters.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    predictability: pd.DataFrame

    @property
    def auc(self) -> float:
        """Held-out area under the curve of predicting the pole from the confounds; 0.5 is balance, nan is unknown."""
        if self.predictability.empty:
            return float("nan")
        return float(self.predictability.query("control == 'none'")["auc"].max())

    def __repr__(self) -> str:
        largest = self.table.iloc[self.table["difference"].abs().argmax()]
        return (
            f"Balance(largest difference {largest['measure']} d {largest['difference']:+.2f}, "
            f"poles told apart at AUC {self.auc:.2f})"
        )


def balance_of(pairs: Pairs, model: Tokenizes, *, embedder: Embedder | None, seed: int) -> Balance:
    """See `Contrast.balance`."""
    prompts = {Pole.HIGH: pairs.high, Pole.LOW: pairs.low}
    values = {pole: confounds(model, prompts[pole], pairs.descriptions.get(pole)) for pole in prompts}
    ids = {
        "question": dict.fromkeys(values, pairs.questions),
        "description": {pole: _descriptions(prompts[pole], pairs.descriptions.get(pole)) for pole in prompts},
    }
    rows = Rows({pole: each[:, None] for pole, each in values.items()}, ids, trait=pairs.trait, site="confounds")
    effects = effect_sizes(rows)
    low, high = effects.interval()
    table = pd.DataFrame(
        {
            "measure": list(MEASURES),
            "what": list(MEASURES.values()),
            "high": values[Pole.HIGH].mean(0).numpy(),
            "low": values[Pole.LOW].mean(0).numpy(),
            "difference": effects.cohens_d[0].numpy(),
            "difference_low": torch.where(effects.cohens_d[0] == 0, 0.0, low[0]).numpy(),
            "difference_high": torch.where(effects.cohens_d[0] == 0, 0.0, high[0]).numpy(),
            "n": len(pairs),
            "method": effects.method,
        }
    )
    return Balance(table, _likeness(pairs, model, embedder, seed), _predictability(rows, seed))


def confounds(
    model: Tokenizes, prompts: Sequence[Prompt], descriptions: Sequence[str] | None
) -> Float64[Tensor, "n measures"]:
    """Each of `MEASURES` for every prompt of a pole.

    Args:
        descriptions: each prompt's description id; without them prompts with the same text share a description.
    """
    lengths = [len(tokens) for tokens in model.tokens(list(prompts))]
    texts = [text_of(prompt) for prompt in prompts]
    text_lengths = [len(tokens) for tokens in model.tokens(texts, chat=False)]
    described = _descriptions(prompts, descriptions)
    reuse = pd.Series(described).map(pd.Series(described).value_counts())
    rows = []
    for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        words = _words(text)
        question = set(_words(prompt.user)) if prompt.system else set()
        negating = sum(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in words)
        rows.append(
            [
                lengths[i],
                text_lengths[i],
                len(set(words)) / max(1, len(words)),
                sum(map(len, words)) / max(1, len(words)),
                negating / max(1, len(words)),
                len(question & set(words)) / max(1, len(question)),
                reuse.iloc[i],
                float(bool(prompt.system)),
            ]
        )
    return torch.tensor(rows, dtype=torch.float64)


def text_of(prompt: Prompt) -> str:
    """The text that differs between poles: the system prompt where there is one, else the user's turn."""
    return prompt.system or prompt.user


def lexical_overlap(a: str, b: str) -> float:
    """The share of two texts' distinct words that both have (Jaccard), 0 to 1.

    Example:
        >>> lexical_overlap("I like people.", "I avoid people.")
        0.5
    """
    first, second = set(_words(a)), set(_words(b))
    return len(first & second) / len(first | second) if first | second else 1.0


def length_ratios(pairs: Pairs, model: Tokenizes) -> Float64[Tensor, " n"]:
    """For each pair, the tokens of its longer text over those of its shorter one."""
    first, second = (
        torch.tensor(
            [max(1, len(tokens)) for tokens in model.tokens([text_of(p) for p in prompts], chat=False)],
            dtype=torch.float64,
        )
        for prompts in (pairs.high, pairs.low)
    )
    return torch.maximum(first, second) / torch.minimum(first, second)


def pair_cosines(pairs: Pairs, embedder: Embedder) -> Float64[Tensor, " n"]:
    """The cosine of the two texts' embeddings, pair by pair."""
    return cosines(embedder, [text_of(prompt) for prompt in pairs.high], [text_of(prompt) for prompt in pairs.low])


def _likeness(pairs: Pairs, model: Tokenizes, embedder: Embedder | None, seed: int) -> pd.DataFrame:
    texts = zip(pairs.high, pairs.low, strict=True)
    measured: dict[str, Sequence[float]] = {
        "lexical overlap (Jaccard of words)": [lexical_overlap(text_of(a), text_of(b)) for a, b in texts],
        "length ratio (longer over shorter)": length_ratios(pairs, model).tolist(),
    }
    if embedder is not None:
        measured["embedding cosine"] = pair_cosines(pairs, embedder).tolist()
    clusters = np.array(_descriptions(pairs.high, pairs.descriptions.get(Pole.HIGH)))
    rows = []
    for name, values in measured.items():
        mean: Interval = bootstrap_mean(values, clusters=clusters, seed=seed)
        rows.append({"measure": name, "estimate": mean.estimate, "low": mean.low, "high": mean.high, "n": mean.n})
    return pd.DataFrame(rows)


def _predictability(rows: Rows, seed: int) -> pd.DataFrame:
    varies = torch.cat(list(rows.activations.values())).std(0)[0] > 0
    if not bool(varies.any()):
        return pd.DataFrame()
    varying = Rows({pole: values[..., varies] for pole, values in rows.activations.items()}, rows.ids)
    for groups in ("both", "description", "question"):
        try:
            return separability(varying, groups=groups, controls=2, seed=seed).drop(columns="layer")
        except ValueError:  # too few clusters: try with one kind of cluster alone
            continue
    return pd.DataFrame()


def _descriptions(prompts: Sequence[Prompt], ids: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(ids) if ids else tuple(text_of(prompt) for prompt in prompts)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
