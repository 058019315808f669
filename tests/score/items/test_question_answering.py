"""Short answers by exact match and F1, and files with contexts, without, or half with."""

import json
from pathlib import Path

import pytest

import workbench as wb
from workbench.score.answers import Condition
from workbench.score.capability import Grade, GradedItem, answer_items
from workbench.score.items.gsm8k import NumberItem
from workbench.score.items.question_answering import (
    INSTRUCTION,
    QuestionItem,
    exact_match,
    f1,
    first_line,
    normalise,
    read_questions,
)
from workbench.testbed import tasks


def test_articles_go_as_words_and_never_as_letters() -> None:
    assert normalise("The theatre, an antheap & a cat") == "theatre antheap cat"
    # An answer that is an article keeps it: otherwise the letter A would equal every other article, and nothing.
    assert normalise("A") == normalise("a.") == "a"
    assert not exact_match("the", ["A"])
    assert not exact_match("", ["A"])
    assert exact_match("a", ["A"])
    assert not exact_match("?!", ["--"])


@pytest.mark.parametrize(
    ("text", "answers", "exact", "expected"),
    [
        ("Blue Nile", ["the Blue Nile"], True, 1.0),
        ("THE BLUE NILE!", ["blue  nile"], True, 1.0),
        ("the Blue Nile river", ["Blue Nile"], False, 0.8),
        ("Nile", ["Blue Nile"], False, 2 / 3),
        ("Niles", ["Nile"], False, 0.0),
        ("nile nile nile", ["Nile"], False, 0.5),
        ("White Nile", ["Blue Nile", "the White Nile"], True, 1.0),
        ("yes", ["yes"], True, 1.0),
        ("yes, it does", ["yes"], False, 0.0),
        ("no", ["yes"], False, 0.0),
        ("no", ["no one"], False, 0.0),
        ("", ["Nile"], False, 0.0),
    ],
)
def test_exact_match_and_f1_by_hand(text: str, answers: list[str], exact: bool, expected: float) -> None:
    assert exact_match(text, answers) == exact
    assert f1(text, answers) == pytest.approx(expected)
    assert QuestionItem("qa", "Which?", tuple(answers)).grade(text) == Grade(exact, f1(text, answers), bool(text))


def test_what_is_said_after_the_first_line_is_no_answer() -> None:
    item = QuestionItem("qa", "Which river?", ("Blue Nile",))
    assert first_line("\n  Blue Nile \nQuestion: ...") == "Blue Nile"
    assert item.correct("\nThe Blue Nile.\nIt is long.")
    assert item.grade(" \n ") == Grade(False, 0.0, False)
    assert isinstance(item, GradedItem)
    with pytest.raises(ValueError, match=r"answers with words in them, but \['\?'\] arrived"):
        QuestionItem("qa", "Which?", ("?",))


ROWS = [
    {"question": "Which river?", "answer": "Blue Nile", "context": "A text."},
    {"question": "Which town?", "answers": ["Ostrava"], "context": ["One.", "Two  lines\nof it."]},
    {
        "question": "Which hill?",
        "answer": {"value": "Říp", "aliases": ["Rip", "Rip"]},
        "context": [["Hills", ["One. ", "Two."]]],
    },
    {"question": "Is it?", "answer": "yes", "context": {"title": ["T", "U"], "sentences": [["One.", " Two."], []]}},
]


def written(folder: Path, rows: list[dict]) -> Path:
    path = folder / "river_qa.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_form_of_answer_and_context_is_read(tmp_path: Path) -> None:
    items = read_questions(written(tmp_path, ROWS), instruction="Be brief.")
    assert [item.question.split("\n\n") for item in items] == [
        ["A text.", "Which river?", "Be brief."],
        ["One.\nTwo lines of it.", "Which town?", "Be brief."],
        ["Hills: One. Two.", "Which hill?", "Be brief."],
        ["T: One. Two.", "Is it?", "Be brief."],
    ]
    assert items[2].answers == ("Říp", "Rip")
    assert {item.task for item in items} == {"river_qa"}
    assert len(read_questions(written(tmp_path, ROWS), n=2)) == 2


@pytest.mark.parametrize("nothing", ["", [], {"title": [], "sentences": []}, [["Title", []]], None])
def test_empty_contexts_are_refused_unless_the_book_is_closed(tmp_path: Path, nothing: object) -> None:
    rows = [ROWS[0], {**ROWS[1], "context": nothing}]
    with pytest.raises(ValueError, match=r"no context in 1 of 2 rows, the first of them row 2. .* closed_book=True"):
        read_questions(written(tmp_path, rows))
    items = read_questions(written(tmp_path, rows), task="rivers", closed_book=True)
    # None is shown a context, so that all are the same task, which the name tells.
    assert [item.question for item in items] == [f"{row['question']}\n\n{INSTRUCTION}" for row in rows]
    assert {item.task for item in items} == {"rivers (closed book)"}
    without = [{key: value for key, value in row.items() if key != "context"} for row in rows]
    with pytest.raises(ValueError, match="no context in 2 of 2 rows"):
        read_questions(written(tmp_path, without))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "x", "context": "c"}, "row 1 has no text under 'question'"),
        ({"question": "Q?", "context": "c"}, "row 1 has no answer with words in it"),
        ({"question": "Q?", "answer": "?", "context": "c"}, "row 1 has no answer with words in it"),
        ({"question": "Q?", "answer": [], "context": "c"}, "row 1 has no answer with words in it"),
        ({"question": "Q?", "answer": "x", "context": 5}, "row 1: a context is a text, .* but a int of another form"),
        ({"question": "Q?", "answer": "x", "context": [["t"]]}, "but a list of another form"),
        ({"question": "Q?", "answer": "x", "context": {"a": 1}}, "but a dict of another form"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_questions(written(tmp_path, [row]))


def test_grades_stand_beside_right_and_wrong_in_a_frame(model: wb.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tasks.items("facts", "test", n=1)
    items = [
        QuestionItem("qa", "Which river?", ("Blue Nile",)),
        NumberItem("gsm8k", "How many?", "18"),
        NumberItem("gsm8k", "How many more?", "2"),
        *plain,
    ]
    said = iter(["the Nile", "20-2 = 18", "20-2", plain[0].answer])
    monkeypatch.setattr("workbench.score.capability.run_conditions", lambda *given, **settings: [list(said)])
    frame = answer_items(model, [Condition.unedited("Openness")], [items])
    assert frame["correct"].tolist() == [False, True, False, True]
    assert frame["score"].tolist() == pytest.approx([2 / 3, 1.0, 0.0, 1.0])
    assert frame["parsed"].tolist() == [True, True, False, True]


def test_items_without_grades_have_the_columns_that_they_had(model: wb.Model) -> None:
    frame = answer_items(model, [Condition.unedited("Openness")], [tasks.items("facts", "test", n=2)])
    assert frame.columns.tolist() == ["arm", "trait", "direction", "gamma", "task", "item", "answer", "correct"]


def test_a_model_answers_items_of_both_kinds(model: wb.Model, tmp_path: Path) -> None:
    sums = [item for item in tasks.items("arithmetic", "test", n=30) if item.answer.isdigit()][:20]
    items = [NumberItem("sums", item.question, item.answer) for item in sums]
    known = [QuestionItem("facts", item.question, (item.answer,)) for item in tasks.items("facts", "test", n=20)]
    frame = answer_items(model, [Condition.unedited("Openness")], [[*items, *known]])
    assert frame["parsed"].all()
    shares = frame.groupby("task")["correct"].mean()
    same = answer_items(model, [Condition.unedited("Openness")], [sums])
    assert shares["sums"] == same["correct"].mean() > 0.5
    assert shares["facts"] > 0.5
    assert (frame["score"] >= frame["correct"]).all()
