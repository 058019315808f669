"""What the notebook on causes tells of the selected neurons is so."""

from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[..., dict[str, Any]]


def test_what_a_subset_causes(executed: Executed) -> None:
    said = executed(
        "05_what_a_subset_causes",
        joint="patched.frame().query(\"mode == 'joint'\").set_index('set')['effect'].to_dict()",
        first="patched.values('all', mode='by_layer', layer=0)['effect'].mean()",
        swapped="wb.edit.causal_verdict(other, control='matched').verdict",
        neutral="[row['selected'] for row in found if row['base'] == 'neutral']",
        direct="float(direct.loc['selected', 'effect'])",
        lost="{row['kind']: row['selected'] for row in rows}",
        attribution="[float(frame.loc['attribution', 'effect']), shared.intersection]",
    )
    assert said["joint"] == pytest.approx({"selected": 0.27, "matched": 0.12, "random": 0.01, "all": 0.92}, abs=0.02)
    assert said["first"] == pytest.approx(0.85, abs=0.02)
    assert said["swapped"] != "causes"
    assert said["neutral"] == pytest.approx([0.09, 0.09], abs=0.02)
    assert said["direct"] == pytest.approx(0.21, abs=0.02)
    assert said["lost"] == pytest.approx({"zero": -0.04, "mean": 0.27, "resample": 0.29}, abs=0.02)
    assert said["attribution"] == [pytest.approx(0.47, abs=0.02), 8]
