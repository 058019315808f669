"""Judgements on disk, one on a line, appended as they are made: a kill loses only the requests under way."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

JOURNAL = "judgements.jsonl"


@dataclass(frozen=True)
class Journal:
    """The judgements in a folder, by any judges and rubrics, each under its key.

    A line holds the key, the judgement and the judgement's SHA-256. A last line that was cut short is skipped, and
    removed before the next is written; any other line whose hash differs is refused by its number.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The file that holds the judgements."""
        return self.folder / JOURNAL

    def read(self) -> dict[str, dict[str, Any]]:
        """Every judgement by its key.

        Raises:
            ValueError: if a line is not as it was written; names the line.
        """
        return self._scan()[0]

    def _scan(self) -> tuple[dict[str, dict[str, Any]], int]:
        """Every judgement by its key, and how many bytes of the file are whole lines."""
        judgements: dict[str, dict[str, Any]] = {}
        if not self.path.is_file():
            return judgements, 0
        content = self.path.read_bytes()
        lines, whole = content.splitlines(keepends=True), 0
        for number, line in enumerate(lines, start=1):
            entry = _entry(line)
            if entry is None:
                if number == len(lines):
                    break
                raise ValueError(
                    f"{self.path}, line {number} is not as it was written. Remove the line to have it judged again."
                )
            judgements[entry[0]] = entry[1]
            whole += len(line)
        return judgements, whole

    @contextmanager
    def appending(self) -> Iterator["Appender"]:
        """Open the file for more judgements, by one process at a time.

        Raises:
            RuntimeError: if another run is writing to it.
            ValueError: as `read`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab", buffering=0) as file:
            _lock(file, self.path)
            file.truncate(self._scan()[1])
            yield Appender(file)


@dataclass(frozen=True)
class Appender:
    """A journal that is open for writing."""

    file: IO[bytes]

    def add(self, judgements: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Write judgements with their keys, and return when they are on the disk."""
        lines = b"".join(_line(key, judgement) for key, judgement in judgements)
        written = 0
        while written < len(lines):
            written += self.file.write(lines[written:])
        os.fsync(self.file.fileno())


def _line(key: str, judgement: Mapping[str, Any]) -> bytes:
    body = json.dumps(dict(judgement), sort_keys=True)
    return (json.dumps({"key": key, "sha256": _digest(body), "judgement": json.loads(body)}) + "\n").encode()


def _entry(line: bytes) -> tuple[str, dict[str, Any]] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        content = json.loads(line)
        key, digest, judgement = content["key"], content["sha256"], content["judgement"]
    except (ValueError, KeyError, TypeError):
        return None
    return (key, judgement) if digest == _digest(json.dumps(judgement, sort_keys=True)) else None


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _lock(file: IO[bytes], path: Path) -> None:
    """Lock the file until it is closed, on systems that can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(f"Another run is writing to {path}. Wait for it, or use another folder.") from None
    except OSError:  # a file system without locks
        return
