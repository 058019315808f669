"""Which pairs have texts that are similar in length and in meaning, and why the others do not."""

import pandas as pd
import torch

from workbench.contrast.balance import Tokenizes, length_ratios, pair_cosines, text_of
from workbench.contrast.embedding import Embedder, SentenceEmbedder
from workbench.contrast.pairs import Pairs


def matching_rows(
    pairs: Pairs,
    model: Tokenizes,
    *,
    max_length_ratio: float,
    min_cosine: float | None,
    embedder: Embedder | None,
) -> tuple[list[int], pd.DataFrame]:
    """The rows that `Contrast.matched` keeps, and a table of those that it drops."""
    if not max_length_ratio >= 1:
        raise ValueError(f"max_length_ratio is longer over shorter, so 1 or more, but {max_length_ratio} arrived.")
    if min_cosine is not None and not -1 <= min_cosine <= 1:
        raise ValueError(f"min_cosine lies in -1 to 1, or is None to leave it out, but {min_cosine} arrived.")
    ratios = length_ratios(pairs, model)
    similarity = torch.full_like(ratios, float("nan"))
    if min_cosine is not None:
        similarity = pair_cosines(pairs, SentenceEmbedder() if embedder is None else embedder)
    dropped = []
    for row, (ratio, cosine) in enumerate(zip(ratios.tolist(), similarity.tolist(), strict=True)):
        reasons = [f"length ratio {ratio:.2f} > {max_length_ratio:g}"] if ratio > max_length_ratio else []
        if min_cosine is not None and cosine < min_cosine:
            reasons.append(f"cosine {cosine:.2f} < {min_cosine:g}")
        if reasons:
            dropped.append(
                {
                    "row": row,
                    "length_ratio": ratio,
                    "cosine": cosine,
                    "why": "; ".join(reasons),
                    "high": text_of(pairs.high[row]),
                    "low": text_of(pairs.low[row]),
                }
            )
    table = pd.DataFrame(dropped, columns=["row", "length_ratio", "cosine", "why", "high", "low"])
    left_out = set(table["row"])
    kept = [row for row in range(len(pairs)) if row not in left_out]
    if len(kept) < 2:
        raise ValueError(
            f"Of {len(pairs)} pairs {len(kept)} keep within max_length_ratio {max_length_ratio:g} and min_cosine "
            f"{min_cosine}; at least 2 are needed. The best have a length ratio of {float(ratios.min()):.2f} and a "
            f"cosine of {float(similarity.max()):.2f}. Loosen the limits."
        )
    return kept, table
