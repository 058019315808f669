"""`locate` where little or nothing is selected, and whose pairs and questions a command takes."""

import sys
from pathlib import Path

import pytest

import workbench as wb
from workbench import cli
from workbench.cli.options import pairs_asked


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    return run


def test_locate_tells_how_d_is_distributed_also_where_it_selects(workbench) -> None:
    status, out, _ = workbench("locate", "--trait", "Extraversion", "--n", "12", "--quantile", "0.99")
    assert status == 0
    assert "|d| among the 64 neurons above tau_q (q = 0.99): 50 % " in out
    assert "The largest min_d that selects any is " in out
    status, out, _ = workbench("locate", "--trait", "Extraversion", "--n", "12", "--rule", "magnitude-only")
    assert status == 0
    assert "|d| among" not in out


def test_locate_that_selects_nothing_says_in_three_lines_how_near_it_came(workbench, tmp_path: Path) -> None:
    status, _, err = workbench("locate", "--trait", "Extraversion", "--n", "12", "--min-d", "500")
    lines = err.strip().splitlines()[-3:]
    assert status == 2
    assert lines[0].startswith("workbench: The dual rule selects nothing.")
    assert "|d| among the " in lines[0]
    assert lines[1].startswith("The largest min_d that selects any is ")
    assert lines[2].startswith("Whether the personas move the model at all was not measured")
    assert not list(tmp_path.iterdir()) or not list((tmp_path / "runs").glob("locate*"))


def test_locate_asks_another_model_whether_its_personas_move_it(
    workbench, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def moves(model: wb.Model, contrast: wb.Contrast, concept: wb.Concept) -> str:
        asked.append(contrast.trait)
        assert concept == wb.Concept.builtin("Openness")
        return "The personas move the model by so much."

    monkeypatch.setattr("workbench.study.moved.personas_move", moves)
    monkeypatch.setattr("workbench.model.embedded.is_embedded", lambda model: False)
    _, _, err = workbench("locate", "--model", str(checkpoint), "--trait", "Openness", "--n", "12", "--min-d", "500")
    assert asked == ["Openness"]
    assert err.strip().splitlines()[-1] == "The personas move the model by so much."


def test_pairs_follow_the_model_and_not_what_it_is_called(checkpoint: Path, tmp_path: Path) -> None:
    def source(model: str) -> str:
        return pairs_asked("Openness", model, None, 4, 0).source

    assert source("testbed") == source(str(checkpoint)) == "testbed"
    elsewhere = tmp_path / "testbed"
    elsewhere.mkdir()
    assert source(str(elsewhere)) == source("smollm2") == "builtin, explicit"
