"""Text files that people bring: UTF-8 or, by its mark, UTF-16 or UTF-32; JSON and JSON lines among them."""

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Byte order marks, the longer ones before those that they begin with."""


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark, or in UTF-16 or UTF-32 with one.

    Line ends become line feeds.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        ValueError: if it is in another encoding or is no text; names the file, its line and what to do.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but a file is needed here.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return decoded(path.read_bytes(), path.name)


def decoded(content: bytes, name: str) -> str:
    """Bytes as text; see `read_text`.

    Args:
        name: of the file, for messages.
    """
    mark, encoding = next((each for each in _MARKS.items() if content.startswith(each[0])), (b"", "utf-8"))
    content = content[len(mark) :]
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        said = encoding.removesuffix("-le").removesuffix("-be").upper()
        marked = "" if said == "UTF-8" else ", though it begins with its mark"
        line = content[: error.start].decode(encoding, "replace").count("\n") + 1
        raise ValueError(
            f"{name} is not {said}{marked}: byte {len(mark) + error.start} cannot be read. Save it as UTF-8; line "
            f"{line} holds the byte 0x{content[error.start]:02x}."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(
            f"{name} is no text: line {line} holds a zero byte, as binary files and UTF-16 without a byte order mark "
            "do. Save it as UTF-8."
        )
    # A file that was converted may have kept a mark inside its new one.
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path) -> Any:
    """The value of a JSON file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no text or no JSON, with the line.
    """
    path = Path(path)
    return parsed_json(read_text(path), path.name)


def parsed_json(text: str, name: str) -> Any:
    """The value of a file's JSON.

    Args:
        name: of the file, for messages.

    Raises:
        ValueError: if it is no JSON, with the line.
    """
    try:
        return _loaded(text)
    except ValueError as error:
        raise ValueError(f"{name} is no JSON: {error}.") from None


def read_json_lines(path: str | Path) -> list[dict]:
    """The objects of a JSON-lines file; empty lines are skipped.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a file that is no text, or a line that is not a JSON object or has a key twice; names it.
    """
    path = Path(path)
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            row = _loaded(line, _without_repeats)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where} is not JSON: {error.msg}.") from None
        except ValueError as error:
            raise ValueError(f"{where}: {error}.") from None
        if not isinstance(row, dict):
            raise ValueError(f"{where} holds a {type(row).__name__}, not an object.")
        rows.append(row)
    return rows


def _loaded(text: str, pairs: Callable[[list[tuple[str, Any]]], dict[str, Any]] | None = None) -> Any:
    """A JSON text's value, whose texts are whole characters."""
    try:
        value = json.loads(text, object_pairs_hook=pairs)
        if "\\ud" in text.casefold():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ord(error.object[error.start])
        raise ValueError(f"it has half a surrogate pair, \\u{half:04x}, which is no character") from None
    except RecursionError:
        raise ValueError("it is nested too deeply to be read") from None
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"it has the key {repeated[:40]!r} twice. Keep one")
    return row
