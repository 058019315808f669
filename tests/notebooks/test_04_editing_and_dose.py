"""What the notebook on doses tells of edits is so."""

from collections.abc import Callable
from typing import Any

Executed = Callable[..., dict[str, Any]]


def test_editing_and_dose(executed: Executed) -> None:
    said = executed(
        "04_editing_and_dose",
        file="from_file == edit",
        nothing="len(both_ways)",
        scopes="[[row['prompt'], row['decode']] for row in rows]",
        wellformed="curves.query(\"gamma == 1.5 and quantity == 'wellformed' and trait == 'all'\")"
        ".groupby('arm')['estimate'].mean().to_dict()",
        covered="curves.query(\"gamma == 1.5 and quantity == 'coverage' and trait == 'all'\")"
        ".groupby('arm')['estimate'].mean().to_dict()",
        found="found.gamma",
        control="control.gamma",
        reached="losses.query('loss == 0.05').set_index('arm')['reached'].to_dict()",
        losses="losses.query('loss == 0.05').set_index('arm')['against'].to_dict()",
    )
    assert said["file"] is True
    assert said["nothing"] == 0
    assert said["scopes"] == [[0, 120], [8, 120], [120, 120]]
    assert said["wellformed"]["DPN-LE"] < 0.5 < said["wellformed"]["random"]
    assert said["covered"]["DPN-LE"] < 0.5 < 0.9 < said["covered"]["random"]
    assert 0.25 <= said["found"] <= 0.5
    assert said["control"] is None
    assert said["reached"] == {"DPN-LE": True, "random": True, "broad": False, "residual": False}
    assert said["losses"]["broad"] > 0.1
    assert said["losses"]["residual"] > 0.1
    assert said["losses"]["random"] < -0.3
