"""A whole small study: run, resumed, changed, damaged; and the page, figures and summary that come of it."""

import html
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import workbench as wb
from workbench.report.cells import table_cells
from workbench.report.study_figures import study_figures
from workbench.report.study_page import steered_answers, study_report
from workbench.report.terminal import print_study
from workbench.study import cells, engines, steps
from workbench.study.config import ARMS

CONFIG = wb.StudyConfig(
    traits=("Extraversion", "Openness"),
    pairs=30,
    quantile=0.99,
    quantiles=(0.9, 0.99),
    gammas=(0.5, 1.0),
    broad_gammas=(0.1, 0.3),
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

    for place, name in ((steps, "capture_sites"), (engines, "run_cell"), (steps, "patched_tables")):
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
    monkeypatch.setattr(steps, "capture_sites", None)
    finished = wb.run_study(FEW, tmp_path, model=model)
    same_tables(finished, few)


def test_a_changed_file_runs_only_what_it_touches(
    few: wb.Study, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(few.folder, copy)
    run: list[str] = []

    def counted(model: wb.Model, config: wb.StudyConfig, cell: cells.Cell) -> cells.Outcomes:
        run.append(cell.name)
        return cells.run_cell(model, config, cell)

    monkeypatch.setattr(engines, "run_cell", counted)
    config = FEW.model_copy(update={"arms": (*FEW.arms, "residual"), "broad_gammas": (0.1, 0.2, 0.3)})
    wb.run_study(config, copy, model=model)
    assert {name.partition(".gamma")[0] for name in run} == {"test/residual", "test/broad"}
    assert sum(name.startswith("test/broad") for name in run) == 1


def test_a_killed_study_ends_as_an_undisturbed_one(few: wb.Study, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(FEW.toml(), encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "workbench.cli", "study", str(tmp_path / "study.toml"), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
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
    with pytest.raises(ValueError, match="can be scored so. Use a model trained on its corpus"):
        wb.run_study(config, tmp_path)


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no study in"):
        wb.load_study(tmp_path)


def test_findings_quote_their_numbers_and_never_claim_the_construction(study: wb.Study) -> None:
    said = {finding.claim: finding for finding in study.findings}
    assert "disjoint by construction" in said["A trait's poles use different neurons"].text
    assert said["A trait's neurons are its own"].verdict in ("undecided", "refuted")
    assert said["The effect-size criterion adds to the magnitude criterion"].verdict == "refuted"
    assert f"gamma {study.gamma:g}" in said["The selected neurons move the trait"].text


def test_the_terminal_shows_arms_and_findings(study: wb.Study) -> None:
    console = Console(width=80, record=True, file=StringIO())
    print_study(study, console)
    text = console.export_text()
    for arm in set(CONFIG.arms) - set(study.left_out):
        assert arm in text
    assert "Arms at equal trait shift" in text
    assert "the same edits as DPN-LE" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_page_holds_what_the_study_says(study: wb.Study, tmp_path: Path) -> None:
    report = study_report(study)
    assert [verdict.claim for verdict in report.verdicts] == [finding.claim for finding in study.findings]
    # Every claim has a figure and a table behind it, so that none is reworded away from its evidence.
    for verdict in report.verdicts:
        tables = {each for each in verdict.shown if each.startswith("table-")}
        assert tables, verdict.claim
        assert set(verdict.shown) - tables, verdict.claim
    assert "magnitude only" in " ".join(report.warnings)
    page = wb.report.write_study_report(study, tmp_path / "page.html").read_text(encoding="utf-8")
    for finding in study.findings:
        assert finding.claim in html.unescape(page)
    assert "arXiv 2604.27929" in page
    answers = steered_answers(study)
    assert len(answers) == 8
    table = study.tables["answers"]
    assert answers[0].base in set(table[table["arm"] == "none"]["answer"])


def test_figures_cover_what_the_study_asked(study: wb.Study, few: wb.Study) -> None:
    drawn = study_figures(study)
    assert {"against-controls", "specificity", "patching-by-layer", "quantile-sweep"} <= {f.name for f in drawn}
    assert all(figure.caption and figure.group and len(figure.data) for figure in drawn)
    assert {"null-distribution", "stability", "exclusivity", "balance"} <= {f.name for f in drawn}
    assert not {"specificity", "patching-by-layer", "quantile-sweep"} & {f.name for f in study_figures(few)}
    with pytest.raises(ValueError, match="There is no figure 'pie'. Choose among effect-map,"):
        study_figures(study, only=["pie"])
    with pytest.raises(ValueError, match="nothing to draw 'specificity' from: what it shows was not asked for"):
        study_figures(few, only=["specificity"])


def test_figures_are_written_beside_their_data(study: wb.Study, tmp_path: Path) -> None:
    written = wb.report.write_figures(study, tmp_path, only=["dose-curves", "effect-map"])
    assert [path.name for path in written] == [
        "effect-map-extraversion.html",
        "effect-map-openness.html",
        "dose-curves.html",
        "dose-curves-extraversion.html",
        "dose-curves-openness.html",
    ]
    data = pd.read_parquet(tmp_path / "effect-map.parquet")
    assert set(data["trait"]) == set(CONFIG.traits)
    assert not (tmp_path / "README.md").exists()
    with pytest.raises(ValueError, match="Figures come as html, svg, pdf, png, but 'gif' was asked for"):
        wb.report.write_figures(study, tmp_path, formats=["gif"])


def test_without_a_browser_pages_are_written_and_the_reason_is_told(
    study: wb.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(figures: list[tuple[Any, Path]], **settings: Any) -> list[Path]:
        if any(path.suffix != ".html" for _, path in figures):
            raise RuntimeError("Images need a Chromium on this machine.")
        return [path for _, path in figures]

    monkeypatch.setattr(wb.plots, "save_figures", without)
    with pytest.raises(RuntimeError, match="Images need a Chromium"):
        wb.report.write_figures(study, tmp_path, only=["balance"], formats=["png", "html"])
    told: list[str] = []
    written = wb.report.write_figures(study, tmp_path, formats=["png", "html"], told=told.append)
    assert told == ["Images need a Chromium on this machine."]
    assert {path.suffix for path in written} == {".html"}
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "![" not in page
    assert "Files: `dose-curves` and `dose-curves-TRAIT`, a file a trait; `.html`. Data: `dose-curves.parquet`." in page
    for figure in study_figures(study):
        assert figure.caption in page
        assert (tmp_path / f"{figure.name}.parquet").is_file()


def test_tables_have_the_names_and_numbers_of_the_page(study: wb.Study, tmp_path: Path) -> None:
    written = wb.report.write_tables(study, tmp_path)
    shown = {table.id.removeprefix("table-"): table.frame for table in study_report(study).tables}
    assert {path.stem for path in written} == set(shown)
    for name, frame in shown.items():
        assert (tmp_path / f"{name}.tex").read_text(encoding="utf-8").count(rf"\label{{tab:{name}}}") == 1
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) == len(frame)
    exact = pd.read_csv(tmp_path / "equal-dose.csv")
    pd.testing.assert_frame_equal(exact, shown["equal-dose"], rtol=1e-12, check_dtype=False)
    [own] = [line for line in (tmp_path / "equal-dose.tex").read_text().splitlines() if line.startswith("DPN-LE &")]
    _, rows = table_cells(shown["equal-dose"])
    assert [each.strip() for each in own.removesuffix(r"\\").split("&")] == [
        cell.text.replace("\u2212", "$-$") for cell in rows[0]
    ]
    with pytest.raises(ValueError, match="There is no table 'pie'. Choose among equal-dose,"):
        wb.report.write_tables(study, tmp_path, only=["pie"])
    with pytest.raises(ValueError, match="Tables come as csv, tex, but 'xls' was asked for"):
        wb.report.write_tables(study, tmp_path, formats=["xls"])


def test_the_manifest_says_what_was_used(study: wb.Study) -> None:
    manifest = json.loads((study.folder / "manifest.json").read_text(encoding="utf-8"))
    assert {"model", "model_fingerprint", "seed", "machine", "versions", "steps", "findings", "gamma"} <= set(manifest)
    assert all(len(step["sha256"]) == 64 for step in manifest["steps"].values())
