"""The shipped weights against what the embedded model must reach, on held-out questions, personas and items."""

import json
import re
from importlib.resources import as_file, files
from random import Random

from workbench.testbed import corpus, evaluate, lexicon


def test_the_shipped_model_reaches_its_bounds() -> None:
    with as_file(files("workbench.testbed") / "weights") as folder:
        measured = evaluate.measure(folder, questions=40, items=208, arms=("none", "high, held out", "low, held out"))
    assert evaluate.shortfalls(measured) == []
    assert measured["coverage"] > 0.97


def test_the_model_shows_no_trait_under_the_neutral_personas_of_contrasts() -> None:
    with as_file(files("workbench.testbed") / "weights") as folder:
        measured = evaluate.measure(folder, questions=60, items=1, arms=("none", "neutral, of contrasts"))
    for by_arm in measured["trait_scores"].values():
        # Both are means of 60 answers whose spread is about 1 point, so that their difference has an error of 0.2.
        assert abs(by_arm["neutral, of contrasts"] - 3) < 0.5
        assert abs(by_arm["neutral, of contrasts"] - by_arm["none"]) < 0.6
    assert measured["wellformed"]["neutral, of contrasts"] > 0.95


def test_neutral_personas_of_contrasts_are_many_and_use_the_corpus_words() -> None:
    personas = lexicon.NEUTRAL_DESCRIPTIONS
    assert len(set(personas)) == len(personas) >= 40
    rng = Random(0)
    taught = " ".join(corpus.random_persona(rng)[0] for _ in range(4000))
    assert not set(re.findall(r"\w+", " ".join(personas))) - set(re.findall(r"\w+", taught))
    trait_words = {
        a for words in lexicon.TRAITS.values() for pole in ("high", "low") for a in words.pole(pole).adjectives
    }
    assert not trait_words & set(re.findall(r"\w+", " ".join(personas)))


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
