"""Minimal pairs as an outcome: its splits, what it refuses, its table by kind and its claim."""

import json
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.edit.applying import EditedRun
from workbench.edit.edit import Edit
from workbench.edit.prompting import Instruction
from workbench.outcome.minimal_pairs import MinimalPairs
from workbench.outcome.outcome import Asking
from workbench.outcome.registry import outcome_of
from workbench.score.answers import Condition

TRAIT = "Extraversion"


def asking(edit: Edit | None = None, split: Any = "test", record: list[EditedRun] | None = None) -> Asking:
    """The unedited model, or both directions of an edit."""
    ways = ("increase", "decrease")
    edited = tuple(Condition("arm", TRAIT, way, 1.0, edit) for way in ways)
    conditions = (Condition.unedited(TRAIT),) if edit is None else edited
    return Asking(conditions, split, "generated", record=None if record is None else record.append)


@pytest.fixture
def edit(effects: wb.Effects, selection: wb.Selection) -> Edit:
    return wb.dpn_edit(effects, selection, direction="increase", gamma=1.0)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    rows = [{"good": f"You are kind to {n} friends.", "bad": f"You kind are to friends {n}."} for n in range(12)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_pairs_are_split_and_edited(model: wb.Model, edit: Edit, pairs: str) -> None:
    outcome = MinimalPairs(pairs, seed=0, n=8)
    test, search = ({pair.item for pair in outcome.pairs_of(split)} for split in ("test", "search"))
    assert (len(test), len(search)) == (6, 6)
    assert not test & search
    runs: list[EditedRun] = []
    base, edited = outcome.ask(model, asking()), outcome.ask(model, asking(edit, record=runs))
    assert set(edited["item"]) == set(base["item"]) == test
    [run] = runs  # both directions side by side
    assert set(run.by_edit) == {0, 1}
    assert not edited["margin"].head(6).equals(base["margin"])


def test_an_instruction_has_no_place_in_plain_text(model: wb.Model, pairs: str) -> None:
    told = Condition(
        "persona", TRAIT, "increase", 0.0, None, Instruction(TRAIT, "increase", "persona", "You are loud.")
    )
    frame = MinimalPairs(pairs).ask(model, Asking((Condition.unedited(TRAIT), told), "test", "generated"))
    both = [part["margin"].tolist() for _, part in frame.groupby("arm", sort=False)]
    assert both[0] == both[1]


@pytest.mark.parametrize("entry", ["minimal-pairs", {"minimal-pairs": "builtin"}])
def test_the_bank_is_the_default_and_its_splits_do_not_depend_on_the_seed(entry: Any) -> None:
    outcome = outcome_of(entry, wb.StudyConfig().settings | {"seed": 5})
    assert isinstance(outcome, MinimalPairs)
    outcome.check()
    assert [len(outcome.pairs_of(split)) for split in ("test", "search")] == [128, 128]
    assert outcome.pairs_of("test") == MinimalPairs(seed=1).pairs_of("test")
    assert outcome.key("test") != outcome.key("search")


def test_a_file_without_two_pairs_of_a_task_or_none_to_report_is_refused(tmp_path: Path, pairs: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"good": "a", "bad": "b"}')
    with pytest.raises(ValueError, match="a task needs 2 pairs, but in p.jsonl each has 1 pair"):
        MinimalPairs(str(path)).check()
    with pytest.raises(ValueError, match="at least 1 pair, but n = 0 arrived"):
        MinimalPairs(pairs, n=0).check()


def test_sentences_that_a_tokenizer_cannot_spell_are_refused_in_a_line(model: wb.Model, pairs: str) -> None:
    MinimalPairs(pairs).prepare(model)
    limited = copy(model)
    limited.tokenizer = deepcopy(model.tokenizer)
    limited.tokenizer.unk_token = "Ġfriends"
    with pytest.raises(
        ValueError, match="minimal-pairs needs text that .* does not know all of 'You are kind"
    ) as error:
        MinimalPairs(pairs).prepare(limited)
    assert "\n" not in str(error.value)


def test_one_test_for_each_kind_and_for_all(tmp_path: Path, model: wb.Model) -> None:
    config = wb.StudyConfig(
        traits=(TRAIT,),
        pairs=40,
        arms=("DPN-LE", "random"),
        gammas=(1.0,),
        quantiles=(),
        outcomes=("answers", "minimal-pairs"),
        search_questions=2,
        test_questions=4,
        permutations=19,
        resamples=100,
    )
    study = wb.run_study(config, tmp_path / "study", model=model)
    tests = study.tables["minimal_pairs_tests"]
    method = tests[(tests["arm"] == "DPN-LE") & (tests["trait"] == "all")].set_index("task")
    assert method["items"].to_dict() == {"facts": 32, "grammar": 32, "arithmetic": 32, "common sense": 32, "all": 128}
    assert method[["low", "high", "lower", "p_holm"]].notna().all(axis=None)
    # An independent count of what the table says.
    frame = study.tables["minimal_pairs"]
    of_kind = frame[frame["task"] == "facts"].groupby("arm")["correct"].mean()
    assert method.loc["facts", "correct"] == of_kind["DPN-LE"]
    assert method.loc["facts", "reference_correct"] == of_kind["none"]
    [found] = [finding for finding in study.findings if finding.id == "keeps:minimal_pairs" and finding.trait == "all"]
    assert found.claim == "Minimal pairs are kept to within 5 percentage points"
    assert "the share of pairs told apart changes by" in found.sentence
    assert "minimal_pairs_change" in study.tables["equal_shift"]
