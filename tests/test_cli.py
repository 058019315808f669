"""The command line as a person meets it: what it prints, writes and refuses, in its own process's terms."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import workbench as wb
from workbench import cli


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture(scope="module")
def located(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `locate` writes, made once."""
    folder = tmp_path_factory.mktemp("located") / "extraversion"
    command = [sys.executable, "-m", "workbench.cli", "locate", "--trait", "extraversion", "--n", "30"]
    subprocess.run([*command, "--quantile", "0.99", "--out", str(folder)], check=True, capture_output=True)
    return folder


PAIRS = [{"high": "I talk all day.", "low": "I keep quiet."}, {"high": "What a party!", "low": "What a noise."}]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAIRS), encoding="utf-8")
    return path


def test_help_has_examples(workbench) -> None:
    status, out, _ = workbench("--help")
    assert status == 0
    assert "workbench locate --trait Extraversion" in out
    for command in ("demo", "locate", "steer", "study", "report", "figures", "doctor"):
        assert command in out
        status, text, _ = workbench(command, "--help")
        assert status == 0
        assert "Example: workbench" in " ".join(text.split())


def test_locate_writes_effects_selection_and_edits(located: Path) -> None:
    assert sorted(path.name for path in located.iterdir()) == [
        "decrease.safetensors",
        "effects.parquet",
        "increase.safetensors",
        "layers.parquet",
        "located.json",
        "selection.parquet",
        "tally.safetensors",
    ]
    record = json.loads((located / "located.json").read_text())
    edit = wb.Edit.load(located / "increase.safetensors")
    assert len(edit) == record["high"] + record["low"] == 64
    assert wb.effect_sizes(wb.Tally.load(located / "tally.safetensors")).n_high == 30


def test_locate_takes_a_table(workbench, pairs: Path) -> None:
    status, out, _ = workbench("locate", "--pairs", str(pairs), "--quantile", "0.99", "--layers", "2,4-5", "--json")
    assert status == 0
    record = json.loads(out)
    assert (record["trait"], record["layers"], record["folder"]) == ("pairs", [2, 4, 5], "runs/locate-pairs")


def test_locate_again_replaces_its_own_folder_and_no_other(workbench, pairs: Path, tmp_path: Path) -> None:
    arguments = ("locate", "--pairs", str(pairs), "--quantile", "0.99", "--out")
    assert workbench(*arguments, "mine")[0] == 0
    assert workbench(*arguments, "mine")[0] == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    status, _, err = workbench(*arguments, "other")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "is there already and holds something else" in err
    assert (tmp_path / "other" / "thesis.tex").read_text() == "years of work"


def test_steer_shows_both_answers(workbench, located: Path) -> None:
    question = "How do you spend your time at the office party?"
    edit = str(located / "decrease.safetensors")
    status, out, _ = workbench("steer", edit, question, "--gamma", "1.5", "--json")
    assert status == 0
    said = json.loads(out)
    (row,) = said["answers"]
    assert row["base"] != row["steered"]
    assert said["edited_pairs"]["prompt"] > 0
    status, out, _ = workbench("steer", edit, question, "--gamma", "0.1")
    assert status == 0
    assert "steered" in out


MISTAKES = [
    (["locate"], "A bank needs --trait, one of Openness"),
    (["locate", "--trait", "Charm"], "There is no Big Five trait 'Charm'"),
    (["locate", "--trait", "Openness", "--model", "no-such/model"], "There is no model 'no-such/model'"),
    (["locate", "--pairs", "none.jsonl"], "There is no file none.jsonl"),
    (["locate", "--pairs", "empty.jsonl"], "empty.jsonl holds no rows"),
    (["locate", "--pairs", "bad.csv"], "bad.csv needs columns high and low"),
    (["locate", "--pairs", "one.jsonl"], "at least 2 pairs, but 1 arrived"),
    (["locate", "--trait", "Openness", "--quantile", "1.0"], "strictly between 0 and 1, but 1.0"),
    (["locate", "--trait", "Openness", "--quantile", "much"], "Invalid value for '--quantile'"),
    (["locate", "--trait", "Openness", "--min-d", "nan"], "min_d is a number from 0 up, but nan"),
    (["locate", "--trait", "Openness", "--layers", "9-4"], "Layers are written like 12-31 or 0,2,5-7, but '9-4'"),
    (["locate", "--trait", "Openness", "--n", "4", "--layers", "6-9"], "Layers of testbed are 0 to 7, but [8, 9]"),
    (["locate", "--trait", "Openness", "--n", "4", "--min-d", "1e9"], "the d criterion binds"),
    (["locate", "--trait", "Openness", "--n", "4", "--out", "one.jsonl/sub"], ": one.jsonl"),
    (["steer", "none.safetensors", "Hello?"], "There is no file none.safetensors"),
    (["steer", "bad.csv", "Hello?"], "bad.csv is damaged or no safetensors file"),
    (["steer", "EDIT", "Hello?", "--gamma", "inf"], "gamma must be finite, but inf"),
    (["steer", "EDIT", " "], "A prompt needs text, but an empty one arrived"),
    (["steer", "EDIT", "Hello?", "--scope", "prompt"], "'prompt' is not one of"),
    (["steer", "EDIT", "Hello?", "--scope", "decode", "--max-new-tokens", "1"], "The edit never fired"),
    (["steer", "EDIT"], "Missing argument 'prompts'"),
    (["report", "nowhere"], "There is no study in nowhere"),
    (["figures", "nowhere"], "There is no study in nowhere"),
    (["figures", "nowhere", "--width", "wide"], "The width is 20mm or more, e.g. 85mm, but 'wide'"),
    (["study", "none.toml", "--out", "x"], "There is no file none.toml"),
    (["dmeo"], "No such command 'dmeo'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(case[0])[:60] for case in MISTAKES])
def test_a_mistake_is_one_line_and_status_2_and_leaves_nothing(
    workbench, located: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "bad.csv").write_text("up,down\na,b\n")
    (tmp_path / "one.jsonl").write_text('{"high": "a", "low": "b"}\n')
    before = sorted(path.name for path in tmp_path.rglob("*"))
    named = [str(located / "increase.safetensors") if word == "EDIT" else word for word in arguments]
    status, out, err = workbench(*named)
    assert status == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert message in err
    after = [path for path in tmp_path.rglob("*") if path.name not in before]
    assert not [path for path in after if path.is_file()]


def test_an_edit_of_other_weights_is_told(workbench, checkpoint: Path, located: Path) -> None:
    status, _, err = workbench("steer", str(located / "increase.safetensors"), "Hello?", "--model", str(checkpoint))
    assert status == 2
    assert "The edit is for a hook_post of width 768, but" in err.splitlines()[-1]


def test_doctor_names_versions_and_the_model_answers(workbench) -> None:
    status, out, _ = workbench("doctor", "--json")
    assert status == 0
    assert json.loads(out)["embedded model"].startswith("answers '42'")


def test_ctrl_c_in_the_middle_is_one_line_and_the_study_continues(tmp_path: Path) -> None:
    config = tmp_path / "study.toml"
    config.write_text(
        'traits = ["Openness"]\npairs = 20\nquantile = 0.99\narms = ["DPN-LE", "random"]\ngammas = [0.5, 1.0]\n'
        "search_questions = 2\ntest_questions = 4\nitems_per_task = 2\nresamples = 100\n"
    )
    out = tmp_path / "run"
    command = [sys.executable, "-m", "workbench.cli", "study", str(config), "--out", str(out), "--json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
    while process.poll() is None and not list(out.glob("tally/*.safetensors")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1].startswith("workbench: stopped.")
    assert "Traceback" not in err
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    said = json.loads(finished.stdout)
    assert {row["arm"] for row in said["equal_dose"]} == {"DPN-LE", "random"}
    assert Path(said["report"]).is_file()
