import json
from pathlib import Path

import pandas as pd
import pytest

import workbench as wb

ROWS = [
    {"high": "You love crowds.", "low": "You avoid crowds.", "question": "Where do you eat?", "trait": "Extraversion"},
    {"high": "You talk a lot.", "low": "You say little.", "question": "Whom do you call?", "trait": "Extraversion"},
    {"high": "You draw.", "low": "You count.", "question": "What do you do?", "trait": "Openness"},
]


def written(folder: Path, suffix: str, rows: list[dict] = ROWS) -> Path:
    path = folder / f"pairs{suffix}"
    frame = pd.DataFrame(rows)
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n", encoding="utf-8")
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_every_kind_of_table_gives_the_same_pairs(tmp_path: Path, suffix: str) -> None:
    contrast = wb.Contrast.from_table(written(tmp_path, suffix), trait="extraversion")
    assert contrast.high == (
        wb.Prompt("Where do you eat?", "You love crowds."),
        wb.Prompt("Whom do you call?", "You talk a lot."),
    )
    assert contrast.low[1] == wb.Prompt("Whom do you call?", "You say little.")
    assert contrast.neutral is None
    assert contrast.descriptions[wb.Pole.HIGH] == ("You love crowds.", "You talk a lot.")


def test_without_questions_the_texts_are_the_users_turn(tmp_path: Path) -> None:
    rows = [{"high": "a b", "low": "c d", "neutral": "e f"}, {"high": "g", "low": "h", "neutral": "i"}]
    contrast = wb.Contrast.from_table(written(tmp_path, ".jsonl", rows))
    assert contrast.trait == "pairs"
    assert contrast.high == (wb.Prompt("a b"), wb.Prompt("g"))
    assert contrast.neutral == (wb.Prompt("e f"), wb.Prompt("i"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", "", "x.jsonl holds no rows"),
        ("x.jsonl", '{"high": "a"', "x.jsonl could not be read as .jsonl: x.jsonl, line 1 is not JSON"),
        ("x.jsonl", "[1, 2]", "line 1 holds a list, not an object"),
        (
            "x.jsonl",
            '{"high": "a", "bad": "b"}',
            r"needs columns high and low; missing \['low'\] from \['high', 'bad'\]",
        ),
        ("x.jsonl", '{"high": "a", "low": " "}', "column low has no text in row 1"),
        ("x.jsonl", '{"high": "a", "low": "b"}', "at least 2 pairs, but 1 arrived"),
        ("x.csv", "", "x.csv could not be read as .csv"),
        ("x.csv", "high,low\na,b\nc,\n", "column low has no text in row 2"),
        ("x.parquet", "nonsense", "x.parquet could not be read as .parquet"),
        ("x.txt", "a", r"Pairs come as .jsonl, .csv, .parquet, but x.txt ends in '.txt'"),
    ],
)
def test_a_table_that_is_no_table_of_pairs_is_told(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        wb.Contrast.from_table(tmp_path / name)


def test_a_table_of_several_traits_needs_one_named(tmp_path: Path) -> None:
    path = written(tmp_path, ".csv")
    with pytest.raises(ValueError, match=r"several traits \(Extraversion, Openness\): name one"):
        wb.Contrast.from_table(path)
    with pytest.raises(ValueError, match="no row with trait 'Neuroticism'"):
        wb.Contrast.from_table(path, trait="Neuroticism")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.Contrast.from_table(tmp_path / "none.csv")
