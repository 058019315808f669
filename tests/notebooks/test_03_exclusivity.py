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
        kinds="extraversion.kinds.set_index('kind')['verdict'].to_dict()",
        corrected="table.set_index('trait')['p_exclusive'].to_dict()",
        shared="[*across[['intersection', 'matched_expected']].sum().tolist(), float(pd.Series(drawn).mean())]",
        beyond="across.query('p_matched_holm < 0.05')[['trait_a', 'pole_a', 'trait_b', 'pole_b']].values.tolist()",
        margin="int((across['p_beyond_margin_holm'] < 0.05).sum())",
        above="[len(across), int((across['p_enrichment_holm'] < 0.05).sum())]",
        valence="[structure.ratio, structure.pvalue, float(shares['share'].max())]",
    )
    assert said["disjoint"] == [0, 0]
    assert max(said["depleted"]) < 0.05
    assert said["planted"] == {"exclusive": "exclusive", "shared": "shared", "independent": "undecided"}
    exclusive = {"Openness", "Conscientiousness", "Neuroticism"}
    assert said["verdicts"] == {trait: "exclusive" if trait in exclusive else "undecided" for trait in said["verdicts"]}
    assert {trait for trait, p in said["corrected"].items() if p < 0.05} == exclusive
    assert said["kinds"] == {"none": "exclusive", "persona": "undecided"}
    assert said["both"] == pytest.approx(819, abs=20)
    assert said["shared"] == [pytest.approx(153, abs=8), pytest.approx(166, abs=8), pytest.approx(72, abs=8)]
    assert said["beyond"] == [["Extraversion", pole, "Agreeableness", pole] for pole in ("high", "low")]
    assert said["margin"] == 0
    assert said["above"] == [40, pytest.approx(13, abs=2)]
    assert said["valence"] == pytest.approx([3.2, 0.19, 0.05], abs=0.2)
