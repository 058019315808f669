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
        shifts="table['mean'].to_dict()",
        ends="{name: [row['min'], row['max'], row['count'], row['p']] for name, row in table.iterrows()}",
        wellformed="table['wellformed'].to_dict()",
        verdict="verdict.verdict",
        effect="[verdict.effect.estimate, verdict.controls['matched'].estimate]",
        steered="[len(answers['increase']), answers['increase'] != answers['decrease']]",
    )
    assert (said["chosen"], said["removed"]) == (32, 0)
    assert said["shifts"]["DPN-LE"] == pytest.approx(0.79, abs=0.15)
    assert said["shifts"]["flipped"] < -0.2
    for control in ("random", "shuffled"):
        least, greatest, count, p = said["ends"][control]
        assert count == 20
        assert p == pytest.approx(1 / 21)
        assert said["shifts"][control] == pytest.approx(-0.05, abs=0.1)
        assert (least, greatest) == pytest.approx((-0.42, 0.36), abs=0.2)
    assert said["wellformed"]["DPN-LE"] == pytest.approx(0.80, abs=0.05)
    assert said["wellformed"]["random"] == pytest.approx(0.93, abs=0.05)
    assert said["verdict"] == "causes"
    assert said["effect"] == pytest.approx([0.24, 0.14], abs=0.02)
    assert said["steered"] == [5, True]
