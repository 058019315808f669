"""What traits share is found where it was planted, and is gone when it is removed."""

from pathlib import Path

import pytest
import torch

import workbench as wb
from workbench.measure.valence import shared_valence, valence_structure

NPTI = Path(__file__).parents[3] / "shared" / "data" / "npti_neurons"
POPULATION = 32 * 14_336


def effects(shared: float, seed: int = 0) -> dict[str, wb.Effects]:
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(2, 300, generator=generator)
    found = {}
    for trait in wb.BIG_FIVE:
        sign = -1.0 if trait == "Neuroticism" else 1.0
        d = sign * shared * common + torch.randn(2, 300, generator=generator)
        found[trait] = wb.Effects(trait, "hook_post", (0, 1), d * 2, d, 50, 50)
    return found


pytestmark = pytest.mark.filterwarnings("ignore:No p-value can be below")


def test_few_traits_say_that_no_small_p_can_come() -> None:
    with pytest.warns(UserWarning, match="below 0.062, as the signs of 5 traits can be chosen in 16 ways"):
        found = shared_valence(effects(1.5))
    assert found.least_pvalue == 1 / 16
    assert "p 0.0625 of at least 0.0625" in repr(found)


def test_a_planted_valence_is_found_and_removed() -> None:
    found = shared_valence(effects(1.5))
    assert found.mean_cosine > 0.5
    assert found.pvalue == 1 / 16
    whole = found.share[found.share["layer"] == -1]
    assert (whole["cosine"] > 0.6).all()
    left = shared_valence(found.specific)
    assert abs(left.mean_cosine) < 0.25
    for trait, each in found.specific.items():
        before = effects(1.5)[trait]
        torch.testing.assert_close(each.mean_difference, 2 * each.cohens_d)
        assert each.cohens_d.norm() < before.cohens_d.norm()


def test_nothing_is_found_where_nothing_is_shared() -> None:
    found = [shared_valence(effects(0.0, seed)) for seed in range(8)]
    assert max(abs(each.mean_cosine) for each in found) < 0.1
    assert sum(each.pvalue <= 1 / 16 for each in found) <= 2


def test_too_few_traits_are_refused() -> None:
    two = dict(list(effects(1.0).items())[:2])
    with pytest.raises(ValueError, match="at least 3 traits, but 2"):
        shared_valence(two)
    other = effects(1.0)
    other["Openness"] = other["Openness"].restrict([1])
    with pytest.raises(ValueError, match="compared neuron by neuron"):
        shared_valence(other)


def sets(shared: bool) -> dict[tuple[str, str], wb.NeuronSet]:
    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> set[int]:
        return set(torch.randperm(2000, generator=generator)[:count].tolist())

    good, bad = draw(60), draw(60)
    found = {}
    for trait in ("Openness", "Extraversion", "Neuroticism"):
        for pole in ("high", "low"):
            desirable = (pole == "high") != (trait == "Neuroticism")
            members = draw(60) | ((good if desirable else bad) if shared else draw(60))
            found[trait, pole] = wb.NeuronSet.of([(0, i) for i in members])
    return found


def test_sets_of_one_valence_overlap_where_they_were_made_to() -> None:
    found = valence_structure(wb.measure.overlap_matrix(sets(True), population=2000))
    assert found.ratio > 2
    assert found.pvalue == 1 / 4
    assert found.table["pairs"].tolist() == [3, 3, 6]
    assert valence_structure(wb.measure.overlap_matrix(sets(False), population=2000)).ratio < 1.5


@pytest.mark.skipif(not NPTI.is_dir(), reason="the published NPTI sets are not on this machine")
def test_the_published_npti_sets_are_structured_by_valence() -> None:
    published = wb.export.read_npti_folder(NPTI)
    assert len(published) == 8
    matrix = wb.measure.overlap_matrix(published, population=POPULATION)
    found = valence_structure(matrix)
    assert found.ratio > 2
    assert found.pvalue == 1 / 8  # the least that four traits allow
    lifts = found.table.set_index("poles")["lift"]
    assert lifts["both desirable"] > 2
    assert lifts["both undesirable"] > 2
