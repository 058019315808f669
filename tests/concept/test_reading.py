"""Concepts from files: what is read, and that each mistake is one line with the file's line."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import workbench as wb
from tests.concept.concepts import TEA
from workbench.concept.lines import lines_of
from workbench.concept.texts import Texts

NEUTRAL = '["You own a lamp.", "You live upstairs.", "You have a bicycle.", "You wear size forty."]'
RUBRIC = '[rubric]\nhigh = "somebody who drinks tea"\nlow = "somebody who drinks coffee"'

MISTAKES = {
    "a misspelt table": ("[personas]", "[persona]", 10, "'persona' in a concept. Did you mean 'personas'"),
    "a wrong key": ('low = "fond of', 'lo = "fond of', 8, "no entry 'lo' in poles. Did you mean 'low'"),
    "an unknown key": ('source = "', 'colour = "', 3, "'colour' in a concept. There are name, source"),
    "too few personas": ('    "You own nine teapots.",\n    "You never miss your tea.",\n', "", 11, "has 3. Add 1."),
    "an empty text": ('"You love black coffee."', '""', 20, "a text is due, but it is empty"),
    "a blank text": ('"You love black coffee."', '"  "', 20, "a text is due, but it is empty"),
    "a text twice": ('"You own nine teapots."', '"You  love GREEN tea."', 14, "stands in line 13 too. Keep one"),
    "a text in both poles": (
        '"You love black coffee."',
        '"You love green tea."',
        20,
        "is high and low: it stands in line 13 too",
    ),
    "a persona that is neutral too": (
        '"You own a lamp."',
        '"You love green tea."',
        25,
        "high and neutral: it stands in line 13",
    ),
    "a question in both parts": ('"What do you smell?"', '"What wakes you?"', 29, "stands in line 28 too. Keep one"),
    "statements that do not pair": ('    "I talk about tea.",\n', "", 45, "high 5: this one has no partner"),
    "a number where a text is due": ('"I buy coffee."', "7", 43, "a text is due, but the number 7 stands here"),
    "a truth value where a text is due": ('"I buy coffee."', "true", 43, "but the truth value true stands here"),
    "a text where a list is due": (NEUTRAL, '"You"', 25, "a list of texts is due"),
    "a text where a table is due": (RUBRIC, 'rubric = "tea"', 49, "no entry 'rubric' in statements"),
    "a list where a table is due": (
        'license = "MIT"',
        'license = "MIT"\nstyles = ["a"]',
        5,
        "a table is due, [styles]",
    ),
    "no comma": ('    "You love green tea."', '    "You love green tea.\n"', 13, "this is no TOML (Illegal character"),
    "no value": ('name = "Tea drinking"', "name =", 2, "this is no TOML (Invalid value)"),
    "a key twice": ('license = "MIT"', 'license = "MIT"\nname = "Again"', 5, "Cannot overwrite a value"),
    "no end": ('low = "somebody who drinks coffee"', 'low = ["somebody', 51, "this is no TOML (Illegal character"),
    "no name": ('name = "Tea drinking"', "", 1, "a concept needs a name"),
    "a name that is a path": ('"Tea drinking"', '"Tea/drinking"', 2, "a concept's name is 1 to 40 letters"),
    "a name that tables use": ('"Tea drinking"', '"All"', 2, "is none of all, unedited, neutral, but 'All'"),
    "no poles": ('[poles]\nhigh = "fond of tea"\nlow = "fond of coffee"', "", 49, "a concept needs a table [poles]"),
    "a pole without a word": ('low = "fond of coffee"', "", 6, "[poles] needs high and low"),
    "equal poles": ('low = "fond of coffee"', 'low = "Fond of tea"', 8, "the two poles differ, but both are"),
    "personas of one pole": (
        "neutral = [",
        "neutrals = [",
        25,
        "no entry 'neutrals' in personas. Did you mean 'neutral'",
    ),
    "no questions": (
        '[questions]\nsearch = ["What do you order?", "What is in your cup?", "What wakes you?"]\n'
        'held_out = ["What do you offer guests?", "What do you smell?"]',
        "",
        10,
        "there is no [questions]. Add it",
    ),
    "one part of the questions": (
        'held_out = ["What do you offer guests?", "What do you smell?"]',
        "",
        27,
        "held_out is lacking",
    ),
    "too few questions": (', "What do you smell?"', "", 29, "needs 2 or more, but questions.held_out has 1. Add 1"),
    "questions in both ways": (
        "[questions]",
        '[questions]\nall = ["a"]',
        29,
        "as all, or as search and held_out, but both",
    ),
    "a desirable pole that is none": (
        'low = "fond of coffee"',
        'low = "x"\ndesirable = "tea"',
        9,
        "high or low, but the text 'tea'",
    ),
    "one rubric": ('low = "somebody who drinks coffee"', "", 49, "[rubric] needs high and low"),
    "a table without its text": ('"I buy coffee."', '{ facet = "x" }', 43, "a text in a table needs an entry text"),
    "two questions in a pair": (
        '"I buy coffee.",',
        '{ text = "I buy coffee.", question = "What now?" },',
        43,
        "answer one question, but these have two: the other's stands in line 35",
    ),
    "held out of one pole": (
        "neutral = [",
        'held_out = { high = ["You pour."] }\nneutral = [',
        25,
        "but low is not there. Add some",
    ),
}


@pytest.mark.parametrize(("old", "new", "line", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_one_line_with_the_line_of_the_file(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert TEA.count(old) >= 1
    path = tmp_path / "tea.toml"
    path.write_text(TEA.replace(old, new, 1))
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        wb.Concept.read(path)
    assert str(caught.value).startswith(f"tea.toml, line {line}: ")
    assert "\n" not in str(caught.value)


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "tea.toml"
    path.write_text(TEA)
    concept = wb.Concept.read(path)
    assert (concept.name, concept.high, concept.low) == ("Tea drinking", "fond of tea", "fond of coffee")
    assert len(concept.in_style().high) == 5
    assert concept.questions.part(True) == ("What do you offer guests?", "What do you smell?")
    assert len(concept.in_style().high.part(True)) == 1
    assert len(concept.in_style().high.part(False)) == 4
    assert not set(concept.neutral.part(True)) & set(concept.neutral.part(False))
    assert [(each.high, each.low) for each in concept.statements][2] == ("I buy tea.", "I buy coffee.")
    assert concept.rubric == ("somebody who drinks tea", "somebody who drinks coffee")
    with pytest.raises(ValueError, match="come in the style explicit, but 'behavioural' arrived"):
        concept.in_style("behavioural")


@pytest.mark.parametrize("name", wb.BIG_FIVE)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    for concept in (wb.Concept.builtin(name), wb.Concept.of(_held_out())):
        path = tmp_path / "again.toml"
        path.write_text(concept.toml())
        again = wb.Concept.read(path)
        assert again == concept
        assert again.digest == concept.digest
        assert (again.source, again.license) == (concept.source, concept.license)


def _held_out() -> dict:
    said = {pole: [f"You say {pole} {i}." for i in range(5)] for pole in ("high", "low", "neutral")}
    held = {pole: [f'You keep {pole} {i}.\t"é"' for i in range(2)] for pole in ("high", "low")}
    return {
        "name": "Some-thing",
        "poles": {"high": "high", "low": "low"},
        "personas": {**said, "held_out": held},
        "questions": {"search": ["a?", "b?", "c?"], "held_out": ["d?", "e?"]},
    }


def test_a_changed_text_changes_the_digest_and_another_source_does_not() -> None:
    entries = _held_out()
    concept = wb.Concept.of(entries)
    assert wb.Concept.of({**entries, "source": "elsewhere"}).digest == concept.digest
    entries["questions"]["search"][0] = "another?"
    assert wb.Concept.of(entries).digest != concept.digest


def test_lines_are_those_of_the_text() -> None:
    text = (
        'a."b c".d = 1 # [x]\n'
        "[t]\n"
        'high = """one # [\ntwo \\""" three"""\n'
        "low = [ # ]\n"
        '  \'x]\', "\\"]",\n\n'
        "  { text = 'y', facet = 'z' },\n"
        "]\n"
        "[[t.rows]]\n"
        "text = 'a'\n"
        "[[t.rows]]\n"
        "[t.rows.inner]\n"
        "date = 2020-01-01 # none\n"
    )
    lines = lines_of(text)
    expected = {
        ("a", "b c", "d"): 1, ("t",): 2, ("t", "high"): 3, ("t", "low"): 5, ("t", "low", 0): 6, ("t", "low", 1): 6,
        ("t", "low", 2): 8, ("t", "low", 2, "facet"): 8, ("t", "rows"): 10, ("t", "rows", 0): 10,
        ("t", "rows", 0, "text"): 11, ("t", "rows", 1): 12, ("t", "rows", 1, "inner"): 13,
        ("t", "rows", 1, "inner", "date"): 14,
    }  # fmt: skip
    assert {place: lines.get(place) for place in expected} == expected


def test_a_fifth_of_each_facet_is_held_out_and_nothing_is_lost() -> None:
    personas = wb.Concept.builtin("Openness").in_style()
    assert {row.facet for row in personas.high.rows_of(True)} == {row.facet for row in personas.high.rows}
    assert sorted((*personas.high.part(True), *personas.high.part(False))) == sorted(personas.high.part())
    assert Texts().part(True) == ()


def test_unknown_names_are_told() -> None:
    with pytest.raises(ValueError, match="no built-in concept 'Calm'. Choose one of Openness, .*, or give a concept's"):
        wb.Concept.builtin("Calm")


def in_folder(folder: Path) -> Path:
    """The same concept in a folder, its lists in files of JSON lines."""
    entries = tomllib.loads(TEA)
    personas = [
        {"text": each, "pole": pole} for pole in ("high", "low", "neutral") for each in entries["personas"][pole]
    ]
    questions = [{"text": each, "split": part} for part, texts in entries["questions"].items() for each in texts]
    statements = [{"high": a, "low": b} for a, b in zip(*entries["statements"].values(), strict=True)]
    for name, rows in (("personas", personas), ("questions", questions), ("statements", statements)):
        (folder / f"{name}.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows))
    (folder / "concept.toml").write_text(TEA[: TEA.index("[personas]")] + TEA[TEA.index("[rubric]") :])
    return folder


def test_a_folder_with_tables_is_the_same_concept(tmp_path: Path) -> None:
    (tmp_path / "tea.toml").write_text(TEA)
    folder = in_folder(tmp_path)
    assert wb.Concept.read(folder) == wb.Concept.read(tmp_path / "tea.toml")
    assert wb.Contrast.builtin(str(folder), n=4).trait == "Tea drinking"


FOLDER_MISTAKES = {
    "a row's text": ("personas", '"You love black coffee."', '""', "personas.jsonl, line 13: a text is due, but it is"),
    "a text twice": (
        "personas",
        '"You own nine teapots."',
        '"You love green tea."',
        "line 5: a persona stands once, but",
    ),
    "a pole": (
        "personas",
        '"pole": "low"',
        '"pole": "cold"',
        "personas.jsonl, line 11: pole is one of high, low, neutral",
    ),
    "a column": ("questions", '"split"', '"part"', "questions.jsonl, line 1: there is no column 'part'"),
    "no pole": (
        "personas",
        '"text": "You love green tea.", ',
        "",
        "personas.jsonl, line 3: a row of personas has text and",
    ),
    "a number": ("statements", '"I buy coffee."', "7", "statements.jsonl, line 5: a text is due, but the number 7"),
    "no JSON": ("statements", '"I buy coffee."', "coffee", "statements.jsonl, line 5 is not JSON"),
}


@pytest.mark.parametrize(("table", "old", "new", "said"), FOLDER_MISTAKES.values(), ids=list(FOLDER_MISTAKES))
def test_a_mistake_in_a_folder_names_its_file_and_line(
    tmp_path: Path, table: str, old: str, new: str, said: str
) -> None:
    path = in_folder(tmp_path) / f"{table}.jsonl"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        wb.Concept.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_list_that_stands_in_the_file_and_in_a_table_is_refused(tmp_path: Path) -> None:
    folder = in_folder(tmp_path)
    (folder / "concept.toml").write_text(TEA)
    with pytest.raises(ValueError, match="personas.high stands in concept.toml and in personas.jsonl too"):
        wb.Concept.read(folder)
