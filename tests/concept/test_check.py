"""What a check of a concept tells, and the commands that write and check one."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import workbench as wb
from tests.concept.concepts import TEA
from workbench import cli
from workbench.concept.texts import Statement, Texts
from workbench.score.concept_check import ConceptCheck, check_concept


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join(out.split()), err

    return run


def test_a_check_counts_balances_and_measures(plain: wb.Model, tea: Path) -> None:
    concept = wb.Concept.read(tea)
    found = concept.check(plain)
    assert found.counts.set_index("texts").loc["personas, explicit", ["high", "low"]].tolist() == [5, 5]
    assert found.balance is not None
    assert found.shifts["personas"].tolist() == ["both", "high", "low"]
    both, high, low = found.shifts["shift"]
    assert both == pytest.approx(high + low)
    assert found.shifts["n"].tolist() == [6, 6, 6]
    said = str(found)
    assert "Tea drinking: from fond of coffee to fond of tea" in said
    assert found.verdict in said
    assert "5 personas a pole" in said
    assert "says search_questions = 3 and test_questions = 2 at most" in said.replace("\n", " ")
    again = concept.check(plain)
    pd.testing.assert_frame_equal(again.shifts, found.shifts)


def checked(both: tuple[float, float], high: tuple[float, float], low: tuple[float, float]) -> ConceptCheck:
    rows = [
        {"personas": name, "shift": sum(ends) / 2, "low_end": ends[0], "high_end": ends[1], "n": 9}
        for name, ends in (("both", both), ("high", high), ("low", low))
    ]
    return ConceptCheck(wb.Concept.builtin("Openness"), "m", pd.DataFrame(), None, pd.DataFrame(rows), (), ())


def test_the_verdict_says_which_pole_carries_it() -> None:
    assert "both poles carry it" in checked((0.3, 0.5), (0.1, 0.3), (0.1, 0.3)).verdict
    one = checked((0.3, 0.5), (-0.1, 0.1), (0.2, 0.5))
    assert one.carried_by == ("low",)
    assert "the low pole carries it" in one.verdict
    assert "expect little of edits towards 'open to experience'" in one.verdict
    assert "neither pole alone" in checked((0.1, 0.5), (-0.1, 0.3), (-0.1, 0.3)).verdict
    assert "do not surely move" in checked((-0.1, 0.5), (-0.1, 0.3), (-0.1, 0.3)).verdict
    wrong = checked((-0.5, -0.1), (-0.3, 0.3), (-0.3, 0.3))
    assert wrong.follows is False
    assert "the wrong way" in wrong.verdict


def test_what_is_missing_is_told_with_its_cost(plain: wb.Model) -> None:
    whole = wb.Concept.builtin("Openness")
    assert check_concept(whole, None).lacking == ()
    bare = replace(whole, neutral=Texts(), statements=(), rubric=None, license="")
    found = check_concept(bare, plain)
    said = " ".join(found.lacking)
    for part in (
        "no neutral personas: whether the poles are exclusive",
        "no statements: the concept is measured by a judge",
        "no rubric: a judge cannot rate",
        "no license: a manifest cannot say",
    ):
        assert part in said
    assert found.follows is None
    assert "was not measured: that takes personas and statements" in found.verdict


def test_texts_that_could_be_taken_for_the_concept_are_told(tea: Path) -> None:
    concept = wb.Concept.read(tea)
    assert check_concept(concept, None).remarks == ()
    long = tuple(Statement(f"{each.high[:-1]} all day and night.", each.low) for each in concept.statements)
    assert "high statements have" in check_concept(replace(concept, statements=long), None).remarks[0]
    said = (Statement("You drink tea all day.", "They drink coffee."), *concept.statements)
    remarks = " ".join(check_concept(replace(concept, statements=said), None).remarks)
    assert "2 statements do not speak in the first person, e.g. 'You drink tea all day.'" in remarks
    assert "1 statements share 4 words on end with a persona" in remarks


def test_the_embedded_model_is_refused(model: wb.Model) -> None:
    with pytest.raises(ValueError, match="testbed knows the words of its own Big Five alone"):
        wb.Concept.builtin("Openness").check(model)


def test_a_new_concept_is_complete_and_never_replaces_a_file(workbench, tmp_path: Path) -> None:
    status, out, _ = workbench("concept", "new", "Long words")
    assert (status, out.startswith("Written to long-words.toml")) == (0, True)
    concept = wb.Concept.read(tmp_path / "long-words.toml")
    assert concept.name == "Long words"
    assert "# " in (tmp_path / "long-words.toml").read_text()
    status, _, err = workbench("concept", "new", "Long words")
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert "is there already" in err
    status, _, err = workbench("concept", "new", "a/b")
    assert (status, len(err.strip().splitlines())) == (2, 1)
    status, out, _ = workbench("concept", "check", "long-words.toml")
    assert status == 0
    assert "Long words: from terse to wordy" in out


def test_a_checked_mistake_ends_with_2_and_its_line(workbench, tmp_path: Path) -> None:
    (tmp_path / "tea.toml").write_text(TEA.replace('"I buy coffee."', "7"))
    status, out, err = workbench("concept", "check", "tea.toml", "--model", "smollm2")
    assert (status, out) == (2, "")
    assert err == (
        "workbench: tea.toml, line 43: a text is due, but the number 7 stands here. Put a text in quotation marks.\n"
    )


def test_a_check_is_printed_as_json(workbench, tea: Path) -> None:
    status, out, _ = workbench("concept", "check", str(tea), "--json")
    assert status == 0
    entry = json.loads(out)
    assert (entry["concept"], entry["model"], entry["license"]) == ("Tea drinking", None, "MIT")
    assert entry["sha256"] == wb.Concept.read(tea).digest
