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
        ranked="{name: [row['min'], row['max'], row['count'], row['p']] for name, row in ranks.iterrows()}",
        refuted="wb.edit.causal_verdict(patched, selected='random', control='matched').verdict",
        swapped="wb.edit.causal_verdict(other, control='matched').verdict",
        neutral="[row['selected'] for row in found if row['base'] == 'neutral']",
        direct="float(direct.loc['selected', 'effect'])",
        lost="{row['kind']: row['selected'] for row in rows}",
        attribution="[float(frame.loc['attribution', 'effect']), shared.intersection]",
    )
    assert said["joint"] == pytest.approx({"selected": 0.26, "matched": 0.12, "random": 0.01, "all": 0.92}, abs=0.02)
    assert said["first"] == pytest.approx(0.85, abs=0.02)
    assert said["ranked"]["matched"] == pytest.approx([0.07, 0.14, 20, 1 / 21], abs=0.02)
    assert said["ranked"]["random"] == pytest.approx([0.00, 0.02, 20, 1 / 21], abs=0.02)
    assert said["refuted"] == "does not cause"
    assert said["swapped"] == "undecided"
    assert said["neutral"] == pytest.approx([0.13, 0.12], abs=0.02)
    assert said["direct"] == pytest.approx(0.19, abs=0.02)
    assert said["lost"] == pytest.approx({"zero": -0.05, "mean": 0.25, "resample": 0.26}, abs=0.02)
    assert said["attribution"] == [pytest.approx(0.47, abs=0.02), 8]
