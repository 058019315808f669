"""What the notebook on exclusivity tells of poles and traits is so."""

from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[..., dict[str, Any]]


def test_exclusivity(executed: Executed) -> None:
    said = executed(
        "03_exclusivity",
        disjoint="[each['intersection'] for each in found.values()]",
        depleted="[each['p_depletion'] for each in found.values()]",
        planted="{name: row['verdict'] for name, row in rows.items()}",
        verdicts="{trait: each.verdict for trait, each in judged.items()}",
        both="int(extraversion.total['intersection'])",
        correlations="[each.total['correlation_halves'] for each in judged.values()]",
        shared="[int(across['intersection'].sum()), float(pd.Series(drawn).mean())]",
        above="[len(across), int((across['p_enrichment_holm'] < 0.05).sum())]",
        valence="[structure.ratio, structure.pvalue, float(shares['share'].max())]",
    )
    assert said["disjoint"] == [0, 0]
    assert max(said["depleted"]) < 0.05
    assert said["planted"] == {"exclusive": "exclusive", "shared": "shared", "independent": "undecided"}
    assert "exclusive" not in said["verdicts"].values()
    assert list(said["verdicts"].values()).count("shared") == 3
    assert said["both"] == pytest.approx(1053, abs=20)
    assert min(said["correlations"]) > 0
    assert said["shared"] == [pytest.approx(153, abs=8), pytest.approx(72, abs=8)]
    assert said["above"] == [40, pytest.approx(13, abs=2)]
    assert said["valence"] == pytest.approx([3.2, 0.19, 0.05], abs=0.2)
