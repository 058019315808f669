from typing import Any

import pandas as pd
import pytest

from workbench import plots


def test_patching_by_layer() -> None:
    rows = [
        {"set": name, "mode": mode, "layer": layer, "effect": 0.3, "low": 0.2, "high": 0.4}
        for name in ("selected", "control")
        for mode, layer in (("by_layer", 0), ("by_layer", 1), ("cumulative", 1), ("joint", -1))
    ]
    drawn: Any = plots.patching_by_layer(pd.DataFrame(rows))
    lines = [trace for trace in drawn.data if trace.mode == "lines+markers"]
    assert [line.name for line in lines] == ["selected", "control"] * 2
    assert [list(line.x) for line in lines[:2]] == [[0, 1], [0, 1]]
    assert [note.text for note in drawn.layout.annotations] == ["each layer alone", "all layers up to this one"]
    assert "(0: base run, 1: donor run)" in drawn.layout.yaxis.title.text
    lost: Any = plots.patching_by_layer(pd.DataFrame(rows).rename(columns={"effect": "lost"}))
    assert "lost" in lost.layout.yaxis.title.text
    with pytest.raises(ValueError, match=r"missing \['low'\]"):
        plots.patching_by_layer(pd.DataFrame(rows).drop(columns="low"))
    with pytest.raises(ValueError, match="draws the modes by_layer and cumulative, but the table holds joint"):
        plots.patching_by_layer(pd.DataFrame(rows).query("mode == 'joint'"))
