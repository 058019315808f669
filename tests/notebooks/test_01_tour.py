"""The tour's numbers are those that its text tells."""

from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[..., dict[str, Any]]


def test_the_tour(executed: Executed) -> None:
    said = executed(
        "01_tour",
        chosen="len(chosen)",
        removed="int(chosen.layers['removed_by_d'].sum())",
        shifts="shifts['estimate'].to_dict()",
        wellformed="scored.groupby('arm')['wellformed'].mean().to_dict()",
        verdict="verdict.verdict",
        effect="[verdict.effect.estimate, verdict.controls['matched'].estimate]",
        steered="[len(answers['increase']), answers['increase'] != answers['decrease']]",
    )
    assert (said["chosen"], said["removed"]) == (32, 0)
    assert said["shifts"]["DPN-LE"] == pytest.approx(0.86, abs=0.15)
    assert said["shifts"]["random"] == pytest.approx(-0.04, abs=0.15)
    assert said["shifts"]["shuffled"] == pytest.approx(0.66, abs=0.15)
    assert said["shifts"]["flipped"] < -0.2
    assert said["wellformed"]["DPN-LE"] == pytest.approx(0.85, abs=0.05)
    assert said["wellformed"]["random"] == pytest.approx(0.95, abs=0.05)
    assert said["verdict"] == "causes"
    assert said["effect"] == pytest.approx([0.28, 0.15], abs=0.02)
    assert said["steered"] == [5, True]
