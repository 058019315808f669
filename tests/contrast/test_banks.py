import json
from pathlib import Path

import pytest

import workbench as wb
from workbench.contrast.personalitybench import personalitybench_questions
from workbench.vocabulary import Pole

SHARED = Path(__file__).parents[3] / "shared" / "data" / "personalitybench"


def bench(folder: Path, descriptions: list[dict], questions: list[dict], test: list[dict] | None = None) -> Path:
    files = {"description.json": descriptions, "search/Openness.json": questions, "test/Openness.json": test}
    for name, rows in files.items():
        if rows is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_personalitybench_files_load(tmp_path: Path) -> None:
    descriptions = [{"Openness": f"You dream {i}.", "Openness_reversed": f"You plan {i}."} for i in range(3)]
    folder = bench(tmp_path, descriptions, [{"question": f"What of {i}?"} for i in range(5)])
    contrast = wb.Contrast.personalitybench(folder, "Openness", n=12, seed=42)
    assert len(contrast) == 12
    assert set(contrast.poles) == {"high", "low"}
    assert set(contrast.questions[:5]) == {f"What of {i}?" for i in range(5)}
    for row, prompt in enumerate(contrast.high):
        assert prompt.system == f"You dream {contrast.descriptions[Pole.HIGH][row]}."


def test_a_pair_shares_its_question_only_and_equal_descriptions_their_id(tmp_path: Path) -> None:
    # As in the published file, where two of the 80 descriptions of a pole may be the same text.
    descriptions = [{"Openness": f"You dream {i % 3}.", "Openness_reversed": f"You plan {i}."} for i in range(4)]
    folder = bench(tmp_path, descriptions, [{"question": f"What of {i}?"} for i in range(6)])
    contrast = wb.Contrast.personalitybench(folder, "openness", n=200, seed=1)
    assert [prompt.user for prompt in contrast.high] == [prompt.user for prompt in contrast.low]
    high, low = contrast.descriptions[Pole.HIGH], contrast.descriptions[Pole.LOW]
    assert set(high) == {"0", "1", "2"}
    assert set(low) == {"0", "1", "2", "3"}
    for prompt, own in zip(contrast.high, high, strict=True):
        assert prompt.system == f"You dream {own}."
    # Drawn on their own: every combination of descriptions occurs, in rows of the same question too.
    assert len({(a, b) for a, b in zip(high, low, strict=True)}) == 12
    # In rounds, so that every question is asked before any is asked again.
    assert {contrast.questions.count(question) for question in set(contrast.questions)} <= {33, 34}


def test_search_asks_nothing_that_the_test_split_asks(tmp_path: Path) -> None:
    descriptions = [{"Openness": "You dream.", "Openness_reversed": "You plan."}]
    search = [{"question": f"What of {i}?"} for i in range(8)]
    folder = bench(tmp_path, descriptions, search, [{"question": "what of  3?"}, {"question": "What of all?"}])
    contrast = wb.Contrast.personalitybench(folder, "Openness", n=7)
    assert "What of 3?" not in contrast.questions
    assert contrast.source == "PersonalityBench search, without 1 questions of its test split"
    assert wb.Contrast.personalitybench(folder, "Openness", n=4, split="test").source == "PersonalityBench test"
    free = personalitybench_questions(folder, "Openness", split="search", seed=42)
    assert len(free) == 7
    assert set(wb.Contrast.personalitybench(folder, "Openness", n=4, seed=42).questions) == set(free[:4])
    bench(folder, descriptions, search[:1], search)
    with pytest.raises(ValueError, match="Every search question about Openness is a test question too"):
        wb.Contrast.personalitybench(folder, "Openness")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published PersonalityBench files are not on this machine")
@pytest.mark.parametrize("trait", wb.BIG_FIVE)
def test_the_published_files_load(trait: str) -> None:
    contrast = wb.Contrast.personalitybench(SHARED, trait, n=1000, split="test")
    asked = {"Conscientiousness": 89, "Neuroticism": 100}.get(trait, 90)
    assert len(set(contrast.questions)) == asked == len(personalitybench_questions(SHARED, trait, split="test"))
    assert [prompt.user for prompt in contrast.high] == [prompt.user for prompt in contrast.low]
    assert all(prompt.system for prompt in contrast.high + contrast.low)
    for pole in ("high", "low"):
        texts = {prompt.system for prompt in contrast.poles[Pole(pole)]}
        # 1000 draws leave out one of 80 descriptions with probability 80 * (79/80)^1000 < 0.0003.
        assert len(texts) == len(set(contrast.descriptions[Pole(pole)]))
        assert len(texts) in (79, 80)
    assert contrast.digest == wb.Contrast.personalitybench(SHARED, trait, n=1000, split="test").digest


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*description.json"):
        wb.Contrast.personalitybench(tmp_path, "Openness")
    folder = bench(tmp_path, [{"Openness": "You dream."}], [{"question": "What?"}])
    with pytest.raises(ValueError, match=r"description.json, row 1 lacks \['Openness_reversed'\]"):
        wb.Contrast.personalitybench(folder, "Openness")
    folder = bench(tmp_path, [{"Openness": "a", "Openness_reversed": "b"}], [])
    with pytest.raises(ValueError, match="holds an empty file"):
        wb.Contrast.personalitybench(folder, "Openness")
