"""How often the claim that the selected neurons carry the persona comes out where the truth is known."""

import pytest

from benchmarks.verdicts.patching import CLAIM, judge
from benchmarks.verdicts.simulation import Size


@pytest.mark.parametrize(("size", "studies", "power"), [("small", 50, 0.2), ("demo", 8, 0.9)])
def test_false_verdicts_are_rare_and_true_ones_are_found(size: Size, studies: int, power: float) -> None:
    seeds = range(studies)
    null = [judge("null", size, seed)[CLAIM] for seed in seeds]
    true = [judge("true", size, seed)[CLAIM] for seed in seeds]
    opposite = [judge("opposite", size, seed)[CLAIM] for seed in seeds]
    # At 5 % more than this comes up in under 1 of 100 runs.
    assert null.count("supported") + null.count("refuted") <= 2 + 0.08 * studies
    assert not true.count("refuted")
    assert not opposite.count("supported")
    assert true.count("supported") >= power * studies
    assert opposite.count("refuted") >= power * studies
