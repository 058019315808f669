"""What the notebook on files writes comes back as it was, and what it refuses says why."""

from collections.abc import Callable
from typing import Any

Executed = Callable[..., dict[str, Any]]


def test_your_own_model_and_files(executed: Executed) -> None:
    said = executed(
        "06_your_own_model_and_files",
        wrapped="torch.equal(loaded_effects.cohens_d, wrapped_effects.cohens_d)",
        random="[int(swept['random network'].iloc[0]), int(swept['random network'].iloc[-1])]",
        same="{row['file']: row['same answers, of 20'] for row in rows}",
        published="published.edit(gamma=1.0, direction='increase') == edit",
        npti="sorted(npti)",
        reasons="reasons['the reason'].to_dict()",
        gone="not here.exists()",
    )
    assert said["wrapped"] is True
    assert said["random"] == [12, 0]
    expected = {"edit", "hf", "lm-eval", "dpn-le", "gguf"} & set(said["same"])
    assert {said["same"][kind] for kind in expected} == {20}
    assert said["same"]["(no edit)"] < 15
    assert said["published"] is True
    assert said["npti"] == [["Extraversion", "high"], ["Extraversion", "low"]]
    assert "width 768" in said["reasons"]["use it on another model"]
    assert "scope 'all'" in said["reasons"]["bake an edit of decoding alone"]
    assert said["gone"] is True
