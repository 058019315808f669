"""Statements from model-written evaluations and from tables, and what is said of files that are none."""

import json
from pathlib import Path

import pandas as pd
import pytest

from workbench.score import read_statements
from workbench.score.statements.reading import TraitStatement, at_most, split_of
from workbench.vocabulary import Pole

SHARED = Path(__file__).parents[4] / "shared" / "data" / "model_written_evals"
TRAIT = "Extraversion"
ROWS = [
    {"statement": f"I say {word} {pole} words here.", "pole": pole}
    for word in ("one", "two", "three", "four", "five", "six")
    for pole in ("high", "low")
]


def written(path: Path, rows: list[dict], *, mark: str = "") -> Path:
    """The rows as a csv or jsonl file, with a byte order mark if asked for."""
    if path.suffix == ".csv":
        text = pd.DataFrame(rows).to_csv(index=False)
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(mark + text, encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_table_is_read_in_its_order_with_and_without_a_byte_order_mark(
    tmp_path: Path, ending: str, mark: str
) -> None:
    path = tmp_path / f"mine.{ending}"
    if ending == "parquet":
        pd.DataFrame(ROWS).to_parquet(path)
    else:
        written(path, ROWS, mark=mark)
    found = read_statements(path, TRAIT)
    assert found == [TraitStatement(row["statement"], Pole(row["pole"]), TRAIT) for row in ROWS]


def test_a_column_trait_says_whose_a_statement_is(tmp_path: Path) -> None:
    rows = [row | {"trait": TRAIT, "facet": "f"} for row in ROWS]
    rows += [row | {"statement": f"{row['statement']} Or so.", "trait": "openness", "facet": ""} for row in ROWS]
    path = written(tmp_path / "both.csv", rows)
    assert [each.text for each in read_statements(path, TRAIT)] == [row["statement"] for row in ROWS]
    assert {each.facet for each in read_statements(path, TRAIT)} == {"f"}
    assert all(each.text.endswith("Or so.") for each in read_statements(path, "Openness"))
    with pytest.raises(ValueError, match="both.csv has no statement with trait 'Neuroticism'"):
        read_statements(path, "Neuroticism")


def test_a_model_written_evaluation_says_yes_for_high(tmp_path: Path) -> None:
    rows = [
        {"question": "?", "statement": row["statement"], "answer_matching_behavior": answer}
        for row in ROWS
        for answer in [" Yes" if row["pole"] == "high" else " No"]
    ]
    written(tmp_path / "extraversion.jsonl", rows)
    for source in (tmp_path, tmp_path / "extraversion.jsonl"):
        assert [each.pole for each in read_statements(source, TRAIT)] == [Pole(row["pole"]) for row in ROWS]
    with pytest.raises(FileNotFoundError, match="has no openness.jsonl"):
        read_statements(tmp_path, "Openness")
    with pytest.raises(ValueError, match="extraversion.jsonl holds statements of Extraversion, but Openness is asked"):
        read_statements(tmp_path / "extraversion.jsonl", "Openness")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published files are not on this machine")
def test_the_published_evaluations_are_read() -> None:
    found = read_statements(SHARED, "Neuroticism")
    assert {each.pole for each in found} == {Pole.HIGH, Pole.LOW}
    assert len(found) >= 300


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("a.csv", [{"statement": "I do."}], r"columns statement and pole \(high or low\).*a.csv has \['statement'\]"),
        ("a.csv", [{"text": "I do.", "pole": "high"}], r"columns statement and pole.*has \['pole', 'text'\]"),
        ("a.csv", [*ROWS, {"statement": "I am.", "pole": "up"}], "row 13: pole is high or low, but 'up' arrived"),
        ("a.jsonl", [*ROWS, {"statement": "I am."}], "row 13: pole is high or low, but 'nan' arrived"),
        ("a.jsonl", [*ROWS, {"statement": " ", "pole": "low"}], "row 13: a statement is a text, but the cell is empty"),
        ("a.jsonl", [*ROWS, {"statement": 3, "pole": "low"}], "row 13: a statement is a text"),
        ("a.jsonl", [*ROWS, ROWS[0]], "a statement stands once, but 'I say one high words here.' stands twice"),
        ("a.jsonl", ROWS[:9], "each pole needs 5 statements or more, but low has 4 about Extraversion"),
        ("a.jsonl", [], "a.jsonl holds no rows|no rows"),
        ("a.txt", ROWS, r"A table comes as \.jsonl, \.csv, \.parquet, but a.txt ends in '.txt'"),
    ],
)
def test_files_that_are_no_statements_are_refused_in_one_line(
    tmp_path: Path, name: str, rows: list[dict], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read_statements(written(tmp_path / name, rows), TRAIT)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(FileNotFoundError, match="There is no file nowhere.csv"):
        read_statements("nowhere.csv", TRAIT)


def test_a_split_takes_every_third_of_each_pole_however_rows_are_sorted() -> None:
    rows = [TraitStatement(f"{pole} {i}", pole, TRAIT) for pole in (Pole.HIGH, Pole.LOW) for i in range(7)]
    search = {each.text for each in split_of(rows, "search")}
    assert search == {f"{pole} {i}" for pole in ("high", "low") for i in (1, 4)}
    assert {each.text for each in split_of(rows, "test")} == {each.text for each in rows} - search


def test_at_most_keeps_statements_evenly_apart() -> None:
    rows = [TraitStatement(f"{pole} {i}", pole, TRAIT) for i in range(6) for pole in (Pole.HIGH, Pole.LOW)]
    assert [each.text for each in at_most(rows, 2)] == ["high 0", "low 0", "high 3", "low 3"]
    assert at_most(rows, 9) == rows == at_most(rows, None)


def test_statements_that_answer_one_question_are_in_one_split() -> None:
    rows = [
        TraitStatement(f"{pole} {i} {j}", pole, TRAIT, question=f"question {i}")
        for i in range(6)
        for j in range(2)
        for pole in (Pole.HIGH, Pole.LOW)
    ]
    asked = {split: {each.question for each in split_of(rows, split)} for split in ("search", "test")}
    assert asked["search"] == {"question 1", "question 4"}
    assert not asked["search"] & asked["test"]
    assert len(split_of(rows, "search")) == 8
