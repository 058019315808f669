"""Each built-in outcome on small models: what it asks, what its frame holds, and what its key depends on."""

import json
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.edit.applying import EditedRun
from workbench.edit.edit import Edit
from workbench.outcome.items import Gsm8k
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.questionnaire import Questionnaire
from workbench.outcome.registry import BUILT_IN, outcome_of
from workbench.score.answers import Condition

SHARED = Path(__file__).parents[3] / "shared" / "data"
TRAIT = "Extraversion"


def asking(edit: Edit | None = None, split: Any = "test", record: list[EditedRun] | None = None) -> Asking:
    """The unedited model, or both directions of an edit."""
    if edit is None:
        conditions = (Condition.unedited(TRAIT),)
    else:
        conditions = tuple(Condition("arm", TRAIT, way, 1.0, edit) for way in ("increase", "decrease"))
    return Asking(conditions, split, "generated", record=None if record is None else record.append)


@pytest.fixture
def edit(effects: wb.Effects, selection: wb.Selection) -> Edit:
    return wb.dpn_edit(effects, selection, direction="increase", gamma=1.0)


def written(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    rows = [{"good": f"You are kind to {n} friends.", "bad": f"You kind are to friends {n}."} for n in range(12)]
    return written(tmp_path / "pairs.jsonl", rows)


def test_the_registry_builds_every_outcome_from_a_studys_entries(pairs: str, tmp_path: Path) -> None:
    settings = wb.StudyConfig().settings
    file = written(tmp_path / "q.jsonl", [{"question": f"{n} + 1?", "answer": f"#### {n + 1}"} for n in range(4)])
    needs: dict[str, dict] = {name: {name: file} for name in ("gsm8k", "question-answering")}
    needs |= {"minimal-pairs": {"minimal-pairs": pairs}, "harness": {"harness": ["arc_easy"]}}
    needs["question-answering"]["closed_book"] = True
    for name in BUILT_IN:
        outcome = outcome_of(needs.get(name, name), settings)
        assert outcome.name == name
        assert outcome.key("test") != outcome.key("search")


def test_items_of_a_file_are_asked_in_both_splits(model: wb.Model, tmp_path: Path) -> None:
    rows = [{"question": f"What is {n} + {n}?", "answer": f"#### {2 * n}"} for n in range(10, 20)]
    outcome = Gsm8k(0.05, 0, written(tmp_path / "g.jsonl", rows), n=3, max_new_tokens=4)
    frames = {split: outcome.ask(model, asking(split=split)) for split in ("test", "search")}
    assert [len(frame) for frame in frames.values()] == [3, 3]
    assert not set(frames["test"]["item"]) & set(frames["search"]["item"])
    assert {"gsm8k"} == set(outcome.measured(frames["test"]).columns) - set(frames["test"].columns)
    assert outcome.claims()[0].text == "Gsm8k is kept to within 5 percentage points"
    before = outcome.key("test")
    written(tmp_path / "g.jsonl", rows[1:])
    assert outcome.key("test") != before


def test_a_published_inventory_is_a_questionnaire(model: wb.Model, tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    lines = [f"{n},{sign}E{1 + n % 6},I like item {n}." for n, sign in enumerate("+-+-", start=1)]
    key.write_text("Full#,Sign,Item\n" + "\n".join(lines) + "\n", encoding="utf-8")
    outcome = Questionnaire((TRAIT,), 0, str(key))
    outcome.check()
    assert [len(outcome.statements_of(TRAIT, split)) for split in ("test", "search")] == [2, 2]
    frame = outcome.ask(model, asking())
    assert set(frame["item"]) == {one.id for one in outcome.statements_of(TRAIT, "test")}
    measured = outcome.measured(frame)
    assert len(measured) == 2
    with pytest.raises(ValueError, match="fewer than 2 items about Openness"):
        Questionnaire(("Openness",), 0, str(key)).check()


def test_a_harness_task_is_an_outcome(model: wb.Model, edit: Edit, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    data = written(
        tmp_path / "d.jsonl",
        [{"question": f"Is {n} a number?", "choices": ["yes", "no"], "label": 0} for n in range(4)],
    )
    task = tmp_path / "small.yaml"
    task.write_text(
        "task: small\ndataset_path: json\n"
        f"dataset_kwargs: {{data_files: {{test: {data}}}}}\n"
        "output_type: multiple_choice\ntest_split: test\n"
        "doc_to_text: '{{question}}'\ndoc_to_choice: choices\ndoc_to_target: label\n"
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n",
        encoding="utf-8",
    )
    outcome: Outcome = outcome_of({"harness": [str(task)], "limit": 4, "chat": False}, wb.StudyConfig().settings)  # type: ignore[assignment]
    frame = outcome.ask(model, asking(edit))
    assert len(frame) == 8
    assert set(frame["correct"]) <= {0.0, 1.0}
    assert set(frame.columns) >= {"arm", "trait", "direction", "gamma", *outcome.pairs}
