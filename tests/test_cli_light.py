"""Help and mistakes on the command line: answered at once, without importing what a command works with."""

import json
from pathlib import Path

import pytest
from typer.main import get_command

from tests.cli_process import LARGE, run_alone
from workbench.cli import app
from workbench.study.config import StudyConfig

COMMANDS = tuple(get_command(app).commands)  # pyright: ignore[reportAttributeAccessIssue]


def test_help_imports_no_library(tmp_path: Path) -> None:
    ended = run_alone("--help", cwd=tmp_path)
    assert (ended.status, ended.err, ended.imported) == (0, "", ())
    assert all(f" {command} " in ended.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_imports_no_library(command: str, tmp_path: Path) -> None:
    ended = run_alone(command, "--help", cwd=tmp_path)
    assert (ended.status, ended.err, ended.imported) == (0, "", ())
    assert f"Example: workbench {command}" in " ".join(ended.out.split())


def test_an_example_of_a_study_imports_no_library(tmp_path: Path) -> None:
    ended = run_alone("study", "--example", cwd=tmp_path)
    assert (ended.status, ended.err, ended.imported) == (0, "", ())
    assert "traits = [" in ended.out


LOCATE = ("locate", "--trait", "Openness")
CAPTURE = ("capture", "--trait", "Openness", "--out", "x")
MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("dmeo",), "No such command 'dmeo'"),
    (("demo", "--seeed", "1"), "No such option: --seeed"),
    (("demo", "--seed", "one"), "Invalid value for '--seed'"),
    # locate
    (("locate",), "A bank needs --trait, one of Openness"),
    (("locate", "--trait", "Charm"), "There is no Big Five trait 'Charm'"),
    (("locate", "--trait", "Charm", "--model", "someone/something"), "There is no built-in concept 'Charm'"),
    (("locate", "--pairs", "none.jsonl"), "There is no file none.jsonl"),
    (("locate", "--pairs", "empty.jsonl"), "empty.jsonl holds no rows"),
    (("locate", "--pairs", "bad.csv"), "bad.csv needs columns high and low"),
    (("locate", "--pairs", "one.jsonl"), "at least 2 pairs, but 1 arrived"),
    (("locate", "--pairs", "study.toml"), "A table comes as .jsonl, .csv, .parquet, but study.toml ends in '.toml'"),
    ((*LOCATE, "--out", "begun"), "begun is there already and holds something else"),
    ((*LOCATE, "--out", "one.jsonl/below"), "one.jsonl"),
    (("locate", "--pairs", "folder"), "A bank needs --trait"),
    (("locate", "--pairs", "folder", "--trait", "Openness"), "folder"),
    ((*LOCATE, "--n", "1"), "Invalid value for '--n'"),
    ((*LOCATE, "--rule", "best"), "There is no rule 'best'. Choose one of dual, magnitude-only"),
    ((*LOCATE, "--rule", "top-k"), "The top-k rule needs --k"),
    ((*LOCATE, "--by", "luck"), "top-k ranks by one of cohens_d, mean_difference, write_norm"),
    ((*LOCATE, "--layers", "9-4"), "Layers are written like 12-31 or 0,2,5-7, but '9-4'"),
    ((*LOCATE, "--layers", "a few"), "Layers are written like 12-31 or 0,2,5-7, but 'a few'"),
    ((*LOCATE, "--within", "head"), "within a layer or the model, but within='head'"),
    ((*LOCATE, "--quantile", "1.0"), "strictly between 0 and 1, but 1.0"),
    ((*LOCATE, "--quantile", "much"), "Invalid value for '--quantile'"),
    ((*LOCATE, "--min-d", "nan"), "min_d is a number from 0 up, but nan"),
    ((*LOCATE, "--alpha", "2"), "alpha lies strictly between 0 and 1, but 2.0"),
    ((*LOCATE, "--cluster", "town"), "one of description, question, but 'town'"),
    ((*LOCATE, "--dtype", "float8"), "Invalid value for '--dtype'"),
    # capture
    (("capture", "--trait", "Openness"), "Missing option '--out'"),
    (("capture", "--trait", "Charm", "--out", "x"), "There is no Big Five trait 'Charm'"),
    ((*CAPTURE, "--site", "mlp_in"), "There is no site 'mlp_in'. Choose one of hook_post"),
    ((*CAPTURE, "--position", "middle"), "'middle'"),
    ((*CAPTURE, "--keep-dtype", "int8"), "keep_dtype is one of float32, model, but 'int8'"),
    ((*CAPTURE, "--cluster", "town"), "one of description, question, but 'town'"),
    ((*CAPTURE, "--engine", "slurm"), "engine is one of local, ray, but 'slurm'"),
    ((*CAPTURE, "--workers", "2"), "go with engine='ray', but the engine is 'local'"),
    ((*CAPTURE, "--sample", "-1"), "-1"),
    # steer
    (("steer", "none.safetensors", "Hello?"), "There is no file none.safetensors"),
    (("steer", "edit.safetensors", "Hello?", "--gamma", "inf"), "gamma must be finite, but inf"),
    (("steer", "edit.safetensors", " "), "A prompt needs text, but an empty one arrived"),
    (("steer", "edit.safetensors", "Hello?", "--scope", "prompt"), "'prompt' is not one of"),
    (("steer", "edit.safetensors", "Hello?", "--temperature", "-1"), "Invalid value for '--temperature'"),
    (("steer", "edit.safetensors"), "Missing argument 'prompts'"),
    # evaluate and judge
    (("evaluate", "--tasks", ",", "--out", "x"), "--tasks names one task or more, e.g. gsm8k,mmlu, but ','"),
    (("evaluate", "--tasks", "a", "--data", "b=c", "--out", "x"), "--data names tasks that --tasks does not: b"),
    (("evaluate", "--tasks", "a", "--data", "a", "--out", "x"), "--data is written NAME=VALUE, but 'a'"),
    (("evaluate", "--tasks", "a", "--data", "a=none", "--out", "x"), "There is no file none"),
    (("evaluate", "--tasks", "a", "--metric", "acc", "--out", "x"), "--metric is written NAME=VALUE, but 'acc'"),
    (("evaluate", "--tasks", "a", "--include-path", "none", "--out", "x"), "There is no file none"),
    (("evaluate", "--tasks", "a", "--edit", "none", "--out", "x"), "There is no file none"),
    (
        ("evaluate", "--tasks", "a", "--edit", "bad.csv", "--gamma", "nan", "--out", "x"),
        "gamma must be finite, but nan",
    ),
    (("judge", "none.csv", "--judge", "m", "--out", "x"), "There is no file none.csv"),
    (("judge", "bad.csv", "--judge", "m", "--out", "x", "--price", "m:1"), "--price is written NAME=VALUE"),
    (("judge", "bad.csv", "--judge", "m", "--out", "x", "--price", "m=dear"), "A price is written PROMPT/ANSWER"),
    (("judge", "bad.csv", "--judge", "m", "--out", "x", "--plan"), "question"),
    (
        ("judge", "answers.jsonl", "--judge", "m", "--out", "x", "--plan", "--price", "k=1"),
        "Prices are by the judges' names, but ['k'] arrived",
    ),
    # monitor
    (("monitor", "none.safetensors", "Hello."), "There is no file none.safetensors"),
    (("monitor", "edit.safetensors"), "Monitoring needs texts or --conversation"),
    (("monitor", "edit.safetensors", " "), "A text needs words, but an empty one arrived"),
    (("monitor", "edit.safetensors", "Hi.", "--answer", "Hello."), "--system and --answer go with --chat"),
    (("monitor", "edit.safetensors", "Hi.", "You.", "--chat", "--answer", "x"), "--answer follows one text, but 2"),
    (("monitor", "edit.safetensors", "Hi.", "--out", "x.doc"), "--out ends in one of .html, .svg"),
    (("monitor", "edit.safetensors", "Hi.", "--neutral", "none.txt"), "There is no file none.txt"),
    (("monitor", "edit.safetensors", "Hi.", "--draws", "0"), "Invalid value for '--draws'"),
    (("monitor", "edit.safetensors", "--conversation", "answers.jsonl"), "answers.jsonl is a JSON list of turns"),
    # export
    (("export", "edit.safetensors", "--to", "onnx", "--out", "x"), "There is no export to 'onnx'. Choose one of hf"),
    (("export", "none.safetensors", "--to", "hf", "--out", "x"), "There is no file none.safetensors"),
    (("export", "edit.safetensors", "--to", "npti", "--out", "x"), "Give a capture to compute them from"),
    (("export", "edit.safetensors", "--to", "npti", "--capture", "none", "--out", "x"), "There is no folder none"),
    (("export", "edit.safetensors", "--to", "hf", "--gamma", "inf", "--out", "x"), "gamma must be finite, but inf"),
    # studies
    (("study",), "A study needs its FILE and --out FOLDER; `workbench study --example` prints a file"),
    (("study", "none.toml", "--out", "x"), "There is no file none.toml"),
    (("study", "bad.csv", "--out", "x"), "bad.csv"),
    (("study", "typo.toml", "--out", "x"), "trait"),
    (("study", "charm.toml", "--out", "x"), "Charm"),
    (("study", "negative.toml", "--out", "x"), "gammas"),
    (("report", "nowhere"), "There is no study in nowhere"),
    (("report", "begun"), "The study in begun was not finished"),
    (("figures", "nowhere"), "There is no study in nowhere"),
    (("figures", "nowhere", "--width", "wide"), "The width is 20mm or more, e.g. 85mm, but 'wide'"),
    (("figures", "nowhere", "--format", "gif"), "Figures come as html, svg, pdf, png, but 'gif' was asked for"),
    (("tables", "nowhere"), "There is no study in nowhere"),
    (("tables", "nowhere", "--format", "docx"), "Tables come as csv, tex, but 'docx' was asked for"),
    (("concept", "new", " "), "name: a text is due, but it is empty"),
    (("concept", "check", "nowhere.toml"), "nowhere.toml"),
    (("replicate", "dpn-lee"), "A protocol is one of dpn-le, npti, caa"),
    (("replicate", "dpn-le"), "A replication needs --model MODEL and --data FOLDER"),
    (("replicate", "caa", "--small"), "A replication needs --model MODEL and --data FOLDER"),
    (("cite", "nowhere"), "There is no study in nowhere"),
    (("cite", "begun"), "The study in begun was not finished"),
    (("cite", "nowhere", "--format", "docx"), "--format is markdown or latex, but 'docx'"),
    (("explore", "nowhere"), "There is no study in nowhere"),
    (("explore", "nowhere", "--port", "70000"), "A port lies from 0 to 65535, but 70000"),
    (("doctor", "--fast"), "No such option: --fast"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that the mistakes name."""
    here = tmp_path_factory.mktemp("mistakes")
    (here / "empty.jsonl").write_text("")
    (here / "bad.csv").write_text("up,down\na,b\n")
    (here / "one.jsonl").write_text('{"high": "a", "low": "b"}\n')
    (here / "answers.jsonl").write_text('{"question": "Hi?", "answer": "Hi.", "trait": "Openness"}\n')
    (here / "edit.safetensors").write_bytes(b"")
    (here / "folder").mkdir()
    (here / "study.toml").write_text(StudyConfig.example().toml())
    for name, line in {"typo": "trait = 1", "charm": 'traits = ["Charm"]', "negative": "gammas = [-1.0]"}.items():
        (here / f"{name}.toml").write_text(f"{line}\n")
    (here / "begun").mkdir()
    (here / "begun" / "study.toml").write_text(StudyConfig.example().toml())
    (here / "begun" / "manifest.json").write_text(json.dumps({"steps": {}}))
    return here


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(case[0])[:60] for case in MISTAKES])
def test_a_mistake_is_one_line_and_imports_no_library(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    before = sorted(folder.rglob("*"))
    ended = run_alone(*arguments, cwd=folder)
    assert message in ended.err
    assert (ended.status, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert ended.err.startswith("workbench: ")
    assert ended.imported == ()
    assert sorted(folder.rglob("*")) == before


def test_every_command_has_a_mistake_here_and_work_does_import(tmp_path: Path) -> None:
    assert {arguments[0] for arguments, _ in MISTAKES} - {"dmeo"} == set(COMMANDS)
    assert set(run_alone("doctor", "--json", cwd=tmp_path).imported) == {"torch"}
    ended = run_alone("doctor", "--full", "--json", cwd=tmp_path)
    assert {"torch", "transformer_lens"} <= set(ended.imported) <= set(LARGE)
