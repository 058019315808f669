"""Numbers that answers end on, and the problems of a GSM8K file."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from workbench.score.capability import GradedItem, Item
from workbench.score.items.gsm8k import INSTRUCTION, NumberItem, final_number, read_gsm8k
from workbench.score.items.rows import read_rows

GSM8K = Path(__file__).parents[4] / "shared" / "data" / "capability" / "gsm8k_test.json"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", "18"),
        ("So she has 18.", "18"),
        ("She sold 12, 13, and 14", "14"),
        ("**$1,018.50**", "1018.50"),
        ("1,450,000 dollars", "1450000"),
        ("\\boxed{18}", "18"),
        ("80%", "80"),
        ("20km", "20"),
        ("€ 5 a day", "5"),
        (".5", "0.5"),
        # Signs.
        ("It is -3 degrees", "-3"),
        ("x = −3", "-3"),
        ("(-$1,200.75)", "-1200.75"),
        ("$-5", "-5"),
        ("+7", "7"),
        ("Total:\n- 18", "18"),
        # A difference is no negative number, nor any number.
        ("20-2", None),
        ("20 - 2", None),
        ("20 -2", None),
        ("20−2", None),
        ("20-2 = 18", "18"),
        ("$20 - $2 = $18", "18"),
        ("18 (that is 20 - 2)", "18"),
        ("9 x 2", None),
        ("(9*2)/3", None),
        ("1/2", None),
        ("10-12", None),
        ("20-2e3", None),
        # What else has digits in it.
        ("GPT-4 and H2O", None),
        ("10:30", None),
        ("1.2.3", None),
        ("3,4", None),
        ("1,23", None),
        ("on the 3rd", None),
        # Thousands apart by something else.
        ("42 000", "42000"),
        ("42\u00a0000", "42000"),
        ("42\u202f000", "42000"),
        ("42\u2009000 people", "42000"),
        ("1 234 567.89", "1234567.89"),
        ("42 000.5", "42000.5"),
        ("42 000,50", "42000.50"),
        ("€ 42 000", "42000"),
        ("−42 000", "-42000"),
        ("42'000", "42000"),
        ("42’000.50", "42000.50"),
        ("1.000.000", "1000000"),
        ("1.234.567,89", "1234567.89"),
        ("1.234,50", "1234.50"),
        ("1,00,000", "100000"),
        ("1.000", "1"),
        ("42, 000", "42000"),
        (r"\boxed{42{,}000}", "42000"),
        (r"\$42\,000", "42000"),
        (r"42,\!000", "42000"),
        ("In 2019 300 people", "300"),
        ("3 000 000 and 12 000", "12000"),
        ("42 000 - 2", None),
        ("0,500", None),
        ("42 000,500", None),
        ("1,2,3", None),
        ("12 3456", "3456"),
        # Signs, digits and scales.
        ("x = –5", "-5"),
        ("x = \uff0d\uff15", "-5"),
        ("\uff14\uff12\uff0c\uff10\uff10\uff10", "42000"),
        ("٤٢", "42"),
        ("3–4", None),
        ("3—4", None),
        ("10²", None),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("1e3x", None),
        ("1e9999", None),
        ("3 × 10^3", None),
        ("$5k", "5000"),
        ("5K", "5000"),
        ("$1.5 million", "1500000"),
        ("three: 3 hundred", "300"),
        ("5 km", "5"),
        ("3 dozen", "3"),
        ("50%", "50"),
        ("2 1/2", None),
        (r"\frac{1}{2}", None),
        (r"\dfrac{3}{4} of them", None),
        ("", None),
        ("none", None),
        # After the mark, the first one.
        ("5 + 6 = 11\n#### 12", "12"),
        ("#### 5 apples in 3 bags", "5"),
        ("#### 1\n#### 2", "2"),
        ("It is 5\n#### five", None),
        ("#### 20-2", None),
    ],
)
def test_the_number_that_an_answer_ends_on(text: str, number: str | None) -> None:
    assert final_number(text) == (None if number is None else Decimal(number))


LONG = ("1,", "1+", "-", "$ ", "1", "1.", "(1)-(", "100 ", " 000", "1'", "1 1/", "1e", "\\frac{")


@pytest.mark.parametrize("part", LONG)
def test_a_long_answer_takes_no_longer_than_its_length(part: str) -> None:
    final_number(part * 50_000)  # a pattern that tried every way to part this would never return


def test_right_is_the_same_number_and_not_a_part_of_one() -> None:
    item = NumberItem("gsm8k", "How many?", "1,018")
    for text in ("1018", "$1,018.00", "so 1,018 in all.", "#### 1018"):
        grade = item.grade(text)
        assert (item.correct(text), grade.correct, grade.score, grade.parsed) == (True, True, 1.0, True)
    for text in ("11018", "10180", "101", "-1018", "1018.5", "1018 - 0", "1018 less 2"):
        assert not item.correct(text), text
    assert [item.grade(text).parsed for text in ("no idea", "1018 - 0", "7")] == [False, False, True]
    assert isinstance(item, Item)
    assert isinstance(item, GradedItem)
    with pytest.raises(ValueError, match="The answer of a NumberItem is a number, but '20-2' arrived"):
        NumberItem("gsm8k", "How many?", "20-2")


@pytest.mark.parametrize("lines", [True, False])
def test_a_file_of_either_form_is_read(tmp_path: Path, lines: bool) -> None:
    rows = [{"question": f" What is {i} + 1? ", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"} for i in range(6)]
    path = tmp_path / "x.json"
    path.write_text("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows), encoding="utf-8-sig")
    items = read_gsm8k(path)
    assert items[3] == NumberItem("gsm8k", f"What is 3 + 1?\n\n{INSTRUCTION}", "4")
    assert read_gsm8k(path, instruction="")[3].question == "What is 3 + 1?"
    some = read_gsm8k(path, n=4, seed=1)
    assert len(set(some)) == 4
    assert set(some) < set(items)
    assert some == read_gsm8k(path, n=4, seed=1)
    with pytest.raises(ValueError, match="1 to 6 items can be drawn, but 7 were asked for"):
        read_gsm8k(path, n=7)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "x.json holds no rows"),
        ("[]", "x.json holds no rows"),
        ("[1]", "x.json, row 1: a row is an object, but its type is int"),
        ("[{", "x.json is no JSON"),
        ("{", "x.json, line 1 is not JSON"),
        ('{"question": "Q?"}', r"row 1 has no text under 'answer'; it has \['question'\]"),
        ('{"question": "Q?", "answer": "5"}', "row 1: the answer does not end in #### and a number"),
        ('{"question": "Q?", "answer": "#### five"}', "row 1: the answer does not end in #### and a number"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_gsm8k(tmp_path / "x.json")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_gsm8k(tmp_path / "none.json")


@pytest.mark.skipif(not GSM8K.is_file(), reason="the GSM8K test file is not on this machine")
def test_the_released_problems() -> None:
    items, rows = read_gsm8k(GSM8K), read_rows(GSM8K)
    assert len(items) == 1319
    assert sum("," in item.answer for item in items) == 14
    assert sum(item.answer.startswith("-") for item in items) == 2
    assert all(item.correct(row["answer"]) for item, row in zip(items, rows, strict=True))
    # Without the marked line, most workings still end on the answer, and every one ends on some number.
    unmarked = [item.grade(row["answer"].rpartition("####")[0]) for item, row in zip(items, rows, strict=True)]
    assert all(grade.parsed for grade in unmarked)
    assert sum(grade.correct for grade in unmarked) == 1285
