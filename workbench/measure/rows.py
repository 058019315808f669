"""Effects that need every row: paired d, AUROC, and d with confounds regressed out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from jaxtyping import Float, Float64
from torch import Tensor


def paired_d(
    high: Float[Tensor, "high layer d_mlp"], low: Float[Tensor, "low layer d_mlp"]
) -> Float64[Tensor, "layer d_mlp"]:
    """Cohen's d_z: the mean of the pairs' differences over their standard deviation.

    Args:
        high, low: row i of the two is a pair, the same question under each pole.

    Returns:
        positive where the neuron is more active on `high`; 0 if no pair differs, ±inf if all differ by the same.

    Raises:
        ValueError: if the poles hold different numbers of rows, or fewer than 2.

    Reference:
        Cohen (1988), section 2.3.5.
    """
    _require_pairs(high, low)
    effects = []
    for layer in range(high.shape[1]):
        differences = high[:, layer].double() - low[:, layer].double()
        mean, std = differences.mean(0), differences.std(0)
        effects.append(torch.where((mean == 0) & (std == 0), 0.0, mean / std))
    return torch.stack(effects)


@dataclass(frozen=True, eq=False)
class Auroc:
    """How well each neuron alone tells the poles apart.

    Attributes:
        area: `(layer, d_mlp)` the probability that a high row exceeds a low one, with ties counted half; at 0.5 the
            neuron does not tell them apart at all.
        error: `(layer, d_mlp)` its standard error.
    """

    area: Float64[Tensor, "layer d_mlp"]
    error: Float64[Tensor, "layer d_mlp"]


def auroc(
    high: Float[Tensor, "high layer d_mlp"],
    low: Float[Tensor, "low layer d_mlp"],
    *,
    clusters: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Auroc:
    """Area under the receiver operating characteristic of each neuron, computed from SciPy's ranks.

    Args:
        clusters: a label for each high row and each low row; rows with one label do not count as independent.

    Returns:
        areas with DeLong's standard errors, over clusters if they are given.

    Raises:
        ValueError: if a pole has fewer than 2 rows or the labels do not fit.

    Reference:
        DeLong, DeLong and Clarke-Pearson (1988); Obuchowski (1997) for clusters.
    """
    n, m = len(high), len(low)
    if min(n, m) < 2:
        raise ValueError(f"AUROC needs at least 2 rows per pole, but they have {n} and {m}. Add prompts.")
    codes = [_codes(labels, size) for labels, size in zip(clusters or (None, None), (n, m), strict=True)]
    areas, errors = [], []
    for layer in range(high.shape[1]):
        first, second = high[:, layer].float().numpy(), low[:, layer].float().numpy()
        ranks = scipy.stats.rankdata(np.concatenate([first, second]), axis=0)
        wins = (ranks[:n] - scipy.stats.rankdata(first, axis=0)) / m  # share of low rows that each high row exceeds
        losses = 1 - (ranks[n:] - scipy.stats.rankdata(second, axis=0)) / n
        area = wins.mean(0)
        variance = sum(_clustered(part - area, code) for part, code in zip((wins, losses), codes, strict=True))
        areas.append(torch.from_numpy(area))
        errors.append(torch.from_numpy(np.sqrt(variance)))
    return Auroc(torch.stack(areas), torch.stack(errors))


def partial_d(
    high: Float[Tensor, "high layer d_mlp"],
    low: Float[Tensor, "low layer d_mlp"],
    *,
    high_covariates: Float[Tensor, "_high c"],
    low_covariates: Float[Tensor, "_low c"],
) -> Float64[Tensor, "layer d_mlp"]:
    """Cohen's d of the pole, with covariates such as token length regressed out of every neuron.

    It is the pole's coefficient in a linear regression on pole and covariates, over the residual standard deviation.
    It equals Cohen's d if the covariates do not differ between poles and explain nothing.

    Raises:
        ValueError: if the covariates predict the pole completely, or do not fit the rows.

    Reference:
        The Frisch-Waugh-Lovell theorem.
    """
    n, m = len(high), len(low)
    if len(high_covariates) != n or len(low_covariates) != m:
        raise ValueError(
            f"Each row needs its covariates, but {n} + {m} rows came with {len(high_covariates)} + "
            f"{len(low_covariates)}. Give those of every row."
        )
    pole = torch.cat([torch.ones(n), torch.zeros(m)]).double()
    covariates = torch.cat([high_covariates, low_covariates]).double()
    nuisance = torch.cat([torch.ones(n + m, 1, dtype=torch.float64), covariates - covariates.mean(0)], 1)
    basis = _span(nuisance)
    unexplained = pole - basis @ (basis.T @ pole)
    if float(unexplained.square().sum()) < 1e-8 * float((pole - pole.mean()).square().sum()):
        raise ValueError(
            "The covariates alone tell the poles apart, so no effect of the pole is left to estimate. "
            "Match the pairs on them, or regress out fewer."
        )
    degrees = n + m - basis.shape[1] - 1
    effects = []
    for layer in range(high.shape[1]):
        values = torch.cat([high[:, layer], low[:, layer]]).double()
        values = values - basis @ (basis.T @ values)
        slope = unexplained @ values / unexplained.square().sum()
        residual = values - unexplained[:, None] * slope
        spread = (residual.square().sum(0) / degrees).sqrt()
        effects.append(torch.where((slope == 0) & (spread == 0), 0.0, slope / spread))
    return torch.stack(effects)


def _span(columns: Tensor) -> Tensor:
    """An orthonormal basis of the space that the columns span."""
    left, sizes, _ = torch.linalg.svd(columns, full_matrices=False)
    return left[:, sizes > sizes[0] * 1e-10]


def _clustered(parts: np.ndarray, codes: np.ndarray | None) -> np.ndarray:
    rows = len(parts)
    if codes is not None:
        parts = np.equal.outer(np.arange(codes.max() + 1), codes).astype(np.float64) @ parts
    groups = len(parts)
    return (parts**2).sum(0) / rows**2 * (groups / (groups - 1) if groups > 1 else math.nan)


def _codes(labels: Sequence[str] | None, rows: int) -> np.ndarray | None:
    if labels is None:
        return None
    if len(labels) != rows:
        raise ValueError(f"Each of {rows} rows needs a cluster label, but {len(labels)} arrived.")
    return np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1]


def _require_pairs(high: Tensor, low: Tensor) -> None:
    if len(high) != len(low):
        raise ValueError(
            f"A paired effect needs a low row for each high one, but they have {len(high)} and {len(low)}. "
            "Capture one row a prompt."
        )
    if len(high) < 2:
        raise ValueError(f"A paired effect needs at least 2 pairs, but {len(high)} arrived. Add pairs.")
