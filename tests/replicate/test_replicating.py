"""A small replication, run whole on a tiny model: every step that has its data, and a word on the others."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from workbench import cli
from workbench.replicate import Replication, find_data, plan_replication, read_protocol, replicate
from workbench.replicate.caa import RANDOM, read_choices
from workbench.replicate.personality import asked_of
from workbench.score.judge.settings import JudgeConfig
from workbench.select.presets import Shape

JUDGE = JudgeConfig(model="other", kind="local")


def test_every_step_with_data_runs_and_the_others_say_why(made: Replication) -> None:
    steps: Any = made.steps.set_index("step")
    assert steps.index[steps["ran"]].tolist() == ["neurons", "personalitybench", "ipip", "gsm8k", "hotpotqa"]
    assert str(steps.loc["triviaqa", "why"]).startswith("there is no trivia_qa.jsonl or")
    assert "which this kit does not make" in steps.loc["sft", "why"]
    table: Any = made.table.set_index("id")
    assert set(table.index) == {number.id for number in made.protocol.numbers}
    assert table.loc["TriviaQA high", "verdict"] == "not run"
    assert table.loc["TriviaQA high", "why"] == steps.loc["triviaqa", "why"]
    ran = table[table["step"].isin(steps.index[steps["ran"]])]
    unmeasured = {"fluency at 1.5", "fluency at 1.5, weighted", "trait at top 0.1 %", "fluency at top 0.1 %"}
    assert set(ran.index[ran["verdict"] == "not run"]) == unmeasured, "a small run leaves these out"
    assert ran.loc[list(set(ran.index) - unmeasured), "ours"].notna().all()


def test_nothing_is_called_reproduced_where_another_model_or_protocol_ran(made: Replication) -> None:
    assert not made.faithful
    assert set(made.table["verdict"]) <= {"inside", "outside", "no interval", "not run"}
    assert "no number is reproduced or refuted" in made.markdown


def test_every_arm_of_the_paper_ran_and_controls_beside_them(made: Replication) -> None:
    assert made.study is not None
    assert made.study.left_out == {}
    arms = set(made.study.tables["arms"]["arm"]) | set(made.study.twins)
    assert {arm.name for arm in made.protocol.arms} | {"residual", "random"} <= arms
    assert made.study.gamma == made.protocol.dose
    assert made.study.config.scopes == ("decode",)
    strength = made.added["one_strength"].query("arm == 'DPN-LE'")
    halves = strength.groupby("gamma")["quantity"].unique().map(set)
    assert list(halves.index) == [0.8, 1.0]
    assert all({"trait of 10", "gsm8k change", "hotpotqa change"} <= each for each in halves), "one row, one strength"
    assert set(made.added["controls"]["control"]) >= {"random"}


def test_changes_of_a_small_run_are_said_in_the_output(made: Replication) -> None:
    said = {each.what: each for each in made.deviations}
    assert said["pairs"].paper == "1000"
    assert said["search questions"].here.startswith("half of the test questions")
    assert said["who judges"].here.endswith("its ratings mean little")
    for each in made.deviations:
        assert str(each) in made.markdown


def test_it_is_written_and_a_second_run_asks_nothing_again(
    made: Replication, data: Path, tiny: wb.Model, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {path.name for path in made.folder.iterdir() if path.is_file()}
    assert {"replication.md", "replication.json", "numbers.csv", "steps.csv", "one_strength.csv"} <= names
    assert pd.read_csv(made.folder / "numbers.csv")["id"].tolist() == made.table["id"].tolist()
    kept = json.loads((made.folder / "replication.json").read_text(encoding="utf-8"))
    assert kept["verdicts"]["not run"] == int((made.table["verdict"] == "not run").sum())

    def refuse(*arguments: Any, **more: Any) -> None:
        pytest.fail("what is kept is not asked again")

    monkeypatch.setattr(wb.Model, "generate_tokens", refuse)
    again = replicate("dpn-le", model=tiny, data=data, folder=made.folder, small=True, settings=small)
    pd.testing.assert_frame_equal(again.table, made.table)


def test_without_a_judge_or_questions_nothing_stands_in(data: Path, tiny: wb.Model, tmp_path: Path) -> None:
    only = tmp_path / "data"
    only.mkdir()
    (only / "gsm8k.jsonl").write_text((data / "gsm8k.jsonl").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"No step of dpn-le can run: there is no personalitybench with description"):
        replicate("dpn-le", model=tiny, data=only, folder=tmp_path / "out", judge=JUDGE)
    (only / "personalitybench").symlink_to(data / "personalitybench")
    with pytest.raises(ValueError, match="Nothing measures the trait: no judge was given"):
        replicate("dpn-le", model=tiny, data=only, folder=tmp_path / "out")
    with pytest.raises(ValueError, match="dpn-le has settings .*, but 'pair' arrived"):
        replicate("dpn-le", model=tiny, data=only, folder=tmp_path / "out", settings={"pair": 3})
    assert not (tmp_path / "out").exists()


def test_the_paper_s_own_model_gets_the_paper_s_settings(data: Path) -> None:
    shape = Shape("llama", 32, 4096, 14336)
    protocol = read_protocol("dpn-le")
    given = {"traits": ["Extraversion", "Openness"]}
    asked = asked_of(protocol, find_data(data), model="m", shape=shape, judge=JUDGE, small=False, given=given)
    config = asked.config
    assert asked.same_model
    assert (config.pairs, config.layers, config.quantile, config.min_d) == (1000, tuple(range(12, 32)), 0.995, 0.8)
    assert (config.gammas, config.scopes, config.max_new_tokens) == ((0.8, 1.0, 1.5), ("decode",), 400)
    doses = {arm.name: arm.doses for arm in asked.arms}
    assert doses["NPTI"] == (1.4,)
    assert doses["DPN-LE"] == (0.8, 1.0, 1.5)
    by_name = {outcome.name: outcome for outcome in asked.outcomes}
    assert vars(by_name["gsm8k"])["n"] == 1319
    assert "model" not in {each.what for each in asked.deviations}
    qwen = asked_of(
        protocol,
        find_data(data),
        model="m",
        shape=Shape("qwen2", 28, 3584, 18944),
        judge=JUDGE,
        small=False,
        given=given,
    )
    assert (qwen.config.min_d, qwen.config.layers, qwen.same_model) == (0.3, tuple(range(14, 28)), False)


def test_a_plan_says_what_it_takes_before_anything_runs(
    data: Path, tiny: wb.Model, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wb.Model, "generate_tokens", lambda *a, **k: pytest.fail("a plan runs nothing"))
    asked: dict[str, Any] = {"model": str(tiny.name), "data": data, "small": True, "settings": small}
    from workbench.score.judge.plan import Price

    planned = plan_replication("dpn-le", price=Price(1.0, 2.0), **asked)
    assert planned.parameters == sum(weights.numel() for weights in tiny.network.parameters())
    parts: Any = planned.table.set_index("part")
    assert set(parts.index) == {"finding neurons", "NPTI's answers", "answers", "gsm8k", "hotpotqa", "questionnaire"}
    assert parts.loc["answers", "judge_requests"] == 2 * parts.loc["answers", "prompts"]
    assert planned.price > 0
    assert planned.hours > 0
    assert "Not run: triviaqa" in str(planned)
    asked["settings"] = small | {"pairs": 24}
    more: Any = plan_replication("dpn-le", **asked).table.set_index("part")
    assert more.loc["finding neurons", "prompt_tokens"] > 1.5 * parts.loc["finding neurons", "prompt_tokens"]
    asked["model"] = "nobody/nothing"
    unknown = plan_replication("dpn-le", **asked)
    assert "as the model cannot be reached" in str(unknown)


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    """Two behaviours in CAA's form, in words that the embedded model's tokenizer has."""
    for behaviour, word in (("sycophancy", "party"), ("refusal", "lamp")):
        for part, name, count in (("generate", "generate_dataset", 6), ("test", "test_dataset_ab", 4)):
            rows = [
                {
                    "question": f"What is the {word} {n} ?\n(A) red\n(B) blue",
                    "answer_matching_behavior": "(A)" if n % 2 else "(B)",
                    "answer_not_matching_behavior": "(B)" if n % 2 else "(A)",
                }
                for n in range(count)
            ]
            path = tmp_path / "caa" / part / behaviour / f"{name}.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


def test_caa_runs_on_its_own_files(choices: Path, tiny: wb.Model, tmp_path: Path) -> None:
    made = replicate("caa", model=tiny, data=choices, folder=tmp_path / "out", small=True)
    table = made.table.set_index("id")
    ran = table[table["arm"].isin(["sycophancy", "refusal"])]
    assert ran["ours"].between(0, 1).all()
    assert (ran["n"] == 4).all()
    assert set(table.loc[~table.index.isin(ran.index), "why"]) == {
        f"there are no files of {name}" for name in set(table["arm"]) - {"sycophancy", "refusal"}
    }
    beyond = made.added["beyond_random"]
    assert set(beyond["arm"]) == {"CAA", RANDOM}
    assert made.steps.set_index("step").loc["open-ended", "ran"] is False or not made.steps["ran"].iloc[1]


def test_choices_are_refused_by_their_row(choices: Path) -> None:
    path = choices / "caa" / "test" / "refusal" / "test_dataset_ab.json"
    assert read_choices(path)[1].matching == "A"
    path.write_text(json.dumps([{"question": "Which?", "answer_matching_behavior": "yes"}]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"test_dataset_ab\.json, row 1: an item has a question and"):
        read_choices(path)


def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["workbench", "replicate", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_plans_runs_and_shows(
    choices: Path, tiny: wb.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("caa", "--model", str(tiny.name), "--data", str(choices), "--small")
    status, out, _ = command(capsys, monkeypatch, *asked, "--plan", "--json")
    assert status == 0
    assert json.loads(out)["parts"][0]["part"] == "refusal"
    status, out, _ = command(capsys, monkeypatch, *asked, "--out", str(tmp_path / "run"), "--json")
    assert status == 0
    assert len(json.loads(out)["numbers"]) == 21
    assert (tmp_path / "run" / "replication.md").is_file()
    status, out, _ = command(capsys, monkeypatch, "dpn-le", "--show")
    assert status == 0
    assert "pairs: 1000  [code: README" in out.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dpn",), "A protocol is one of dpn-le, npti, caa"),
        (("dpn-le",), "A replication needs --model MODEL and --data FOLDER"),
        (("dpn-le", "--small", "--data", "nowhere"), "--data is a folder, but nowhere is none"),
        (("dpn-le", "--small", "--data", "."), "No step of dpn-le can run: there is no personalitybench"),
        (("dpn-le", "--model", "m", "--data", ".", "--judge", "local:"), "A local judge is written local:NAME"),
        (("dpn-le", "--model", "m", "--data", ".", "--judge", "no.toml"), "no.toml"),
        (("dpn-le", "--model", "m", "--data", ".", "--traits", "Humour"), "Humour"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = command(capsys, monkeypatch, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
