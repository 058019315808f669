import json
from pathlib import Path

import pytest

import workbench as wb

SHARED = Path(__file__).parents[3] / "shared" / "data" / "personalitybench"


def bench(folder: Path, descriptions: list[dict], questions: list[dict]) -> Path:
    (folder / "search").mkdir(parents=True, exist_ok=True)
    (folder / "description.json").write_text("".join(json.dumps(row) + "\n" for row in descriptions))
    (folder / "search" / "Openness.json").write_text("".join(json.dumps(row) + "\n" for row in questions))
    return folder


def test_personalitybench_files_load(tmp_path: Path) -> None:
    descriptions = [{"Openness": f"You dream {i}.", "Openness_reversed": f"You plan {i}."} for i in range(3)]
    folder = bench(tmp_path, descriptions, [{"question": f"What of {i}?"} for i in range(5)])
    contrast = wb.Contrast.personalitybench(folder, "Openness", n=12, seed=42)
    assert len(contrast) == 12
    assert set(contrast.poles) == {"high", "low"}
    assert set(contrast.questions[:5]) == {f"What of {i}?" for i in range(5)}
    for row, prompt in enumerate(contrast.high):
        assert prompt.system == f"You dream {contrast.descriptions[wb.Pole.HIGH][row]}."


def test_the_published_files_load() -> None:
    if not SHARED.is_dir():
        pytest.skip("the published PersonalityBench files are not on this machine")
    for trait in wb.BIG_FIVE:
        contrast = wb.Contrast.personalitybench(SHARED, trait, n=40, split="test")
        assert len(contrast) == 40
        assert all(prompt.system and prompt.user for prompt in contrast.high + contrast.low)


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*description.json"):
        wb.Contrast.personalitybench(tmp_path, "Openness")
    folder = bench(tmp_path, [{"Openness": "You dream."}], [{"question": "What?"}])
    with pytest.raises(ValueError, match=r"description.json, row 1 lacks \['Openness_reversed'\]"):
        wb.Contrast.personalitybench(folder, "Openness")
    folder = bench(tmp_path, [{"Openness": "a", "Openness_reversed": "b"}], [])
    with pytest.raises(ValueError, match="holds an empty file"):
        wb.Contrast.personalitybench(folder, "Openness")
