"""A task of lm-evaluation-harness from a local file as an outcome of a study."""

import json
from pathlib import Path

import pytest

import workbench as wb
from workbench.report import write_study_report

TRAIT = "Extraversion"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with the task `parity`: 6 documents with two options each."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    rows = [{"question": f"Is {n} even?", "choices": ["yes", "no"], "label": n % 2} for n in range(6)]
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "parity.yaml").write_text(
        "task: parity\ndataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {folder / 'd.jsonl'}}}}}\n"
        "output_type: multiple_choice\ntest_split: test\n"
        "doc_to_text: '{{question}}'\ndoc_to_choice: choices\ndoc_to_target: label\n"
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n",
        encoding="utf-8",
    )
    return folder


def test_a_task_by_its_name_from_a_folder_runs_in_a_study_from_a_file(
    tmp_path: Path, model: wb.Model, data: Path
) -> None:
    pytest.importorskip("lm_eval")
    file = tmp_path / "study.toml"
    file.write_text(
        f'traits = ["{TRAIT}"]\npairs = 40\narms = ["DPN-LE", "random", "simple prompt"]\n'
        "gammas = [1.0]\nquantiles = []\n"
        "search_questions = 2\ntest_questions = 4\npermutations = 19\nresamples = 100\n"
        f'outcomes = ["answers", {{ harness = ["parity"], data = {json.dumps(str(data))}, limit = 5 }}]\n',
        encoding="utf-8",
    )
    study = wb.run_study(wb.StudyConfig.read(file), tmp_path / "study", model=model)
    rows = study.tables["harness"]
    counts = rows.groupby(["arm", "direction"]).size()
    assert set(rows["task"]) == {"parity"}
    assert counts[("none", "none")] == counts[("DPN-LE", "increase")] == 5
    assert {"DPN-LE", "random", "simple prompt", "none"} == set(rows["arm"])
    assert set(rows["correct"]) <= {0.0, 1.0}
    # Compared with the unedited model's, document by document.
    [test] = (
        study.tables["harness_tests"].query("arm == 'DPN-LE' and task == 'all' and trait == 'all'").to_dict("records")
    )
    wide = rows[rows["arm"].isin(["none", "DPN-LE"])].groupby(["arm", "item"])["correct"].mean().unstack("arm")
    assert test["change"] == pytest.approx((wide["DPN-LE"] - wide["none"]).mean())
    assert (test["n"], test["items"]) == (10, 5)
    assert test["low"] <= test["change"] <= test["high"]
    [found] = [each for each in study.findings if each.id == "keeps:harness" and each.trait == "all"]
    assert found.claim == "Harness tasks are kept to within 5 percentage points"
    assert "the share that is right changes by" in found.sentence
    assert "harness-retention" in write_study_report(study, tmp_path / "report.html").read_text(encoding="utf-8")
