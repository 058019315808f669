"""How alike differences are from pair to pair: against a slow loop, and where the answer is known."""

import numpy as np
import pytest
import torch

from workbench.measure.pairwise import pair_cosine
from workbench.vocabulary import Pole


def drawn(pairs: int = 7, layers: int = 2, width: int = 5, seed: int = 0) -> dict[Pole, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {pole: torch.randn(pairs, layers, width, generator=generator) for pole in (Pole.HIGH, Pole.LOW)}


def test_it_is_the_mean_over_all_pairs_of_pairs() -> None:
    rows = drawn()
    table = pair_cosine(rows, layers=[3, 5]).set_index("layer")
    for index, layer in enumerate((3, 5)):
        difference = (rows[Pole.HIGH][:, index] - rows[Pole.LOW][:, index]).double()
        slow = [float(torch.cosine_similarity(difference[i], difference[j], dim=0)) for i in range(7) for j in range(i)]
        assert table.loc[layer, "cosine"] == pytest.approx(np.mean(slow))
        assert table.loc[layer, "pairs"] == 7


def test_one_direction_gives_one_and_equal_poles_have_none() -> None:
    low = drawn()[Pole.LOW]
    size = torch.arange(1, 8).view(7, 1, 1).float()
    table = pair_cosine({Pole.HIGH: low + size, Pole.LOW: low}, layers=[0, 1])
    assert table["cosine"].tolist() == pytest.approx([1.0, 1.0])
    none = pair_cosine({Pole.HIGH: low, Pole.LOW: low}, layers=[0, 1])
    assert none["cosine"].isna().all()
    assert (none["pairs"] == 0).all()


def test_the_first_pairs_alone_can_be_read() -> None:
    rows = drawn()
    few = pair_cosine({pole: each[:3] for pole, each in rows.items()}, layers=[0, 1])
    assert pair_cosine(rows, layers=[0, 1], most=3).equals(few)


def test_poles_of_different_lengths_are_refused() -> None:
    rows = drawn()
    with pytest.raises(ValueError, match="a row in either pole, but 7 and 6"):
        pair_cosine({**rows, Pole.LOW: rows[Pole.LOW][:6]}, layers=[0, 1])
