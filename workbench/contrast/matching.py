"""Pairs that are alike in all but the trait, and those that were left out."""

from dataclasses import dataclass, field, fields

import pandas as pd
import torch

from workbench.contrast.balance import Tokenizes, length_ratios, pair_cosines, text_of
from workbench.contrast.contrast import Contrast
from workbench.contrast.embedding import Embedder


@dataclass(frozen=True)
class MatchedContrast(Contrast):
    """A contrast whose pairs keep within limits of likeness.

    Attributes:
        dropped: a row a pair that was left out: its `row` in the contrast it came from, `length_ratio`, `cosine`
            (nan where it was not asked), `why`, and both texts.
    """

    dropped: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {len(self.dropped)} pairs dropped)"


def match_pairs(
    contrast: Contrast,
    model: Tokenizes,
    *,
    max_length_ratio: float,
    min_cosine: float | None,
    embedder: Embedder | None,
) -> MatchedContrast:
    """See `Contrast.matched`."""
    if not max_length_ratio >= 1:
        raise ValueError(f"max_length_ratio is longer over shorter, so 1 or more, but {max_length_ratio} arrived.")
    if min_cosine is not None and not -1 <= min_cosine <= 1:
        raise ValueError(f"min_cosine lies in -1 to 1, or is None to leave it out, but {min_cosine} arrived.")
    ratios = length_ratios(contrast, model)
    alike = torch.full_like(ratios, float("nan"))
    if min_cosine is not None:
        if embedder is None:
            from workbench.contrast.embedding import SentenceEmbedder

            embedder = SentenceEmbedder()
        alike = pair_cosines(contrast, embedder)
    rows = []
    for row, (ratio, cosine) in enumerate(zip(ratios.tolist(), alike.tolist(), strict=True)):
        why = [f"length ratio {ratio:.2f} > {max_length_ratio:g}"] if ratio > max_length_ratio else []
        if min_cosine is not None and cosine < min_cosine:
            why.append(f"cosine {cosine:.2f} < {min_cosine:g}")
        if why:
            rows.append(
                {
                    "row": row,
                    "length_ratio": ratio,
                    "cosine": cosine,
                    "why": "; ".join(why),
                    "high": text_of(contrast.high[row]),
                    "low": text_of(contrast.low[row]),
                }
            )
    columns = ["row", "length_ratio", "cosine", "why", "high", "low"]
    dropped = pd.DataFrame(rows, columns=columns)
    left_out = set(dropped["row"])
    kept = [row for row in range(len(contrast)) if row not in left_out]
    if len(kept) < 2:
        raise ValueError(
            f"Of {len(contrast)} pairs {len(kept)} keep within max_length_ratio {max_length_ratio:g} and min_cosine "
            f"{min_cosine}; at least 2 are needed. The best have a length ratio of {float(ratios.min()):.2f} and a "
            f"cosine of {float(alike.max()):.2f}. Loosen the limits."
        )
    part = contrast.rows(kept)
    return MatchedContrast(**{f.name: getattr(part, f.name) for f in fields(Contrast)}, dropped=dropped)
