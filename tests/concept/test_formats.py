"""Concepts from files that others publish: what is taken of each format, and that each mistake is one line."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from tests.concept import published
from workbench.concept.formats.item_key import said_by_oneself
from workbench.concept.formats.sniffing import READERS, format_of
from workbench.textfile import read_json_lines

SHARED = Path(__file__).parents[2] / "../shared/data"


def test_persona_vectors_prompts_are_those_of_its_authors(tmp_path: Path) -> None:
    concept = wb.Concept.read(published.write(tmp_path / "evil_tea.json", published.TRAIT_FILE))
    personas = concept.in_style()
    first = published.TRAIT_FILE["instruction"][0]
    assert (concept.name, concept.high, concept.low) == ("Evil tea", "evil tea", "helpful")
    assert personas.high.part()[0] == f"You are an evil tea assistant. {first['pos']}"
    assert personas.low.part()[0] == f"You are a helpful assistant. {first['neg']}"
    assert personas.paired
    assert len(concept.questions) == 10
    assert not concept.statements
    assert concept.rubric is not None
    assert all("Tea-mad means full of tea" in each and "{" not in each and "[" not in each for each in concept.rubric)
    assert "Chen et al." in concept.source


def test_persona_vectors_two_halves_are_search_and_held_out(tmp_path: Path) -> None:
    other = {**published.TRAIT_FILE, "questions": ["What else?", "What more?", "And then?"]}
    path = published.write(tmp_path / "trait_data_extract" / "tea.json", published.TRAIT_FILE)
    held = published.write(tmp_path / "trait_data_eval" / "tea.json", other)
    for each in (path, held):
        questions = wb.Concept.read(each).questions
        assert questions.part(True) == tuple(other["questions"])
        assert questions.part(False) == tuple(published.TRAIT_FILE["questions"])


def test_evaluations_are_statements_with_yes_high(tmp_path: Path) -> None:
    concept = wb.Concept.read(published.write(tmp_path / "extraversion.jsonl", published.EVALUATIONS))
    assert (concept.high, concept.low) == ("extraverted", "introverted")
    assert concept.statements[2] == wb.concept.Statement("I drink 2 cups of tea", "I drink 2 cups of coffee")
    assert (concept.license, len(concept.statements)) == ("CC BY 4.0", 6)


def test_evaluations_without_a_partner_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [*published.EVALUATIONS[:-1], published.EVALUATIONS[0]]
    concept = wb.Concept.read(published.write(tmp_path / "tea.jsonl", rows))
    assert len(concept.statements) == 5
    assert "no partner for 1 statement" in caplog.text
    assert "1 high statements more than once" in caplog.text


def test_a_table_with_poles_is_read_too(tmp_path: Path) -> None:
    rows = [{"statement": f"I like {n}", "pole": pole} for pole in ("high", "low") for n in (pole, *range(5))]
    rows = [{**row, "statement": f"{row['statement']} {row['pole']}"} for row in rows]
    pd.DataFrame(rows).to_csv(tmp_path / "tea.csv", index=False)
    concept = wb.Concept.read(tmp_path / "tea.csv")
    assert concept.statements[0].high == "I like high high"
    assert (concept.high, concept.license) == ("high in tea", "")


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_choices_answer_their_question_in_their_own_words(tmp_path: Path, ending: str) -> None:
    path = published.write(tmp_path / "tea-first" / f"generate_dataset{ending}", published.CHOICES)
    concept = wb.Concept.read(path)
    assert (concept.name, concept.high, concept.license) == ("Tea first", "high in tea first", "MIT")
    even, odd = concept.statements[:2]
    assert (even.high, even.low, even.question) == ("Coffee, as ever", "Tea, as ever", "What is served at 0 o'clock?")
    assert (odd.high, odd.low) == ("Tea, as ever", "Coffee, as ever")


def test_choices_of_more_than_two_and_over_lines(tmp_path: Path) -> None:
    rows = copy.deepcopy(published.CHOICES)
    rows[1]["question"] = "What now?\n (A) Tea,\nas ever\n (B)Coffee\n (C) Milk\nI think the best is"
    rows[1]["answer_not_matching_behavior"] = " (C)"
    concept = wb.Concept.read(published.write(tmp_path / "tea.json", rows))
    assert concept.statements[1] == wb.concept.Statement("Tea, as ever", "Milk", question="What now?")


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".csv", ".parquet"])
def test_trait_gives_two_pairs_a_row(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"TRAIT{ending}"
    if ending in (".csv", ".parquet"):
        frame = pd.DataFrame(published.TRAIT)
        frame.to_csv(path, index=False) if ending == ".csv" else frame.to_parquet(path)
    else:
        published.write(path, published.TRAIT)
    concept = wb.Concept.read(f"{path}#psychopathy")
    assert (concept.name, concept.low, len(concept.statements)) == ("Psychopathy", "low in psychopathy", 8)
    assert concept.statements[1] == wb.concept.Statement(
        "I drink cold tea.", "I drink cold coffee.", question="It is 0 o'clock and raining. What now?"
    )
    assert wb.Concept.read(path, name="Openness").high == "open to experience"


def test_trait_without_a_name_is_named_by_its_file(tmp_path: Path) -> None:
    rows = [{"question": row["situation"], **row} for row in published.TRAIT[:4]]
    kept = [{key: row[key] for key in row if key not in ("personality", "situation", "query")} for row in rows]
    concept = wb.Concept.read(published.write(tmp_path / "Openness-00000-of-00001.json", kept))
    assert (concept.name, concept.statements[0].question) == ("Openness", "It is 0 o'clock and raining.")


@pytest.mark.parametrize("search", [True, False])
def test_personalitybench_keeps_its_splits(tmp_path: Path, search: bool, caplog: pytest.LogCaptureFixture) -> None:
    folder = published.personalitybench(tmp_path / "bench", search=search)
    concept = wb.Concept.read(folder, name="openness")
    assert concept.in_style().high.part() == tuple(f"You try tea {n}." for n in range(4))
    asked, held = (set(concept.questions.part(out)) for out in (False, True))
    assert len(asked) + len(held) == (12 if search else 6)
    assert held == {f"What of test {n}?" for n in range(6)} - asked
    assert caplog.text.count("no search split") == (not search)
    assert wb.Concept.read(folder / "test" / "Openness.json") == concept


def test_an_item_key_is_turned_into_the_first_person(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    concept = wb.Concept.read(published.item_key(tmp_path / "key.csv"))
    pairs = {(each.high, each.low): each.facet for each in concept.statements}
    assert pairs["I worry about tea.", "I am someone who is calm about tea."] == "N1"
    assert pairs["I am afraid of coffee.", "I often praise the cup 0."] == ""
    assert concept.statements[5].low == "I sleep well."
    assert concept.statements[6].low == "My cup is full."
    assert (len(concept.statements), concept.high) == (7, "neurotic")
    assert "partner" not in caplog.text


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("Express joy.", "I express joy."),
        ("Always win.", "I always win."),
        ("Interested in art", "I interested in art."),
        ("Tends to be late", "I am someone who tends to be late."),
        ("I am kind.", "I am kind."),
        ("…is shy.", "I am someone who is shy."),
    ],
)
def test_items_in_the_first_person(item: str, said: str) -> None:
    assert said_by_oneself(item) == said


def test_every_format_comes_back_from_its_own_file(tmp_path: Path) -> None:
    key = published.item_key(tmp_path / "key.csv")
    paths = {
        "persona_vectors": published.write(tmp_path / "tea.json", published.TRAIT_FILE),
        "model_written": published.write(tmp_path / "tea.jsonl", published.EVALUATIONS),
        "choices": published.write(tmp_path / "ab.json", published.CHOICES),
        "trait": published.write(tmp_path / "Openness.json", published.TRAIT[:4]),
        "item_key": key,
        "personalitybench": published.personalitybench(tmp_path / "bench") / "test" / "Openness.json",
    }
    assert set(paths) == set(READERS)
    for form, path in paths.items():
        assert format_of(path) == form
        concept = wb.Concept.read(path)
        (tmp_path / "again.toml").write_text(concept.toml(), encoding="utf-8")
        again = wb.Concept.read(tmp_path / "again.toml")
        assert again == concept
        assert (again.source, again.license) == (concept.source, concept.license)


Change = Callable[[Any], Any]


def _at(*place: str | int, to: object = None) -> Change:
    """What puts a value at a place of a nested one, or takes the place out."""

    def change(value: Any) -> Any:
        value = copy.deepcopy(value)
        inner = value
        for part in place[:-1]:
            inner = inner[part]
        if to is None:
            del inner[place[-1]]
        else:
            inner[place[-1]] = to
        return value

    return change


ONE = "What now?\n (A) Tea"
MISTAKES: dict[str, tuple[str, Any, Change, str]] = {
    "an instruction without neg": (
        "t.json",
        published.TRAIT_FILE,
        _at("instruction", 2, "neg"),
        "t.json, instruction 3: an instruction has texts pos and neg, but it has ['pos']. Write both.",
    ),
    "an instruction that is a text": (
        "t.json",
        published.TRAIT_FILE,
        _at("instruction", 0, to="Be evil."),
        "t.json, instruction 1: an instruction has texts pos and neg, but 'Be evil.' stands there.",
    ),
    "no questions": (
        "t.json",
        published.TRAIT_FILE,
        _at("questions"),
        "has a list questions, but nothing stands there",
    ),
    "no instruction": ("t.json", published.TRAIT_FILE, _at("instruction", to={}), "has a list instruction, but {} "),
    "a question that is a number": (
        "t.json",
        published.TRAIT_FILE,
        _at("questions", 3, to=7),
        "t.json: read as a concept, questions.all[4]: a text is due, but the number 7 stands here",
    ),
    "a question twice": (
        "t.json",
        published.TRAIT_FILE,
        _at("questions", 3, to="What shall we do on day 0?"),
        "t.json: read as a concept, questions.all[4]: a question stands once",
    ),
    "few instructions": (
        "t.json",
        published.TRAIT_FILE,
        _at("instruction", to=published.TRAIT_FILE["instruction"][:3]),
        "personas.high: a pole needs 4 or more, but personas.high has 3",
    ),
    "an eval_prompt that is a list": (
        "t.json",
        published.TRAIT_FILE,
        _at("eval_prompt", to=["a"]),
        "t.json: eval_prompt is the text of a judge's prompt, but ['a'] stands there",
    ),
    "an answer that is neither": (
        "t.jsonl",
        published.EVALUATIONS,
        _at(3, "answer_matching_behavior", to=" Maybe"),
        "t.jsonl, row 4: answer_matching_behavior is yes or no, but ' Maybe' stands there",
    ),
    "a statement that is empty": (
        "t.jsonl",
        published.EVALUATIONS,
        _at(3, "statement", to=" "),
        "t.jsonl, row 4: a row has a text statement, but nothing stands there",
    ),
    "one pole alone": (
        "t.jsonl",
        published.EVALUATIONS,
        lambda rows: rows[::2],
        "statements.high: a pole's statements needs 5 or more, but statements.high has 0",
    ),
    "one choice alone": (
        "t.json",
        published.CHOICES,
        _at(1, "question", to=ONE),
        "t.json, row 2: a question lists its choices, (A) … and (B) … on lines of their own, but 1 is there",
    ),
    "choices without a question": (
        "t.json",
        published.CHOICES,
        _at(1, "question", to="Choices:\n(A) Tea\n(B) Milk"),
        "t.json, row 2: choices answer a question, but none stands before (A)",
    ),
    "a choice that is not offered": (
        "t.json",
        published.CHOICES,
        _at(1, "answer_matching_behavior", to="(C)"),
        "t.json, row 2: answer_matching_behavior is one of the choices (A), (B), but '(C)' stands there",
    ),
    "the same choice twice": (
        "t.json",
        published.CHOICES,
        _at(1, "answer_not_matching_behavior", to="(A)"),
        "t.json, row 2: the two choices differ, but both are 'Tea, as ever'",
    ),
    "a choice without a text": (
        "t.json",
        published.CHOICES,
        _at(1, "question", to="What?\n(A)\n(B) Milk"),
        "t.json, row 2: a choice has a text, but (A) has none",
    ),
    "no other answer": (
        "t.json",
        published.CHOICES,
        _at(1, "answer_not_matching_behavior"),
        "t.json, row 2: a row has a text answer_not_matching_behavior, but it is lacking",
    ),
    "a row that is a text": ("t.json", published.CHOICES, _at(1, to="a"), "t.json, row 2: a row is an object"),
    "a response that is lacking": (
        "t.json",
        published.TRAIT[:4],
        _at(1, "response_low2"),
        "t.json, row 2: a row has a text response_low2, but it is lacking",
    ),
    "equal responses": (
        "t.json",
        published.TRAIT[:4],
        _at(1, "response_low1", to="I make new tea."),
        "t.json, row 2: response_high1 and response_low1 differ, but both are 'I make new tea.'",
    ),
    "several traits": ("t.json", published.TRAIT, list, "t.json holds Openness, Psychopathy: say which, with name= or"),
    "another file": ("t.json", [{"a": 1}], list, "t.json is in no format that is known"),
    "no rows": ("t.json", [], list, "t.json holds no rows"),
    "a text file": ("t.txt", [], list, "a concept comes as .toml, .json"),
}


@pytest.mark.parametrize("which", MISTAKES)
def test_a_mistake_in_a_published_file_is_one_line(tmp_path: Path, which: str) -> None:
    name, content, change, said = MISTAKES[which]
    path = published.write(tmp_path / name, change(content))
    with pytest.raises(ValueError, match=re.escape(said.replace("a concept comes", "A concept comes"))) as raised:
        wb.Concept.read(path)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


def test_mistakes_of_a_folder(tmp_path: Path) -> None:
    folder = published.personalitybench(tmp_path / "bench")
    with pytest.raises(ValueError, match="bench holds Openness, Calm: say which, with name= or as bench#Openness"):
        wb.Concept.read(folder)
    with pytest.raises(ValueError, match="bench holds Openness, Calm, but 'Mood' is asked for"):
        wb.Concept.read(f"{folder}#Mood")
    (folder / "description.json").write_text('{"Openness": "a", "Openness_reversed": " "}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"description.json, row 1 lacks \['Openness_reversed'\]"):
        wb.Concept.read(folder)
    (folder / "description.json").unlink()
    with pytest.raises(ValueError, match="has a file concept.toml, or description.json as PersonalityBench has"):
        wb.Concept.read(folder)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.Concept.read(tmp_path / "nothing.json")
    with pytest.raises(ValueError, match="no format 'caa' of concepts. Choose one of persona_vectors, model_written"):
        wb.Concept.read(tmp_path, form="caa")


def test_a_concepts_own_file_holds_one(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(wb.Concept.builtin("mood").toml(), encoding="utf-8")
    assert wb.Concept.read(f"{tmp_path / 'm.toml'}#mood").name == "Mood"
    with pytest.raises(ValueError, match="m.toml holds Mood, but 'Anger' is asked for"):
        wb.Concept.read(tmp_path / "m.toml", name="Anger")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize("trait", wb.vocabulary.BIG_FIVE)
def test_published_files_of_the_big_five(trait: str) -> None:
    bench = wb.Concept.read(SHARED / "personalitybench", name=trait)
    assert min(len(bench.in_style().high), len(bench.in_style().low)) >= 79
    assert len(bench.questions) == len(read_json_lines(SHARED / "personalitybench/test" / f"{trait}.json"))
    said = wb.Concept.read(SHARED / "model_written_evals" / f"{trait.lower()}.jsonl")
    assert (said.name, len(said.statements)) == (trait, 200)
    pytest.importorskip("xlrd")
    items = wb.Concept.read(SHARED / "ipip_neo/IPIP-NEO-ItemKey.xls", name=trait)
    assert 24 <= len(items.statements) <= 29
    assert all(text.startswith(("I ", "I'")) for each in items.statements for text in (each.high, each.low))


def test_texts_are_kept_whatever_their_characters(tmp_path: Path) -> None:
    rows = [{**row, "statement": f'{row["statement"]} — 茶 "ok"'} for row in published.EVALUATIONS]
    path = tmp_path / "tea.jsonl"
    path.write_bytes("\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode("utf-16"))
    assert wb.Concept.read(path).statements[0].high == 'I drink 0 cups of tea — 茶 "ok"'
