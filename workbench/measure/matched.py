"""What two sets of neurons share by chance where neurons of one kind are chosen more often than others."""

from collections.abc import Iterator

import numpy as np
import scipy
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

BINS = 10
"""Classes of neurons within a layer by default: tenths, from the smallest to the largest."""


def size_classes(size: Float[Tensor, "layer d_mlp"], *, bins: int = BINS) -> Int64[Tensor, "layer d_mlp"]:
    """Each neuron's class: its layer, and within the layer its quantile class of `size`.

    Returns:
        class numbers from 0 to `layer * bins - 1`. Neurons of one size may fall into neighbouring classes.
    """
    layers, width = size.shape
    ranks = torch.arange(width) * bins // width
    classes = torch.zeros(layers, width, dtype=torch.int64)
    for layer, values in enumerate(size):
        classes[layer, values.argsort(stable=True)] = ranks + layer * bins
    return classes


def shared_by_chance(
    a: Bool[Tensor, "*shape"], b: Bool[Tensor, "*shape"], classes: Int64[Tensor, "*shape"]
) -> Float64[np.ndarray, " counts"]:
    """The distribution of how many neurons two sets share when each is dealt out anew within its classes.

    Each set keeps its number of neurons in every class. The count of one class is hypergeometric; that of all classes
    is the exact convolution.

    Returns:
        the probability of sharing 0, 1, ... neurons.

    Example:
        >>> both = torch.tensor([True, False, False, False])
        >>> shared_by_chance(both, both, torch.zeros(4, dtype=torch.int64)).tolist()
        [0.75, 0.25]
    """
    chance = np.ones(1)
    for total, first, second in _by_class(a, b, classes):
        if first and second:
            part = scipy.stats.hypergeom(total, first, second).pmf(np.arange(min(first, second) + 1))
            chance = np.convolve(chance, part)
    return chance / chance.sum()


def _by_class(a: Tensor, b: Tensor, classes: Tensor) -> Iterator[tuple[int, int, int]]:
    totals = torch.bincount(classes.flatten())
    counts = [torch.bincount(classes[mask], minlength=len(totals)) for mask in (a, b)]
    yield from zip(totals.tolist(), counts[0].tolist(), counts[1].tolist(), strict=True)
