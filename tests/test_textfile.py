"""The one reader of text: every encoding that says what it is, and a line that names the file for any other."""

import codecs
import json
from pathlib import Path

import pytest

from workbench.study.config import StudyConfig
from workbench.textfile import decoded, read_json, read_json_lines, read_text

TEXT = "trait = 'Offenheit für Neues'\r\n# 開放性\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_text_is_the_same_in_every_encoding_that_names_itself(tmp_path: Path, mark: bytes, encoding: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(mark + TEXT.encode(encoding))
    assert read_text(path) == TEXT.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nfür".encode("cp1252"), "x.txt is not UTF-8: byte 3 cannot be read. Save it as UTF-8; line 2 holds the"),
        ("abc".encode("utf-16-be"), "x.txt is no text: line 1 holds a zero byte"),
        ("ab".encode("utf-16")[:-1], "x.txt is not UTF-16, though it begins with its mark: byte 4 cannot be read"),
        (codecs.BOM_UTF8 + b"a\xff", "x.txt is not UTF-8: byte 4 cannot be read"),
        (b"ok\n\x00\x01", "x.txt is no text: line 2 holds a zero byte"),
    ],
)
def test_any_other_encoding_is_refused_in_a_line_that_names_the_file(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as told:
        read_text(tmp_path / "x.txt")
    assert "Save it as UTF-8" in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file .*none"):
        read_text(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match="is a folder, but a file is needed"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.json is no JSON: Expecting value: line 1"),
        ('{"a": 1,\n"b"}', "x.json is no JSON: .*line 2"),
        ("[" * 100_000, "x.json is no JSON: it is nested too deeply"),
        ('["\\ud83d"]', r"x.json is no JSON: it has half a surrogate pair, \\ud83d"),
        ("9" * 5000, "x.json is no JSON: "),
    ],
)
def test_json_that_is_none_is_refused_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_json(path)


def test_json_lines_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes((json.dumps({"a": "é"}, ensure_ascii=False) + "\r\n\r\n").encode("utf-16"))
    assert read_json_lines(path) == [{"a": "é"}]
    for line, message in [
        ("[" * 100_000, "line 2: it is nested too deeply"),
        ('{"a": "\\udfff"}', "line 2: it has half a surrogate"),
        ("{", "line 2 is not JSON"),
        ("7", "line 2 holds a int"),
    ]:
        path.write_text("{}\n" + line)
        with pytest.raises(ValueError, match=f"x.jsonl, {message}"):
            read_json_lines(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_study_is_read_from_every_encoding_and_written_so_that_it_can_be_read(tmp_path: Path, encoding: str) -> None:
    asked = StudyConfig.example().model_copy(update={"model": "mine 'x' \"y\" \\ \x7f\t\n[a] é"})
    path = tmp_path / "study.toml"
    path.write_bytes(asked.toml(explained=True).encode(encoding))
    assert StudyConfig.read(path) == asked


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "study.toml is no TOML: "),
        (b"traits = " + b"[" * 100_000, "study.toml is nested too deeply"),
        (b"", None),
        ("a = 'ü'".encode("latin-1"), "study.toml is not UTF-8: byte 5"),
    ],
)
def test_a_study_that_is_no_toml_is_told(tmp_path: Path, content: bytes, message: str | None) -> None:
    (tmp_path / "study.toml").write_bytes(content)
    if message is None:
        assert StudyConfig.read(tmp_path / "study.toml") == StudyConfig()
        return
    with pytest.raises(ValueError, match=message):
        StudyConfig.read(tmp_path / "study.toml")


def test_a_mark_inside_a_mark_is_no_text() -> None:
    assert decoded("\ufeffa = 1\n".encode("utf-16"), "study.toml") == "a = 1\n"
