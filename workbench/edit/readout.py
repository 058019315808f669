"""How a run is read: one number for each prompt from its final logits, on a scale from a base run to a donor run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from workbench.measure.ratio import ratio_of_means
from workbench.model.model import Model

NEARLY_EQUAL = 0.01  # of the median pair's distance between its runs


Metric = Callable[[Tensor, Tensor], Tensor]
"""Reads one number a pair, `(batch,)`, from the logits at the last prompt position, `(batch, d_vocab)`, and the pairs'
numbers, `(batch,)`."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The logits along the way from each pair's base run to its donor run.

    Attributes:
        way: `(pair, d_vocab)` donor minus base logits, centred: adding a constant to all logits changes nothing.
    """

    way: Float[Tensor, "pair d_vocab"]

    @classmethod
    def between(cls, base: Float[Tensor, "pair d_vocab"], donor: Float[Tensor, "pair d_vocab"]) -> "Projection":
        """The projection on the differences of these logits."""
        way = donor - base
        return cls(way - way.mean(-1, keepdim=True))

    def __call__(self, logits: Float[Tensor, "batch d_vocab"], rows: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        # Centring the direction alone is enough: a constant is orthogonal to it.
        return (logits * self.way[rows.to(self.way.device)].to(logits)).sum(-1)


@dataclass(frozen=True)
class TokenDifference:
    """Mean logit of some tokens minus that of others.

    Attributes:
        high, low: token ids.
    """

    high: tuple[int, ...]
    low: tuple[int, ...]

    def __call__(self, logits: Float[Tensor, "batch d_vocab"], rows: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        return logits[:, list(self.high)].mean(-1) - logits[:, list(self.low)].mean(-1)


def token_difference(model: Model, high_words: Sequence[str], low_words: Sequence[str]) -> TokenDifference:
    """The metric that compares the words of one side with those of the other, each by its first token.

    Words are tokenised as they stand: write a leading space where the answer would begin with one.

    Raises:
        ValueError: if a side is empty, a word is unknown, or a token stands on both sides.
    """
    sides = []
    for name, words in (("high", high_words), ("low", low_words)):
        if isinstance(words, str) or not words:
            raise ValueError(f"{name}_words is a list of at least one word, but {words!r} arrived.")
        sides.append(tuple(dict.fromkeys(_first_token(model, word) for word in words)))
    both = set(sides[0]) & set(sides[1])
    if both:
        shared = model.tokenizer.decode(sorted(both)[:1])
        raise ValueError(f"A token must stand on one side alone, but {shared!r} begins words of both. Choose others.")
    return TokenDifference(*sides)


def _first_token(model: Model, word: str) -> int:
    [ids] = model.answer_tokens([word])
    if not ids or ids[0] == model.tokenizer.unk_token_id:
        raise ValueError(f"The tokenizer of {model.name} does not know the word {word!r}. Choose another.")
    return int(ids[0])


@dataclass(frozen=True, eq=False)
class Scale:
    """The metric's way from a base run to a donor run, pair by pair.

    Attributes:
        base, donor: `(pair,)` the metric in either run.
        kept: `(pair,)` False where the two runs lie closer together than 1 % of the median pair's distance, so that
            there is nothing to take a share of.
    """

    base: Float64[Tensor, " pair"]
    donor: Float64[Tensor, " pair"]
    kept: Bool[Tensor, " pair"]

    @classmethod
    def between(cls, base: Float64[Tensor, " pair"], donor: Float64[Tensor, " pair"]) -> "Scale":
        """The scale between these values of a metric.

        Raises:
            ValueError: if a value is not finite, or both runs agree in every pair.
        """
        for name, values in (("base", base), ("donor", donor)):
            require_finite(values, f"the {name} run")
        way = (donor - base).abs()
        noise = 1e-5 * torch.maximum(base.abs(), donor.abs())
        kept = (way > noise) & (way > NEARLY_EQUAL * way.median())
        if not bool(kept.any()):
            raise ValueError(
                f"The base and the donor run agree by this metric in all {len(way)} pairs, so there is no effect to "
                "take a share of. Check that the poles' prompts differ, or choose another metric."
            )
        return cls(base, donor, kept)

    @property
    def dropped(self) -> int:
        """Pairs left out because their runs agree."""
        return int((~self.kept).sum())

    def share(self, values: Float64[Tensor, " pair"]) -> Float64[Tensor, " pair"]:
        """How far each value lies on the way: 0 at the base run, 1 at the donor run, nan where they agree.

        Raises:
            ValueError: if a value is not finite.
        """
        require_finite(values, "an intervened run")
        shares = torch.full_like(values, torch.nan)
        way = (self.donor - self.base)[self.kept]
        shares[self.kept] = (values - self.base)[self.kept] / way
        return shares

    @property
    def whole(self) -> float:
        """The whole way of all kept pairs together; nan where the interval of its mean covers 0."""
        ways = (self.donor - self.base)[self.kept].numpy()
        return float(ways.sum()) * ratio_of_means(ways, ways).estimate

    def share_of_all(self, values: Float64[Tensor, " pair"]) -> float:
        """How far all pairs together lie on the way: the sum of what moved over the whole way; see `whole`.

        Raises:
            ValueError: if a value is not finite.
        """
        require_finite(values, "an intervened run")
        return float((values - self.base)[self.kept].sum()) / self.whole

    def lost(self, values: Float64[Tensor, " pair"]) -> Float64[Tensor, " pair"]:
        """How far each value has fallen back: 0 at the donor run, 1 at the base run, nan where they agree."""
        return 1 - self.share(values)


def require_finite(values: Float64[Tensor, " pair"], what: str) -> None:
    """Refuse a metric that is not finite.

    Raises:
        ValueError: naming the first pair.
    """
    broken = (~torch.isfinite(values)).nonzero()[:, 0]
    if len(broken):
        raise ValueError(
            f"The metric must be finite, but in {what} that of pair {int(broken[0])} is {float(values[broken[0]])}. "
            "Look for activations that are not finite, e.g. half precision that overflows."
        )
