import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import workbench as wb
from workbench.vocabulary import Pole

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
    assert contrast.descriptions[Pole.HIGH] == ("You love crowds.", "You talk a lot.")


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
        ("x.txt", "a", r"A table comes as .jsonl, .csv, .parquet, but x.txt ends in '.txt'"),
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


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("high,low\na,b\nc,d\n", encoding="utf-8-sig")
    (tmp_path / "x.jsonl").write_text('{"high": "a", "low": "b"}\n{"high": "c", "low": "d"}\n', encoding="utf-8-sig")
    for name in ("x.csv", "x.jsonl"):
        assert [prompt.user for prompt in wb.Contrast.from_table(tmp_path / name).high] == ["a", "c"]


def test_a_line_separator_within_a_text_ends_no_line(tmp_path: Path) -> None:
    rows = [{"high": f"a{mark}b", "low": "c"} for mark in "\u2028\u0085\x1c"]
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert [prompt.user for prompt in wb.Contrast.from_table(tmp_path / "x.jsonl").high] == [r["high"] for r in rows]


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.PARQUET"])
def test_a_very_long_cell_is_read_and_never_printed(tmp_path: Path, name: str) -> None:
    long = "word " * 200_000
    rows = pd.DataFrame({"high": [long, "b"], "low": ["c", "d"]})
    bad = pd.DataFrame({long: ["a", "b"], "trait": [long, "e"], "high": ["f", "g"]})
    for frame in (rows, bad):
        if name == "x.csv":
            frame.to_csv(tmp_path / name, index=False)
        elif name == "x.jsonl":
            frame.to_json(tmp_path / name, orient="records", lines=True)
        else:
            frame.to_parquet(tmp_path / name)
        if frame is rows:
            assert wb.Contrast.from_table(tmp_path / name).high[0].user == long
    with pytest.raises(ValueError, match="missing \\['low'\\] from") as raised:
        wb.Contrast.from_table(tmp_path / name)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"high;low\na, b;c\n", "x.csv could not be read as .csv: its columns are separated by ';'. Save it"),
        ("x.csv", b'"high"\t"low"\r\na\tb\r\n', r"its columns are separated by '\\t'. Save it with commas"),
        ("x.csv", b"high,low,high\na,b,c\nd,e,f\n", "x.csv has two columns 'high'. Keep one"),
        ("x.csv", b"high,low\n", "x.csv holds no rows"),
        ("x.csv", b"high,low\na,b\nc,d,e\n", "Expected 2 fields in line 3, saw 3"),
        ("x.csv", b"high,low\na,b,c\nd,e,f\n", "Expected 2 fields in line 2, saw 3"),
        ("x.csv", b"high,low\na,b\nc\n", "column low has no text in row 2"),
        ("x.csv", b"high,low\na,nan\nc,d\n", "column low has no text in row 1"),
        ("x.csv", "high,low\nä,b\nc,d\n".encode("latin-1"), "x.csv is not UTF-8: byte 9 cannot be read. Save it as"),
        ("x.csv", "high,low\na,b\nc,d\n".encode("utf-16-le"), "x.csv is no text: line 1 holds a zero byte"),
        (
            "x.csv",
            "high,low\na,b\n".encode("utf-16")[:-1],
            "is not UTF-16, though it begins with its mark: byte 26",
        ),
        ("x.csv", b"high,low,trait\na,b,\nc,d,e\n", "column trait has no text in row 1"),
        ("x.csv", b"question,high,low,low_id\nq,a,b,1\nr,c,d, \n", "column low_id has no id in row 2"),
        ("x.jsonl", b'{"high": NaN, "low": "b"}', "column high has no text in row 1"),
        ("x.jsonl", b'{"high": 5, "low": "b"}', "column high has no text in row 1"),
        ("x.jsonl", b'{"high": "a", "low": "b"}\n{"low": "c"}', "column high has no text in row 2"),
        ("x.jsonl", b'{"high": "a", "high": "c", "low": "b"}', "line 1: it has the key 'high' twice. Keep one"),
        ("x.jsonl", b'{"high": "\xff", "low": "b"}', "x.jsonl is not UTF-8: byte 10"),
        ("x.jsonl", b'{"high": "a", "low": "b", "trait": 3}', "column trait has no text in row 1"),
        ("x.parquet", b"PAR1", "x.parquet could not be read as .parquet"),
    ],
)
def test_a_hostile_table_is_told_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        wb.Contrast.from_table(tmp_path / name, trait="e" if b"trait" in content else None)
    assert "\n" not in str(raised.value)


def test_a_parquet_table_with_a_column_twice_or_a_gap_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    column = pa.array(["a", "b"])
    pq.write_table(pa.Table.from_arrays([column, column, column], names=["high", "low", "high"]), path)
    with pytest.raises(ValueError, match=r"x.parquet could not be read as .parquet: Multiple matches for .*\(high\)"):
        wb.Contrast.from_table(path)
    pd.DataFrame({"high": ["a", None], "low": ["b", "c"]}).to_parquet(path)
    with pytest.raises(ValueError, match="column high has no text in row 2"):
        wb.Contrast.from_table(path)
    pd.DataFrame({"high": ["a", "b"], "low": ["b", "c"], "high_id": [1, None]}).astype({"high_id": "Int64"}).to_parquet(
        path
    )
    with pytest.raises(ValueError, match="column high_id has no id in row 2"):
        wb.Contrast.from_table(path)


def test_a_folder_or_a_link_to_nothing_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.Contrast.from_table(tmp_path / "x.csv")
