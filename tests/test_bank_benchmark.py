"""How far personas move a model: the benchmark's numbers, on planted scores and on the embedded model."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bank
from benchmarks.bank import Separation, main, personas_of, separations
from tests.concept.concepts import TEA


def planted(effect: float, *, personas: int = 12, statements: int = 12, seed: int = 0) -> dict[str, np.ndarray]:
    """Log-probabilities in which high personas make high statements likelier by `effect` than low ones do."""
    rng = np.random.default_rng(seed)
    base = rng.normal(-3, 0.6, size=(2, statements))  # statements differ for every persona alike
    level = {"high": effect / 2, "low": -effect / 2, "neutral": 0.0, "none": 0.0}
    scores = {}
    for name, shift in level.items():
        count = 1 if name == "none" else personas
        own = rng.normal(shift, 0.1, size=(count, 1, 1)) * np.array([0.5, -0.5])[:, None]
        scores[name] = base + own + rng.normal(0, 0.05, size=(count, 2, statements))
    return scores


def test_a_planted_separation_is_found_and_its_interval_holds_it() -> None:
    found = Separation.of("Openness", "explicit", planted(0.6), seed=0)
    assert found.difference == pytest.approx(0.6, abs=0.1)
    assert found.difference == pytest.approx(found.high - found.low)
    assert 0 < found.interval[0] < 0.6 < found.interval[1]
    assert found.right_side == 1
    assert (found.personas, found.neutral_personas, found.statements) == (12, 12, 12)


def test_nothing_planted_has_an_interval_around_zero() -> None:
    rows = [Separation.of("Openness", "explicit", planted(0.0, seed=seed), seed=0) for seed in range(20)]
    assert sum(row.interval[0] <= 0 <= row.interval[1] for row in rows) >= 17
    assert 0.3 < np.mean([row.right_side for row in rows]) < 0.7


def test_personas_are_drawn_with_a_seed_and_differ_by_style() -> None:
    one, same, other = (personas_of("Openness", "explicit", 6, seed=seed) for seed in (0, 0, 1))
    assert one == same != other
    assert not set(one["high"]) & set(personas_of("Openness", "behavioural", 60, seed=0)["high"])
    assert one["none"] == [None]
    assert {name: len(each) for name, each in one.items()} == {"high": 6, "low": 6, "neutral": 6, "none": 1}


def test_it_runs_on_the_embedded_model(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", "testbed", "--trait", "Extraversion", "--personas", "4", "--statements", "4", "--json"])
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert row["difference"] > 0.3
    assert row["style"] == "testbed"


def test_a_model_that_is_not_here_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", "/nowhere/model.gguf"])
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("/nowhere/model.gguf: skipped. ")


def test_personas_of_any_concept_are_drawn(tmp_path: Path) -> None:
    assert len(personas_of("Mood", "explicit", 6, seed=0)["low"]) == 6
    (tmp_path / "tea.toml").write_text(TEA.replace("neutral = [", "# neutral = ["), encoding="utf-8")
    drawn = personas_of(str(tmp_path / "tea.toml"), "explicit", 4, seed=0)
    assert (len(drawn["high"]), drawn["neutral"]) == (4, [None])


def test_a_style_that_a_concept_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "logprobs", lambda model, asked, systems: planted(0.5, personas=len(systems))["high"])
    monkeypatch.setattr(bank, "statements_of", lambda *asked: [])
    rows = separations(None, ["Mood", "Openness"], bank.STYLES, personas=3, statements=4, seed=0)  # type: ignore
    assert [(row.trait, row.style) for row in rows] == [
        ("Mood", "explicit"),
        ("Openness", "explicit"),
        ("Openness", "behavioural"),
    ]
