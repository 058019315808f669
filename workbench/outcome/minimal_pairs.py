"""The better of two sentences by log-likelihood: facts or grammar, from a file, for any model."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.digest import key_of
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import SHARE, Quantity
from workbench.score.minimal_pairs import MinimalPair, read_minimal_pairs, sentence_scores


@dataclass(frozen=True)
class MinimalPairs(Outcome):
    """How often a model finds the right one of two sentences likelier, as plain text without a chat template.

    Attributes:
        file: rows of `sentence_good` and `sentence_bad` (BLiMP's), or of `good` and `bad`, as JSON lines or a list.
        seed: of the order in which pairs are drawn.
        n: how many pairs are reported; as many others, at most, choose the dose.
    """

    file: str
    seed: int
    n: int = 100

    name = "minimal-pairs"
    cluster = "item"
    main = "file"
    quantities = (
        Quantity(
            "minimal_pairs",
            "cost",
            "minimal pairs told apart",
            SHARE,
            column="correct",
            losses=(0.01, 0.02, 0.05),
            max_loss=0.02,
            margin=0.05,
        ),
    )

    def pairs_of(self, split: Split) -> list[MinimalPair]:
        """The first of the drawn pairs are reported, those after them choose the dose."""
        drawn = read_minimal_pairs(self.file, seed=self.seed)
        reported = min(self.n, len(drawn) - len(drawn) // 2)
        return drawn[:reported] if split == "test" else drawn[reported : 2 * reported]

    def check(self) -> None:
        """There are pairs for both splits."""
        if not self.pairs_of("search"):
            raise ValueError(f"Minimal pairs choose the dose and are reported, but {Path(self.file).name} has 1 pair.")

    def key(self, split: Split) -> str:
        """The sentences are part of it."""
        return key_of(own=super().key(split), pairs=[(pair.good, pair.bad) for pair in self.pairs_of(split)])

    def work(self, split: Split) -> float:
        """Two short forward passes a pair."""
        return 2.0 * len(self.pairs_of(split))

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition and pair: item (the right sentence), margin (nats a sentence), correct (1 or 0)."""
        pairs = self.pairs_of(asking.split)
        tables = []
        unedited: pd.DataFrame | None = None
        for condition in asking.conditions:
            with asking.edited(model, condition):
                # An instruction has no place in plain text: such arms read it as the unedited model does.
                repeated = condition.edit is None and unedited is not None
                frame = unedited if repeated and unedited is not None else sentence_scores(model, pairs)
            if condition.edit is None:
                unedited = frame
            tables.append(frame.assign(**condition.labels))
        return pd.concat(tables, ignore_index=True)
