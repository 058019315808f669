"""The notebook on figures runs a study, and what it writes is there."""

from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[..., dict[str, Any]]


def test_paper_figures(executed: Executed) -> None:
    said = executed(
        "07_paper_figures",
        verdicts="study.verdict().query(\"trait == 'all'\").set_index('claim')['verdict'].to_dict()",
        moved="study.tables['specificity'].query(\"arm == 'DPN-LE' and edited == 'Neuroticism'\")"
        ".query(\"direction == 'decrease'\").set_index('measured')['shift'].to_dict()",
        stars="int((study.tables['specificity']['p_holm'] < 0.05).sum())",
        continued="seconds['again'] < seconds['first']",
        files="sorted({path.suffix for path in written})",
        images="bool(png) or bool(missing)",
        tables="sorted(path.name for path in tables)",
        gone="not here.exists()",
    )
    assert len(said["verdicts"]) >= 12
    assert said["verdicts"]["The selected neurons carry the persona's effect on the next token"] == "supported"
    assert said["verdicts"]["The effect-size criterion adds to the magnitude criterion"] == "refuted"
    for claim in ("moves the trait", "moves the trait further than controls of equal strength"):
        assert said["verdicts"][f"Editing a few selected neurons {claim}"] == "supported"
    assert said["verdicts"]["Capability is kept to within 5 percentage points"] == "undecided"
    assert said["moved"] == pytest.approx({"Extraversion": 0.38, "Neuroticism": 0.07}, abs=0.02)
    assert said["stars"] == 0
    assert said["continued"] is True
    assert ".html" in said["files"]
    assert said["images"] is True
    assert said["tables"] == ["equal-dose.csv", "equal-dose.tex", "equal-shift.csv", "equal-shift.tex"]
    assert said["gone"] is True
