"""A whole small study: run, resumed, changed, damaged; and the page, figures and summary that come of it."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

import workbench as wb
from workbench.report.study_figures import study_figures, write_figures
from workbench.report.study_page import steered_answers, study_report
from workbench.report.terminal import print_study
from workbench.study import steps

CONFIG = wb.StudyConfig(
    traits=("Extraversion",),
    pairs=30,
    quantile=0.99,
    arms=("DPN-LE", "magnitude only", "broad", "random", "residual"),
    gammas=(0.5, 1.0),
    broad_gammas=(0.1, 0.3),
    search_questions=2,
    test_questions=4,
    items_per_task=2,
    resamples=100,
)


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    return wb.run_study(CONFIG, tmp_path_factory.mktemp("study"), model=model)


def test_a_study_holds_every_table(study: wb.Study, model: wb.Model) -> None:
    assert {"effects", "selection", "answers", "capability", "dose", "tradeoff", "equal_dose", "equal_shift"} <= set(
        study.tables
    )
    answers = study.tables["answers"]
    assert set(answers["arm"]) == {"none", *CONFIG.arms}
    doses = answers[answers["arm"] == "broad"]["gamma"].unique()
    assert {0.1, 0.3, study.gamma} <= set(doses)
    assert len(study.tables["effects"]) == model.n_layers * model.d_mlp
    assert (study.tables["effects"]["selected"] != "").sum() == study.tables["counts"]["neurons"].sum()
    assert study.edit("Extraversion", "increase").gamma == study.gamma
    assert study.manifest["model_fingerprint"] == model.fingerprint


def test_held_out_questions_are_none_of_the_search(study: wb.Study) -> None:
    search = pd.read_parquet(study.folder / "outcomes" / "search.answers.parquet")
    assert not set(search["question"]) & set(study.tables["answers"]["question"])


def test_arms_with_the_same_edits_are_told_not_run_twice(study: wb.Study) -> None:
    assert study.twins == {"magnitude only": "DPN-LE"}
    assert not (study.folder / "outcomes" / "magnitude-only.answers.parquet").exists()
    assert (study.folder / "outcomes" / "random.answers.parquet").exists()


def test_a_second_run_computes_nothing_again(study: wb.Study, model: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **settings: object) -> None:
        raise AssertionError("a finished step ran again")

    for name in ("capture_sites", "answer_questions", "answer_items"):
        monkeypatch.setattr(steps, name, never)
    seen: list[float] = []
    again = wb.run_study(CONFIG, study.folder, model=model, progress=lambda label, share: seen.append(share))
    assert again.findings == study.findings
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_stopped_run_continues_where_it_stopped(
    study: wb.Study, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(label: str, share: float) -> None:
        if label.startswith("broad"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wb.run_study(CONFIG, tmp_path, model=model, progress=stop)
    assert not list(tmp_path.rglob(".*.parquet"))
    with pytest.raises(ValueError, match="was not finished. Run it again"):
        wb.load_study(tmp_path)
    monkeypatch.setattr(steps, "capture_sites", None)
    finished = wb.run_study(CONFIG, tmp_path, model=model)
    for name, table in study.tables.items():
        pd.testing.assert_frame_equal(finished.tables[name], table)


def test_a_damaged_step_is_refused_by_name(study: wb.Study, model: wb.Model, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study.folder, copy)
    path = copy / "outcomes" / "random.answers.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"random.answers.parquet is not as the study wrote it"):
        wb.run_study(CONFIG, copy, model=model)


def test_a_model_that_does_not_speak_the_grammar_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"model": str(checkpoint), "min_d": 0.0})
    with pytest.raises(ValueError, match="can be scored so. Use a model trained on its corpus"):
        wb.run_study(config, tmp_path)


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no study in"):
        wb.load_study(tmp_path)


def test_findings_quote_their_numbers_and_never_claim_the_construction(study: wb.Study) -> None:
    said = {finding.claim: finding for finding in study.findings}
    assert said["High and Low neurons do not overlap"].verdict == "unclear"
    assert "disjoint by construction" in said["High and Low neurons do not overlap"].text
    assert said["The effect-size criterion adds to the magnitude criterion"].verdict == "refuted"
    assert f"gamma {study.gamma:g}" in said["The selected neurons move the trait"].text


def test_the_terminal_shows_arms_and_findings(study: wb.Study) -> None:
    console = Console(width=80, record=True, file=StringIO())
    print_study(study, console)
    text = console.export_text()
    for arm in CONFIG.arms:
        assert arm in text
    assert "Arms at equal trait shift" in text
    assert "the same edits as DPN-LE" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_page_holds_what_the_study_says(study: wb.Study, tmp_path: Path) -> None:
    report = study_report(study)
    assert [verdict.claim for verdict in report.verdicts] == [finding.claim for finding in study.findings]
    assert "magnitude only" in " ".join(report.warnings)
    page = wb.write_study_report(study, tmp_path / "page.html").read_text(encoding="utf-8")
    for finding in study.findings:
        assert finding.claim in page
    assert "arXiv 2604.27929" in page
    answers = steered_answers(study)
    assert len(answers) == 4
    table = study.tables["answers"]
    assert answers[0].base in set(table[table["arm"] == "none"]["answer"])


def test_figures_are_written_beside_their_data(study: wb.Study, tmp_path: Path) -> None:
    written = write_figures(study, tmp_path, only=["dose-curves", "effect-map"])
    assert {path.name for path in written} == {
        "effect-map-extraversion.html",
        "dose-curves.html",
        "dose-curves-extraversion.html",
    }
    assert (tmp_path / "effect-map.parquet").is_file()
    assert len(study_figures(study)) == 8
    with pytest.raises(ValueError, match="There is no figure 'pie'. Choose among effect-map,"):
        write_figures(study, tmp_path, only=["pie"])
    with pytest.raises(ValueError, match="Figures come as html, svg, pdf, png, but 'gif'"):
        write_figures(study, tmp_path, format="gif")


def test_the_manifest_says_what_was_used(study: wb.Study) -> None:
    manifest = json.loads((study.folder / "manifest.json").read_text(encoding="utf-8"))
    assert {"model", "model_fingerprint", "seed", "machine", "versions", "steps", "findings", "gamma"} <= set(manifest)
    assert all(len(step["sha256"]) == 64 for step in manifest["steps"].values())
