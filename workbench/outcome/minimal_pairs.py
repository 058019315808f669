"""The better of two sentences by log-likelihood: facts, grammar, arithmetic and common sense, for any model."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.digest import key_of
from workbench.model.model import Model
from workbench.outcome.claims.items import kept, tell_pairs_kept
from workbench.outcome.finding import Claim
from workbench.outcome.items import item_tests
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.plain import of_conditions
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.results import Results
from workbench.score.minimal_pairs.bank import builtin_minimal_pairs
from workbench.score.minimal_pairs.pair import MinimalPair, split_pairs
from workbench.score.minimal_pairs.reading import read_minimal_pairs
from workbench.score.minimal_pairs.scoring import sentence_reading
from workbench.score.spelling import require_spelling

BUILTIN = "builtin"
_TESTS = "minimal_pairs_tests"


@dataclass(frozen=True)
class MinimalPairs(Outcome):
    """How often a model finds the right one of two sentences likelier, as plain text without a chat template.

    Arms that speak to the model have no place in plain text: they read it as the unedited model does.

    Attributes:
        file: `builtin` for the package's bank of facts, grammar, arithmetic and common sense; or a file, see
            `read_minimal_pairs`.
        seed: of the order in which a file's pairs are drawn; the bank's order is fixed.
        n: how many pairs are reported, at most; as many others choose the dose. Both have as many of each task.
        margin: the loss that "is kept" tolerates, as a share of pairs.
    """

    file: str = BUILTIN
    seed: int = 0
    n: int = 128
    margin: float = 0.05

    name = "minimal-pairs"
    cluster = "item"
    side_by_side = True
    pairing = ("task", "item")
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
        ),
    )

    def pairs_of(self, split: Split) -> list[MinimalPair]:
        """The pairs that are reported, or those that choose the dose; see `split_pairs`."""
        drawn = builtin_minimal_pairs() if self.file == BUILTIN else read_minimal_pairs(self.file, seed=self.seed)
        return split_pairs(drawn, split, n=self.n)

    def check(self) -> None:
        """There are pairs for both splits."""
        if self.n < 1:
            raise ValueError(f"Minimal pairs report at least 1 pair, but n = {self.n} arrived.")
        if not self.pairs_of("search"):
            raise ValueError(
                f"Minimal pairs choose the dose and are reported, so that a task needs 2 pairs, but in "
                f"{Path(self.file).name} each has 1 pair."
            )

    def prepare(self, model: Model) -> None:
        """The model's tokenizer knows every word."""
        pairs = [*self.pairs_of("test"), *self.pairs_of("search")]
        require_spelling(model, (text for pair in pairs for text in (pair.good, pair.bad)), by=self.name)

    def key(self, split: Split) -> str:
        """The sentences are part of it, where they come from is not."""
        pairs = [(pair.task, pair.good, pair.bad) for pair in self.pairs_of(split)]
        return key_of(own=super().key(split), pairs=pairs)

    def work(self, split: Split) -> float:
        """A short forward pass a pair, and a few tokens more."""
        return 1.2 * len(self.pairs_of(split))

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition and pair: task, item, margin (nats a sentence) and correct; see `sentence_scores`."""
        reading = sentence_reading(model, self.pairs_of(asking.split))
        return of_conditions(model, asking, [reading] * len(asking.conditions))

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Every pair, and every arm against the unedited model at the chosen dose by kind; see `compare_arms`."""
        frame = results.frames[self.name]
        return {"minimal_pairs": frame, _TESTS: item_tests(frame, results, margin=self.margin)}

    def claims(self) -> tuple[Claim, ...]:
        """Whether the pairs are told apart as before."""
        text = f"Minimal pairs are kept to within {100 * self.margin:g} percentage points"
        evidence = ("trait-against-minimal_pairs", "minimal_pairs-retention", _TESTS)
        return (Claim("keeps:minimal_pairs", text, kept(_TESTS, self.margin), tell_pairs_kept, evidence),)
