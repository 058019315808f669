"""The table of measurements says what met its goal, and what was not measured."""

import json

from benchmarks.capture import RESULTS
from benchmarks.summary import PARTS, Line, table


def test_a_goal_is_met_from_its_own_side() -> None:
    assert [Line("a", 2.0, "b", 2.0, ratio, 1.0).met for ratio in (0.99, 1.0, 1.001)] == [True, True, False]
    assert [Line("a", 2.0, "b", 8.0, ratio, 4.0, faster=True).met for ratio in (3.99, 4.0)] == [False, True]
    assert Line("a", 2.62, "b", 2.54, 1.0279, 1.0).cells() == ["a", "2.62 s", "b", "2.54 s", "1.028", "≤ 1", "not met"]


def test_what_was_not_measured_is_said() -> None:
    assert table({}).splitlines()[-1] == f"Not measured here: {', '.join(PARTS)}."
    loading = {"load_model of the GGUF file": 0.9, "load_model of the converted folder": 0.6}
    found = table({"loading": {"seconds": loading}})
    assert "| 0.9 s | load_model of its safetensors | 0.6 s | 1.500 | ≤ 1.3 | not met |" in found
    assert "loading" not in found.splitlines()[-1]


def test_the_results_that_are_kept_can_be_read() -> None:
    found = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    assert found.count("transformers' generate") == 12
