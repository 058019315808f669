"""Figures of patching, controls and specificity: what they draw, from small tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench import plots


def test_shift_beyond_controls() -> None:
    table = pd.DataFrame(
        {"control": ["random", "shuffled"], "trait": "all", "difference": [0.4, 0.2]}
        | {"low": [0.3, 0.0], "high": [0.5, 0.4], "p_holm": [0.001, 0.05]}
    )
    drawn: Any = plots.shift_beyond_controls(table)
    np.testing.assert_allclose(drawn.data[0].x, [0.4, 0.2])
    assert list(drawn.data[0].y) == ["random", "shuffled"]
    with pytest.raises(ValueError, match="missing"):
        plots.shift_beyond_controls(table.drop(columns="low"))


def test_specificity_heatmap_is_symmetric_about_zero_and_stars_what_is_sure() -> None:
    rows = [
        {"arm": "DPN-LE", "edited": a, "measured": b, "direction": way, "shift": 0.8 if a == b else -0.1}
        | {"low": 0.0, "high": 0.1, "p_holm": 0.001 if a == b else 0.5}
        for a in ("Openness", "Extraversion")
        for b in ("Openness", "Extraversion")
        for way in ("increase", "decrease")
    ]
    drawn: Any = plots.specificity_heatmap(pd.DataFrame(rows))
    assert len(drawn.data) == 2
    assert drawn.data[0].zmin == -drawn.data[0].zmax == -0.8
    assert drawn.data[0].text[0][0] == "+0.80*"
    assert drawn.data[0].text[0][1] == "-0.10"
    with pytest.raises(ValueError, match="no rows of arm 'broad'; the table holds DPN-LE"):
        plots.specificity_heatmap(pd.DataFrame(rows), arm="broad")
