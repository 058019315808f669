"""The notebook on replication runs a paper's protocol small, and what it says of the output is so."""

from collections.abc import Callable
from typing import Any

Executed = Callable[..., dict[str, Any]]


def test_replicating_the_paper(executed: Executed) -> None:
    said = executed(
        "09_replicating_the_paper",
        ran="replication.steps.query('ran')['step'].tolist()",
        verdicts="sorted(replication.table['verdict'].unique())",
        measured="sorted(numbers['step'].unique())",
        simple="[numbers.loc['trait simple prompt', name] for name in ('low', 'ours', 'high')]",
        changed="[each.what for each in replication.deviations]",
        doses="sorted(strength.query(\"arm == 'DPN-LE'\")['gamma'].unique())",
        controls="list(controls.index)",
        grows="full.tokens / planned.tokens",
        gone="not here.exists()",
    )
    assert said["ran"] == ["neurons", "personalitybench"]
    assert set(said["verdicts"]) <= {"inside", "outside", "no interval", "not run"}
    assert said["measured"] == ["neurons", "personalitybench"]
    low, ours, high = said["simple"]
    assert 6 < low < ours < high <= 10, "a prompt moves the embedded model"
    assert {"pairs", "who judges", "repetition penalty"} <= set(said["changed"])
    assert said["doses"] == [0.8, 1.0], "control and preservation are shown at one strength"
    assert "random" in said["controls"]
    assert said["grows"] > 5
    assert said["gone"] is True
