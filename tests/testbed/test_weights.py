"""The shipped weights against what the embedded model must reach, on held-out questions, personas and items."""

import json
from importlib.resources import as_file, files

from workbench.testbed import evaluate


def test_the_shipped_model_reaches_its_bounds() -> None:
    with as_file(files("workbench.testbed") / "weights") as folder:
        measured = evaluate.measure(folder, questions=40, items=208, arms=("none", "high, held out", "low, held out"))
    assert evaluate.shortfalls(measured) == []
    assert measured["coverage"] > 0.97


def test_the_weights_are_small_and_say_how_they_were_made() -> None:
    with as_file(files("workbench.testbed") / "weights") as folder:
        assert sum(file.stat().st_size for file in folder.iterdir()) < 10 * 2**20
        log = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert 2.5e6 < log["parameters"] < 3.5e6
    assert {"recipe", "tokens", "history"} <= set(log)


def test_a_model_that_falls_short_is_told() -> None:
    scores = {"high, held out": 4.1, "low, held out": 1.5, "none": 3.0}
    measured = {
        "trait_scores": {"Openness": scores},
        "wellformed": {"none": 0.9},
        "capability": {"logic": 0.5, "facts": 1.0},
    }
    assert evaluate.shortfalls(measured) == [
        "Openness, high, held out: 4.1 is outside 4.3 to 5.0",
        "logic: 0.5 is under 0.97",
        "well-formed, none: 0.9 is under 0.95",
    ]
