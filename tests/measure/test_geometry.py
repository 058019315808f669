import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from workbench.measure.effect_size import cohens_d
from workbench.measure.geometry import Projection, pca, pca_by_layer
from workbench.measure.moments import Moments
from workbench.vocabulary import Pole


def noise(n: int, *, seed: int, d: int = 6) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def separation(projection: Projection) -> float:
    """Cohen's d of the two poles on PC1."""
    high, low = (projection.points.loc[projection.points["pole"] == pole, "pc1"] for pole in ("high", "low"))
    return cohens_d(*(Moments.of(torch.tensor(values.to_numpy(copy=True))) for values in (high, low))).item()


PLANT = torch.tensor([0.0, 0.0, 0.6, 0.0, -0.8, 0.0])


def test_sklearn_agrees_up_to_sign() -> None:
    high, low = noise(20, seed=0) + 3 * PLANT, noise(15, seed=1)
    found = pca(high, low)
    fitted = torch.cat([high, low]).double().numpy()
    oracle: Any = PCA(3).fit(fitted)
    np.testing.assert_allclose(found.components.abs(), np.abs(oracle.components_))
    np.testing.assert_allclose(found.explained_variance_ratio, oracle.explained_variance_ratio_)
    coordinates = found.points[["pc1", "pc2", "pc3"]].to_numpy()
    np.testing.assert_allclose(np.abs(coordinates), np.abs(oracle.transform(fitted)))


def test_a_planted_direction_is_pc1_and_without_it_the_poles_do_not_part() -> None:
    high, low = noise(80, seed=0), noise(80, seed=1)
    planted = pca(high + 6 * PLANT, low)
    assert abs(planted.components[0] @ PLANT.double()).item() > 0.98
    assert separation(planted) > 4
    assert separation(pca(high, low)) < 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_high_is_always_on_the_positive_side(seed: int) -> None:
    high, low = noise(7, seed=seed), noise(5, seed=seed + 1)
    found, swapped = pca(high, low), pca(low, high)
    means = found.points.groupby("pole")[["pc1", "pc2", "pc3"]].mean()
    assert (means.loc["high"].to_numpy() >= means.loc["low"].to_numpy()).all()
    torch.testing.assert_close(found.components, -swapped.components)


def test_neutral_and_held_out_rows_are_projected_and_shape_nothing() -> None:
    high, low, far = noise(9, seed=0), noise(9, seed=1), 100 * noise(4, seed=2)
    plain, full = pca(high, low), pca(high, low, neutral=far, held_out=far[:2] + 1)
    assert torch.equal(plain.components, full.components)
    assert full.points["pole"].drop_duplicates().tolist() == ["high", "low", "neutral", "held_out"]
    assert full.points.groupby("pole").size().to_dict() == {"high": 9, "low": 9, "neutral": 4, "held_out": 2}
    assert full.points.query("pole == 'neutral'")["row"].tolist() == [0, 1, 2, 3]
    drawn = full.points.query("pole == 'neutral'")[["pc1", "pc2", "pc3"]].to_numpy()
    np.testing.assert_allclose((far.double() - plain.mean) @ plain.components.T, drawn)


def test_every_layer_is_fitted_by_itself() -> None:
    sizes = {Pole.LOW: 8, Pole.HIGH: 7, Pole.NEUTRAL: 3}
    stacks = {pole: torch.stack([noise(n, seed=n), noise(n, seed=20 + n)], 1) for pole, n in sizes.items()}
    table = pca_by_layer(stacks, layers=(12, 20))
    assert list(table) == ["layer", "pole", "row", "pc1", "pc2", "ev1", "ev2"]
    assert table.groupby("layer").size().to_dict() == {12: 18, 20: 18}
    assert set(table["pole"]) == {"high", "low", "neutral"}
    high, low, neutral = (stacks[pole][:, 1] for pole in (Pole.HIGH, Pole.LOW, Pole.NEUTRAL))
    alone = pca(high, low, neutral=neutral, components=2)
    of_second = table.query("layer == 20").reset_index(drop=True)
    np.testing.assert_allclose(of_second[["pc1", "pc2"]], alone.points[["pc1", "pc2"]])
    assert of_second["ev1"].unique().tolist() == pytest.approx([alone.explained_variance_ratio[0].item()])


def test_half_precision_and_single_points_are_fitted() -> None:
    found = pca(torch.ones(2, 3).half(), torch.zeros(2, 3).half(), components=1)
    assert separation(found) == math.inf
    assert found.explained_variance_ratio.item() == pytest.approx(1)


def test_mistakes_are_named() -> None:
    high, low = noise(2, seed=0), noise(2, seed=1)
    with pytest.raises(ValueError, match="4 rows of width 6 allow 1 to 3 components, but 4 were asked for"):
        pca(high, low, components=4)
    with pytest.raises(ValueError, match="all 4 are equal"):
        pca(torch.ones(2, 3), torch.ones(2, 3), components=1)
    with pytest.raises(ValueError, match="the low pole has none"):
        pca(high, low[:0])
    low[1, 4] = math.nan
    with pytest.raises(ValueError, match="row 1, neuron 4 of the low pole is nan"):
        pca(high, low)
    with pytest.raises(ValueError, match=r"lacks \['low'\]; it has \['high'\]"):
        pca_by_layer({"high": high[:, None]}, layers=[0])
    with pytest.raises(ValueError, match=r"The high pole has 1 layers but 2 are named: \(3, 4\)"):
        pca_by_layer({"high": high[:, None], "low": high[:, None]}, layers=[3, 4])
