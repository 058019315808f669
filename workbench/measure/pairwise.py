"""How alike the differences between the poles are from pair to pair."""

from collections.abc import Mapping, Sequence

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from workbench.vocabulary import Pole


def pair_cosine(
    activations: Mapping[Pole, Float[Tensor, "n layer width"]], *, layers: Sequence[int], most: int | None = None
) -> pd.DataFrame:
    """The mean cosine between the differences, high minus low, of two pairs, over all pairs of different pairs.

    Args:
        activations: row i of both poles is pair i.
        layers: the layer of each index on the layer axis.
        most: read the first pairs alone, at most so many.

    Returns:
        a row for each layer: layer, cosine (-1 to 1: 1 where all pairs differ in one direction, about 0 where they have
        none in common) and pairs. A pair whose poles are equal has no direction and is left out; nan below two pairs.

    Raises:
        ValueError: if the poles differ in their number of rows.

    Reference:
        Braun et al. (2025), Understanding (Un)Reliability of Steering Vectors in Language Models, arXiv:2505.22637.

    Example:
        >>> import torch
        >>> high, low = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), torch.zeros(2, 1, 2)
        >>> pair_cosine({Pole.HIGH: high, Pole.LOW: low}, layers=[0])["cosine"].tolist()
        [0.0]
    """
    high, low = activations[Pole.HIGH], activations[Pole.LOW]
    if len(high) != len(low):
        raise ValueError(f"Pairs have a row in either pole, but {len(high)} and {len(low)} rows arrived.")
    rows = []
    for index, layer in enumerate(layers):
        difference = high[:most, index].double() - low[:most, index].double()
        norm = difference.norm(dim=1)
        unit = difference[norm > 0] / norm[norm > 0, None]
        count = len(unit)
        # The squared norm of the sum holds every ordered pair's cosine, and that of each with itself, which is 1.
        cosine = (float(unit.sum(0).square().sum()) - count) / (count * (count - 1)) if count > 1 else float("nan")
        rows.append({"layer": layer, "cosine": cosine, "pairs": count})
    return pd.DataFrame(rows, columns=["layer", "cosine", "pairs"])
