"""What the notebook on own prompts tells of them is so."""

from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[..., dict[str, Any]]


def test_your_own_prompts(executed: Executed) -> None:
    said = executed(
        "02_your_own_prompts",
        sure="((low > 0) | (high < 0)).double().mean().item()",
        rows="[len(pairs), len(matched), matched.dropped['high'].nunique()]",
        length="float(balance.table.set_index('measure').loc['text tokens', 'difference'])",
        chosen="[null.count, null.count_pvalue]",
        strong="[null.t.abs().max().item(), null.max_t.quantile(0.95).item(), int((null.family_wise < 0.05).sum())]",
        steady="float(steady.split_half['corrected'].mean())",
        shared="[shared.size_a, shared.intersection]",
        gone="not path.exists()",
    )
    assert said["sure"] == pytest.approx(0.57, abs=0.02)
    assert said["rows"] == [48, 36, 2]
    assert said["length"] == pytest.approx(0.75, abs=0.01)
    assert said["chosen"] == [31, pytest.approx(0.09, abs=0.03)]
    assert said["strong"][0] > 3 * said["strong"][1]
    assert said["strong"][2] == pytest.approx(1789, abs=200)
    assert said["steady"] == pytest.approx(0.67, abs=0.05)
    assert said["shared"] == [31, 27]
    assert said["gone"] is True
