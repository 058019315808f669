"""What two sets of neurons share by chance where neurons of one kind are chosen more often than others."""

from collections.abc import Sequence

import numpy as np
import scipy
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

BINS = 10
"""Classes of neurons within a layer by default: tenths, of which the largest neurons' are divided further."""
SMALLEST = 8
"""Neurons in the class of the largest; towards smaller neurons classes double, up to a tenth of the layer."""


def size_classes(size: Float[Tensor, "layer d_mlp"], *, bins: int = BINS) -> Int64[Tensor, "layer d_mlp"]:
    """Each neuron's class: its layer, and within the layer its rank by `size`.

    A rule that takes large values takes the very largest neurons, which a tenth of a layer does not tell apart. From
    the largest on, classes hold 8, 16, 32, ... neurons, and no class reaches over the border of one of `bins` equal
    parts; with one part the whole layer is one class.

    Returns:
        class numbers from 0. Neurons of one size may fall into neighbouring classes.
    """
    layers, width = size.shape
    rank = torch.arange(width)
    doubling = (rank // SMALLEST + 1).double().log2().floor().long() if bins > 1 else torch.zeros_like(rank)
    within = torch.unique(torch.stack([rank * bins // width, doubling]), dim=1, return_inverse=True)[1]
    classes = torch.zeros(layers, width, dtype=torch.int64)
    for layer, values in enumerate(size):
        classes[layer, values.argsort(descending=True, stable=True)] = within + layer * (int(within.max()) + 1)
    return classes


def common_size(sizes: Sequence[Float[Tensor, "layer d_mlp"]]) -> Float64[Tensor, "layer d_mlp"]:
    """The geometric mean of several sizes of each neuron; 0 where one of them is 0 or unknown."""
    stacked = torch.stack([size.double() for size in sizes])
    known = (stacked > 0) & stacked.isfinite()
    mean = torch.where(known, stacked, 1.0).log().mean(0).exp()
    return torch.where(known.all(0), mean, 0.0)


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
    totals = torch.bincount(classes.flatten())
    first, second = (torch.bincount(classes[mask], minlength=len(totals)) for mask in (a, b))
    both = (first > 0) & (second > 0)
    counts = torch.stack([totals[both], first[both], second[both]]).numpy()
    chance = np.ones(1)
    if counts.shape[1]:
        most = np.minimum(counts[1], counts[2])
        by_class = scipy.stats.hypergeom.pmf(np.arange(most.max() + 1)[:, None], *counts).T
        for part, last in zip(by_class, most, strict=True):
            chance = np.convolve(chance, part[: last + 1])
    return chance / chance.sum()
