"""What the notebook on an outcome of one's own says of its study is so."""

from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[..., dict[str, Any]]


def test_your_own_outcome(executed: Executed) -> None:
    values = executed(
        "10_your_own_outcome",
        target="study.target",
        claims="list(verdicts['id'])[:2]",
        arms="list(study.tables['equal_dose']['arm'])",
        shifts="{name: list(column) for name, column in shifts.items()}",
        method="rival.method",
        controls="sorted(rival.tables['against_controls']['control'].unique())",
        sites="sorted(rival.tables['neurons_edited']['site'].unique())",
    )
    assert values["target"] == "likelihood"
    assert values["claims"] == ["moves:likelihood", "beats-controls"]
    assert values["arms"] == ["DPN-LE", "residual", "random", "shuffled", "flipped", "simple prompt"]
    assert values["shifts"]["again"] == values["shifts"]["first"]
    assert values["shifts"]["another question"] != values["shifts"]["first"]
    assert values["shifts"]["first"][0] == pytest.approx(-values["shifts"]["first"][4])
    assert (values["method"], values["controls"]) == ("residual", ["flipped", "half", "random"])
    assert values["sites"] == ["resid_post"]
