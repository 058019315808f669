"""The command line as a person meets it: what it prints, writes and refuses, in its own process's terms."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from workbench import cli
from workbench.vocabulary import Pole


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


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (["--rule", "top-k", "--k", "5", "--by", "write_norm"], {"by": "write_norm", "k": 5, "within": "layer"}),
        (["--rule", "fdr", "--alpha", "0.01"], {"alpha": 0.01, "method": "bh"}),
        (["--rule", "npti"], {"min_probability": 0.1, "least": 0}),
        (["--rule", "write-norm", "--within", "model", "--quantile", "0.99"], {"quantile": 0.99, "within": "model"}),
    ],
    ids=lambda case: case[1] if isinstance(case, list) else "",
)
def test_locate_by_other_rules(workbench, tmp_path: Path, rule: list[str], told: dict) -> None:
    status, out, _ = workbench("locate", "--trait", "Openness", "--n", "40", *rule, "--out", "found", "--json")
    assert status == 0
    record = json.loads(out)
    assert record["parameters"] == told
    assert record["high"] + record["low"] == len(pd.read_parquet(tmp_path / "found" / "selection.parquet"))
    effects = pd.read_parquet(tmp_path / "found" / "effects.parquet")
    assert {"write_norm", "descriptions"} <= set(effects.columns)
    assert record["intervals"] == "cluster-robust over descriptions"


def test_locate_says_where_its_intervals_take_rows_for_independent(
    workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.study.located.MAX_CLUSTER_MEMORY", 1000)
    status, out, _ = workbench("locate", "--trait", "Openness", "--n", "40", "--out", "found")
    assert status == 0
    told = "Intervals take all 40 rows for independent, though a pole has only"
    assert told in " ".join(out.split())
    record = json.loads((tmp_path / "found" / "located.json").read_text())
    assert record["intervals"] == "large-sample normal over rows"
    assert record["remark"].startswith(told)


def test_locate_may_leave_clusters_out(workbench, tmp_path: Path) -> None:
    status, out, _ = workbench(
        "locate", "--trait", "Openness", "--n", "40", "--cluster", "none", "--out", "found", "--json"
    )
    assert status == 0
    assert json.loads(out)["intervals"] == "large-sample normal over rows"
    assert "descriptions" not in pd.read_parquet(tmp_path / "found" / "effects.parquet").columns


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


def test_monitor_tells_each_token_and_writes_the_heat_map(workbench, located: Path, tmp_path: Path) -> None:
    text = "You love the party. <b>"
    status, out, _ = workbench("monitor", str(located), text, "--draws", "3", "--out", "heat.html", "--json")
    assert status == 0
    told = json.loads(out)
    assert "".join(row["token"] for row in told["tokens"]) == text
    assert "mean difference" in told["provenance"]["null"]
    assert "plotly" in (tmp_path / "heat.html").read_text()
    turns = [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "You are kind."}]
    (tmp_path / "talk.json").write_text(json.dumps(turns))
    selection = str(located / "selection.parquet")
    status, out, _ = workbench("monitor", selection, "--conversation", "talk.json", "--draws", "2", "--out", "heat.csv")
    assert status == 0
    assert "assistant" in out
    assert set(pd.read_csv(tmp_path / "heat.csv")["part"]) == {"template", "user", "assistant"}
    edit = str(located / "decrease.safetensors")
    status, out, _ = workbench("monitor", edit, "Who?", "--chat", "--answer", "You.", "--draws", "2", "--json")
    assert [row["part"] for row in json.loads(out)["tokens"]][-2:] == ["assistant"] * 2


MISTAKES = [
    (["locate", "--trait", "Openness", "--model", "no-such/model"], "There is no model 'no-such/model'"),
    (["locate", "--trait", "Openness", "--n", "4", "--layers", "6-9"], "Layers of testbed are 0 to 7, but [8, 9]"),
    (["locate", "--trait", "Openness", "--n", "4", "--min-d", "1e9"], "the d criterion binds"),
    (["steer", "bad.csv", "Hello?"], "bad.csv is no steering file"),
    (["steer", "EDIT", "Hello?", "--scope", "decode", "--max-new-tokens", "1"], "The edit never fired"),
    (["monitor", "bad.csv", "Hello?"], "bad.csv needs columns layer, neuron and pole"),
    (["export", "EDIT", "--to", "hf", "--scope", "decode", "--out", "x"], "only scope 'all' can be baked"),
    (["export", "EDIT", "--to", "gguf", "--out", "x.gguf"], "block 0"),
]
"""What only a model, or a file's content, shows to be a mistake; `test_cli_light` has those that need neither."""


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(case[0])[:60] for case in MISTAKES])
def test_a_mistake_is_one_line_and_status_2_and_leaves_nothing(
    workbench, located: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "bad.csv").write_text("up,down\na,b\n")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    named = [str(located / "increase.safetensors") if word == "EDIT" else word for word in arguments]
    status, out, err = workbench(*named)
    assert status == 2
    assert out == ""
    # An empty selection says in three lines what would select any.
    assert len(err.strip().splitlines()) == (3 if "--min-d" in arguments else 1)
    assert message in err
    after = [path for path in tmp_path.rglob("*") if path.name not in before]
    assert not [path for path in after if path.is_file()]


def test_an_edit_of_other_weights_is_told(workbench, checkpoint: Path, located: Path) -> None:
    status, _, err = workbench("steer", str(located / "increase.safetensors"), "Hello?", "--model", str(checkpoint))
    assert status == 2
    assert "The edit is for a hook_post of width 768, but" in err.splitlines()[-1]


@pytest.fixture(scope="module")
def upper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An edit that leaves block 0 alone, which a control vector cannot reach."""
    folder = tmp_path_factory.mktemp("upper") / "extraversion"
    command = [sys.executable, "-m", "workbench.cli", "locate", "--trait", "extraversion", "--n", "30"]
    subprocess.run([*command, "--layers", "1-7", "--out", str(folder)], check=True, capture_output=True)
    return folder / "decrease.safetensors"


@pytest.mark.parametrize(("to", "out"), [("gguf", "edit.gguf"), ("lm-eval", "edit.pt"), ("dpn-le", "folder")])
def test_an_exported_edit_steers_as_the_edit_does(workbench, upper: Path, to: str, out: str) -> None:
    assert workbench("export", str(upper), "--to", to, "--gamma", "1.5", "--out", out)[0] == 0
    question = "How do you spend your time at the office party?"
    own = json.loads(workbench("steer", str(upper), question, "--gamma", "1.5", "--scope", "all", "--json")[1])
    status, told, _ = workbench("steer", out, question, "--scope", "all", "--json")
    assert status == 0
    assert json.loads(told)["answers"] == own["answers"]
    assert own["answers"][0]["base"] != own["answers"][0]["steered"]


def test_a_baked_edit_is_a_model_of_its_own(workbench, upper: Path) -> None:
    status, out, _ = workbench("export", str(upper), "--to", "hf", "--gamma", "1.5", "--out", "baked", "--json")
    assert (status, json.loads(out)["path"]) == (0, "baked")
    question = "How do you spend your time at the office party?"
    own = json.loads(workbench("steer", str(upper), question, "--gamma", "1.5", "--scope", "all", "--json")[1])
    assert wb.load_model("baked").generate(question, max_new_tokens=64) == [own["answers"][0]["steered"]]
    status, _, err = workbench("export", str(upper), "--to", "hf", "--out", "baked")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "baked is there already" in err


def test_npti_files_need_the_capture_that_holds_their_values(workbench, upper: Path, tmp_path: Path) -> None:
    status, _, err = workbench("export", str(upper), "--to", "npti", "--out", "npti")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "Give a capture to compute them from" in err
    read = ("capture", "--trait", "Extraversion", "--n", "20", "--positive", "--sample", "64")
    assert workbench(*read, "--site", "hook_pre", "--out", "values")[0] == 0
    assert workbench("export", str(upper), "--to", "npti", "--capture", "values", "--out", "npti")[0] == 0
    assert wb.read_npti(tmp_path / "npti" / "Extraversion_dict.json")


def test_tasks_are_put_to_the_model_and_its_edits(workbench, upper: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed")
    rows = [{"question": f"What is {n} + 2?", "answer": f"#### {n + 2}"} for n in range(10, 16)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = ("evaluate", "--tasks", "gsm8k", "--data", "gsm8k=sums.jsonl", "--fewshot", "0", "--max-new-tokens", "8")
    status, out, _ = workbench(*asked, "--edit", str(upper), "--out", "kept", "--json")
    assert status == 0
    told = json.loads(out)
    assert {row["arm"] for row in told["results"]} == {"none", "DPN-LE"}
    assert {row["n"] for row in told["compared"]} == {6}
    again = workbench(*asked, "--edit", str(upper), "--out", "kept", "--json")
    assert json.loads(again[1]) == told


def test_judging_is_planned_without_a_key(workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    pd.DataFrame({"question": ["Hi?"] * 2, "answer": ["Yes.", "No."], "trait": "Openness"}).to_parquet(
        "answers.parquet"
    )
    asked = ("judge", "answers.parquet", "--judge", "some-model", "--out", "judged")
    status, out, _ = workbench(*asked, "--plan", "--price", "some-model=1/2", "--json")
    assert status == 0
    (plan,) = json.loads(out)["plan"]
    assert (plan["judge"], plan["requests"], plan["answer_tokens"]) == ("some-model", 4, 4 * 32)
    assert plan["price"] == pytest.approx((plan["prompt_tokens"] + 2 * plan["answer_tokens"]) / 1e6)
    assert not (tmp_path / "judged").exists()
    status, _, err = workbench(*asked)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "OPENAI_API_KEY" in err


def test_ctrl_c_while_figures_are_drawn_says_what_is_kept(workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wb, "load_study", pressed)
    status, _, err = workbench("figures", "anywhere")
    assert status == 130
    assert "Files that were written are whole; run the same command again for the rest." in err


def test_doctor_names_versions_and_the_model_answers(workbench) -> None:
    status, out, _ = workbench("doctor", "--full", "--json")
    assert status == 0
    told = json.loads(out)
    assert told["embedded model"].startswith("answers '42'")
    assert told["hooked by TransformerLens"] == "answers '42'"


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


def test_a_capture_says_what_it_takes_and_keeps_it(workbench, tmp_path: Path) -> None:
    common = ["capture", "--trait", "Openness", "--n", "20", "--site", "hook_post", "--site", "z", "--json"]
    status, out, err = workbench(*common, "--plan", "--out", str(tmp_path / "c"))
    assert status == 0
    planned = json.loads(out)
    assert planned["prompts"] == 60
    assert planned["folder"] is None
    assert not (tmp_path / "c").exists()
    assert "memory: moments" in err
    status, _, _ = workbench(*common, "--out", str(tmp_path / "c"), "--keep", "--cluster", "question")
    assert status == 0
    found = wb.load_capture(tmp_path / "c")
    assert set(found) == {"hook_post", "z"}
    assert found["hook_post"].moments[Pole.NEUTRAL].count == 20
    status, _, err = workbench(*common, "--out", str(tmp_path / "c"))
    assert (status, "holds another capture" in err) == (2, True)
    status, _, err = workbench("capture", "--trait", "Openness", "--site", "mlp_in", "--out", str(tmp_path / "d"))
    assert (status, "There is no site 'mlp_in'" in err) == (2, True)


def test_ctrl_c_in_a_capture_says_how_to_continue(tmp_path: Path) -> None:
    out = tmp_path / "c"
    command = [sys.executable, "-m", "workbench.cli", "capture", "--trait", "Openness", "--n", "3000"]
    command += ["--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)

    def done() -> int:
        """How many groups of prompts the capture's ledger records."""
        ledger = out / "capture.json"
        return len(json.loads(ledger.read_text())["done"]) if ledger.is_file() else 0

    while process.poll() is None and done() < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1].endswith("run the same command again to continue.")
    assert 2 <= done() < 70
