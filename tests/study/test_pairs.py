"""The pairs of a study: those held out share neither question nor description with those that neurons are found on."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.study.config import StudyConfig
from workbench.study.pairs import pairs_of
from workbench.vocabulary import Pole


def config(source: str, **settings: Any) -> StudyConfig:
    return StudyConfig(contrast=source, traits=("Openness",), **{"pairs": 200, "patching_pairs": 20, **settings})


def both(source: str, **settings: Any) -> tuple[wb.Contrast, wb.Contrast]:
    found, held = (pairs_of(config(source, **settings), "Openness", held_out=held_out) for held_out in (False, True))
    assert not set(found.questions) & set(held.questions)
    return found, held


def shares_descriptions(found: wb.Contrast, held: wb.Contrast) -> bool:
    return any(set(found.descriptions[pole]) & set(held.descriptions[pole]) for pole in (Pole.HIGH, Pole.LOW))


def write_table(path: Path, *, questions: int, described: int) -> str:
    rows = [
        {"question": f"q{i}", "high": f"high {j}", "low": f"low {j}", "trait": "Openness"}
        for i in range(questions)
        for j in range(described)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("source", ["testbed", "builtin"])
def test_a_bank_gives_as_many_pairs_as_are_asked_for_and_shares_nothing(source: str) -> None:
    found, held = both(source)
    assert (len(found), len(held)) == (200, 20)
    assert not shares_descriptions(found, held)


def test_a_personalitybench_folder_shares_no_description_between_its_splits(tmp_path: Path) -> None:
    descriptions = [{"Openness": f"open {i % 15}", "Openness_reversed": f"closed {i}"} for i in range(20)]
    (tmp_path / "description.json").write_text("\n".join(map(json.dumps, descriptions)), encoding="utf-8")
    for split in ("search", "test"):
        (tmp_path / split).mkdir()
        lines = [json.dumps({"question": f"{split} {i}?"}) for i in range(30)]
        (tmp_path / split / "Openness.json").write_text("\n".join(lines), encoding="utf-8")
    found, held = both(str(tmp_path))
    texts = [{prompt.system for prompt in contrast.high} for contrast in (found, held)]
    assert (len(texts[0]), len(texts[1])) == (12, 3)
    assert not texts[0] & texts[1]
    assert not shares_descriptions(found, held)
    assert held.source.endswith("held-out descriptions")
    published = wb.Contrast.personalitybench(tmp_path, "Openness", n=200, split="test")
    assert len({prompt.system for prompt in published.high}) == 15


def test_a_crossed_table_leaves_mixed_pairs_out_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = write_table(tmp_path / "pairs.jsonl", questions=30, described=10)
    with caplog.at_level(logging.WARNING, "workbench"):
        found, held = both(table)
    assert not shares_descriptions(found, held)
    assert 16 <= len(held) <= 20
    assert (
        f"Of 300 pairs of Openness, {len(found)} are used to find neurons and {len(held)} are held out" in caplog.text
    )


def test_a_table_with_one_description_a_pole_runs_and_says_what_is_shared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = write_table(tmp_path / "pairs.jsonl", questions=60, described=1)
    with caplog.at_level(logging.WARNING, "workbench"):
        found, held = both(table)
    assert (len(found), len(held)) == (40, 20)
    assert "held-out pairs of Openness share descriptions" in caplog.text


def test_a_table_whose_pairs_share_nothing_loses_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"question": f"q{i}", "high": f"high {i}", "low": f"low {i}"} for i in range(50)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found, held = both(str(path))
    assert (len(found), len(held), caplog.text) == (30, 20, "")
    with pytest.raises(
        ValueError, match="50 of the pairs of Openness are to be held out, but .* has 50. Lower patching"
    ):
        both(str(path), patching_pairs=50)
