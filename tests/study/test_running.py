"""A whole small study: run, resumed, changed, damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from workbench.arm.registry import ARMS
from workbench.outcome.outcome import Outcome
from workbench.outcome.patching import Patching
from workbench.study import asking, cells, traits

CONFIG = wb.StudyConfig(
    traits=("Extraversion", "Openness"),
    pairs=30,
    quantile=0.99,
    quantiles=(0.9, 0.99),
    gammas=(0.5, 1.0),
    broad_gammas=(0.1, 0.3),
    draws=3,
    scopes=("generated", "decode"),
    search_questions=2,
    test_questions=4,
    items_per_task=2,
    patching_pairs=6,
    permutations=19,
    resamples=100,
)
FEW = CONFIG.model_copy(
    update={
        "traits": ("Extraversion",),
        "quantiles": (),
        "arms": ("DPN-LE", "broad", "random"),
        "scopes": ("generated",),
        "outcomes": ("answers", "capability"),
    }
)


def same_tables(a: wb.Study, b: wb.Study) -> None:
    assert set(a.tables) == set(b.tables)
    for name, table in a.tables.items():
        pd.testing.assert_frame_equal(b.tables[name], table)


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    return wb.run_study(CONFIG, tmp_path_factory.mktemp("study"), model=model)


@pytest.fixture(scope="module")
def few(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    return wb.run_study(FEW, tmp_path_factory.mktemp("few"), model=model)


def test_a_study_holds_every_table(study: wb.Study, model: wb.Model) -> None:
    there = set(study.tables)
    assert {"effects", "selection", "answers", "capability", "dose", "tradeoff", "equal_dose", "equal_shift"} <= there
    assert {"shifts", "against_controls", "equal_loss", "capability_tests", "specificity", "scopes"} <= there
    assert {"fluency", "questionnaire", "patching", "patching_verdict", "ablation", "edited"} <= there
    answers = study.tables["answers"]
    assert set(answers["arm"]) == {"none", *ARMS} - set(study.left_out)
    doses = answers[answers["arm"] == "broad"]["gamma"].unique()
    assert {0.1, 0.3, study.gamma} <= set(doses)
    assert len(study.tables["effects"]) == 2 * model.n_layers * model.d_mlp
    assert (study.tables["effects"]["selected"] != "").sum() == study.tables["counts"]["neurons"].sum()
    assert study.edit("Extraversion", "increase").gamma == study.gamma
    assert study.manifest["model_fingerprint"] == model.fingerprint


def test_held_out_questions_are_none_of_the_search(study: wb.Study) -> None:
    [*found] = (study.folder / "outcomes" / "search").glob("DPN-LE.*.answers.parquet")
    search = pd.concat([pd.read_parquet(path) for path in found])
    assert len(found) == len(CONFIG.gammas)
    assert not set(search["question"]) & set(study.tables["answers"]["question"])


def test_arms_with_the_same_edits_are_told_not_run_twice(study: wb.Study) -> None:
    assert study.twins["magnitude only"] == "DPN-LE"
    outcomes = study.folder / "outcomes" / "test"
    assert not list(outcomes.glob("magnitude-only.*"))
    assert list(outcomes.glob("random.*.answers.parquet"))


def test_every_edited_cell_fired(study: wb.Study) -> None:
    edited = study.tables["edited"]
    by_cell = edited.groupby(["arm", "gamma", "scope", "outcome"])["edited_pairs"].sum()
    assert len(by_cell) > 20
    assert (by_cell > 0).all()
    decode = edited[(edited["scope"] == "decode") & (edited["phase"] == "prompt")]
    assert len(decode)
    assert (decode["edited_pairs"] == 0).all()


def test_a_random_control_is_drawn_anew_and_the_method_ranked_among_its_draws(study: wb.Study) -> None:
    drawn = {"random", "matched random", "shuffled"} - set(study.left_out)
    draws = study.tables["draws"].query("trait == 'all'")
    assert {arm: set(rows["draw"]) for arm, rows in draws.groupby("arm")} == {arm: {0, 1, 2} for arm in drawn}
    assert draws.groupby("arm")["shift"].nunique().min() > 1
    against = study.tables["against_controls"].query("trait == 'all'").set_index("control")
    own = study.tables["shifts"].query("trait == 'all' and direction == 'both'").set_index("arm")["shift"]
    for arm in drawn:
        shifts = draws.loc[draws["arm"] == arm, "shift"]
        row: Any = against.loc[arm]
        assert row["draws"] == 3
        assert row["p_draws"] == (1 + (shifts >= own["DPN-LE"] - 1e-9).sum()) / 4
        assert row["difference"] == pytest.approx(own["DPN-LE"] - shifts.mean())
        assert own[arm] == pytest.approx(shifts.mean())
    assert against.loc["flipped", "draws"] == 1
    # What is shown answer by answer is one draw, and other outcomes are asked in it alone.
    answers = study.tables["answers"]
    assert "draw" not in answers
    keys = ["arm", "trait", "direction", "gamma", "question"]
    assert not answers[answers["scope"] == "generated"].duplicated(keys).any()
    assert study.tables["capability"].groupby(["arm", "gamma"]).size().nunique() <= 2


def test_what_few_draws_and_resamples_cannot_show_is_said(study: wb.Study) -> None:
    said = " ".join(study.manifest["warnings"])
    assert "With draws = 3 the least p-value of a rank among a random control's draws is 0.25" in said
    assert "With resamples = 100 the least p-value over" in said
    assert "With test_questions = 4 the least p-value of a trait's shift is 0.12" in said


def test_prompts_are_arms_without_a_dose(study: wb.Study) -> None:
    answers = study.tables["answers"]
    assert set(answers.loc[answers["arm"] == "simple prompt", "gamma"]) == {1.0}
    assert "simple prompt" not in set(study.tables["equal_shift"]["arm"])
    assert "simple prompt" in set(study.tables["equal_dose"]["arm"])


def test_another_trait_is_measured_under_each_edit(study: wb.Study) -> None:
    table = study.tables["specificity"]
    own = table[table["arm"] == "DPN-LE"]
    assert len(own) == 2 * 2 * 2
    across = study.tables["off_target"]
    assert (across["edited"] != across["trait"]).all()


def test_verdicts_are_given_for_every_trait(study: wb.Study) -> None:
    table = study.verdict()
    assert set(table["trait"]) == {"all", *CONFIG.traits}
    assert set(table["verdict"]) <= {"supported", "refuted", "undecided"}
    per_trait = table.groupby("trait")["claim"].apply(set)
    assert per_trait["all"] >= per_trait["Openness"]


def test_a_second_run_computes_nothing_again(study: wb.Study, model: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **settings: object) -> None:
        raise AssertionError("a finished step ran again")

    for place, name in ((traits, "capture_sites"), (asking, "ask_cells"), (Patching, "trace")):
        monkeypatch.setattr(place, name, never)
    seen: list[float] = []
    again = wb.run_study(CONFIG, study.folder, model=model, progress=lambda label, share: seen.append(share))
    assert again.findings == study.findings
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_stopped_run_continues_where_it_stopped(
    few: wb.Study, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(label: str, share: float) -> None:
        if label.startswith("broad"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wb.run_study(FEW, tmp_path, model=model, progress=stop)
    assert not list(tmp_path.rglob(".*.parquet"))
    with pytest.raises(ValueError, match="was not finished. Run it again"):
        wb.load_study(tmp_path)
    monkeypatch.setattr(traits, "capture_sites", None)
    finished = wb.run_study(FEW, tmp_path, model=model)
    same_tables(finished, few)


def test_a_changed_file_runs_only_what_it_touches(
    few: wb.Study, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(few.folder, copy)
    asked: list[str] = []

    def counted(model: wb.Model, of: Sequence[cells.Cell], outcome: Outcome, known: Sequence[Mapping]) -> Any:
        asked.extend(f"{cell.name}.{outcome.name}" for cell in of)
        return cells.ask_cells(model, of, outcome, known)

    monkeypatch.setattr(asking, "ask_cells", counted)
    config = FEW.model_copy(update={"arms": (*FEW.arms, "residual"), "broad_gammas": (0.1, 0.2, 0.3)})
    wb.run_study(config, copy, model=model)
    assert {name.partition(".gamma")[0] for name in asked} == {"test/residual", "test/broad"}
    assert sum(name.startswith("test/broad") for name in asked) == 2  # one dose, by both outcomes


def test_a_killed_study_ends_as_an_undisturbed_one(few: wb.Study, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FEW.toml(), encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "workbench.cli", "study", str(tmp_path / "study.toml"), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not list(out.glob("outcomes/test/*.answers.parquet")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "tables" / "dose.parquet").exists()
    same_tables(wb.run_study(FEW, out), few)


def test_a_ray_cluster_gives_the_same_tables(few: wb.Study, model: wb.Model, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    config = FEW.model_copy(update={"engine": "ray", "workers": 2})
    same_tables(wb.run_study(config, tmp_path, model=model), few)


def test_a_damaged_step_is_refused_by_name(few: wb.Study, model: wb.Model, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(few.folder, copy)
    [path, *_] = (copy / "outcomes" / "test").glob("random.*.answers.parquet")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"random.*answers.parquet is not as the study wrote it"):
        wb.run_study(FEW, copy, model=model)


def test_a_model_that_does_not_speak_the_grammar_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"model": str(checkpoint), "min_d": 0.0})
    with pytest.raises(ValueError, match=r"can be scored so. Use a model trained on its corpus"):
        wb.run_study(config, tmp_path)


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no study in"):
        wb.load_study(tmp_path)


def test_findings_quote_their_numbers_and_never_claim_the_construction(study: wb.Study) -> None:
    found = {finding.id: finding for finding in study.findings}
    assert "disjoint by construction" in found["poles-exclusive"].sentence
    assert "share more neurons than chance among neurons of like scale" in found["traits-own"].sentence
    assert found["d-criterion-adds"].verdict == "refuted"
    moves = found["moves:trait_score"]
    assert f"gamma {study.gamma:g}" in moves.sentence
    shifts = study.tables["shifts"].query("arm == @study.method and trait == 'all' and direction == 'both'")
    [row] = shifts.to_dict("records")
    assert (moves.numbers["shift"].value, moves.numbers["shift"].p) == (row["shift"], row["p_holm"])
    for finding in study.findings:
        tables = {name for name in finding.evidence if name in study.tables}
        assert tables, finding.id


def test_numbers_are_whole_in_the_manifest(study: wb.Study) -> None:
    again = wb.load_study(study.folder)
    assert again.findings == study.findings
    assert all(isinstance(each.value, int | float) for one in again.findings for each in one.numbers.values())


def test_the_manifest_says_what_was_used(study: wb.Study) -> None:
    manifest = json.loads((study.folder / "manifest.json").read_text(encoding="utf-8"))
    assert {"model", "model_fingerprint", "seed", "machine", "versions", "steps", "findings", "gamma"} <= set(manifest)
    files = [file for step in manifest["steps"].values() for file in step["files"].values()]
    assert len(files) > 50
    assert all(len(file["sha256"]) == 64 for file in files)
