"""Principal components of activations, and where each prompt lies on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.vocabulary import Pole


@dataclass(frozen=True, eq=False)
class Projection:
    """Principal components of one layer's activations, and every prompt's coordinates on them.

    Attributes:
        components: `(c, d)` orthonormal directions, largest variance first; the mean of high is on the positive side.
        explained_variance_ratio: `(c,)` share of the variance of high and low together, 0 to 1.
        mean: `(d,)` the point whose coordinates are 0.
        points: columns `pole`, `row` (number within the pole) and `pc1`, `pc2`, … in activation units.
    """

    components: Float[Tensor, "c d"]
    explained_variance_ratio: Float[Tensor, " c"]
    mean: Float[Tensor, " d"]
    points: pd.DataFrame


def pca(
    high: Float[Tensor, "_high d"],
    low: Float[Tensor, "_low d"],
    *,
    neutral: Float[Tensor, "_neutral d"] | None = None,
    held_out: Float[Tensor, "_held_out d"] | None = None,
    components: int = 3,
) -> Projection:
    """Principal components of one layer's high and low activations.

    The components are fitted to high and low alone; neutral and held-out prompts are only projected.

    Returns:
        components, each with the sign that makes the high pole's mean the greater one, so that figures of different
        layers and seeds can be compared. Points are in the order high, low, neutral, held_out.

    Raises:
        ValueError: if there are too few rows for so many components, or they are not finite or all equal.

    Reference:
        scikit-learn's PCA with the full singular value decomposition, so nothing is random.

    Example:
        >>> high = torch.tensor([[2.0, 0.1], [3.0, -0.1]])
        >>> projection = pca(high, -high, components=1)
        >>> projection.points["pc1"].gt(0).tolist()
        [True, True, False, False]
    """
    others = {"neutral": neutral, "held_out": held_out}
    return _projection(high, low, {k: v for k, v in others.items() if v is not None}, components)


def pca_by_layer(
    activations: Mapping[str, Float[Tensor, "_n layer d"]] | Mapping[Pole, Float[Tensor, "_n layer d"]],
    *,
    layers: Iterable[int],
    components: int = 2,
) -> pd.DataFrame:
    """Principal components of every layer, each fitted alone.

    Args:
        activations: `(n, layer, d)` by pole. Components are fitted to `high` and `low`; every other pole is
            only projected.
        layers: the layer of each index on the layer axis.

    Returns:
        a row for each prompt and layer: `layer`, `pole`, `row`, `pc1`, `pc2`, …, and the layer's explained variance
        ratios `ev1`, `ev2`, …

    Raises:
        ValueError: if high or low is missing, `layers` does not fit, or a layer cannot be fitted.
    """
    stacks = {str(pole): values for pole, values in activations.items()}
    missing = [pole for pole in ("high", "low") if pole not in stacks]
    if missing:
        raise ValueError(
            f"pca_by_layer fits high and low, but lacks {missing}; it has {list(stacks)}. "
            "Capture both poles with keep=True."
        )
    numbers = tuple(layers)
    for pole, values in stacks.items():
        if values.shape[1] != len(numbers):
            raise ValueError(
                f"The {pole} pole has {values.shape[1]} layers but {len(numbers)} are named: {numbers}. "
                "Name the layer of each index on the layer axis."
            )
    others = [pole for pole in stacks if pole not in ("high", "low")]
    tables = []
    for index, layer in enumerate(numbers):
        high, low = stacks["high"][:, index], stacks["low"][:, index]
        projected = {pole: stacks[pole][:, index] for pole in others}
        projection = _projection(high, low, projected, components)
        ratios = enumerate(projection.explained_variance_ratio.tolist(), start=1)
        table = projection.points.assign(**{f"ev{i}": ratio for i, ratio in ratios})
        table.insert(0, "layer", layer)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _projection(high: Tensor, low: Tensor, others: Mapping[str, Tensor], components: int) -> Projection:
    poles = {"high": high, "low": low, **others}
    arrays = {pole: rows.detach().cpu().double().numpy() for pole, rows in poles.items()}
    for pole, rows in arrays.items():
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0].tolist()
            raise ValueError(
                f"PCA needs finite activations, but row {row}, neuron {column} of the {pole} pole is "
                f"{rows[row, column]}. Leave that prompt out."
            )
    fitted = np.concatenate([arrays["high"], arrays["low"]])
    _require_rank(fitted, arrays, components)
    from sklearn.decomposition import PCA  # takes longer to import than the whole floor

    model = PCA(components, svd_solver="full").fit(fitted)
    axes = np.array(model.components_)
    gap = axes @ (arrays["high"].mean(0) - arrays["low"].mean(0))
    axes[gap < 0] *= -1
    coordinates = {pole: (rows - model.mean_) @ axes.T for pole, rows in arrays.items()}
    points = [
        pd.DataFrame({"pole": pole, "row": np.arange(len(of_pole))}).assign(
            **{f"pc{i + 1}": of_pole[:, i] for i in range(components)}
        )
        for pole, of_pole in coordinates.items()
    ]
    return Projection(
        components=torch.tensor(axes),
        explained_variance_ratio=torch.tensor(model.explained_variance_ratio_),
        mean=torch.tensor(model.mean_),
        points=pd.concat(points, ignore_index=True),
    )


def _require_rank(fitted: np.ndarray, arrays: Mapping[str, np.ndarray], components: int) -> None:
    for pole in ("high", "low"):
        if not len(arrays[pole]):
            raise ValueError(f"PCA needs prompts on both poles, but the {pole} pole has none. Add prompts.")
    most = min(len(fitted) - 1, fitted.shape[1])
    if not 1 <= components <= most:
        raise ValueError(
            f"{len(fitted)} rows of width {fitted.shape[1]} allow 1 to {most} components, but {components} "
            "were asked for. Change components or add prompts."
        )
    if (fitted == fitted[0]).all():
        raise ValueError(
            f"PCA needs rows that differ, but all {len(fitted)} are equal. Check that the poles' prompts differ."
        )
