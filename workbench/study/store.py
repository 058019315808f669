"""A study's folder: steps written whole or not at all, reused where what they depend on has not changed."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.tensorfile import hash_file

MANIFEST = "manifest.json"


def key_of(**depends: Any) -> str:
    """The key of a step: a hash of all that it depends on."""
    return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()


class Store:
    """Files of a study by name, each with the key of its inputs and the hash of its content."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest: dict[str, Any] = {"steps": {}}
        path = self.folder / MANIFEST
        if path.is_file():
            try:
                self.manifest = json.loads(path.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"{MANIFEST} of {self.folder} is damaged: {error}. Use another folder or remove this one."
                ) from None

    def describe(self, **entries: Any) -> None:
        """Put entries beside the steps in the manifest."""
        self.manifest.update(entries)
        self._write_manifest()

    def holds(self, name: str, key: str) -> bool:
        """Whether `name` was made from the same inputs and is still as it was written.

        Raises:
            ValueError: if the file's content is no longer what was written; it is never recomputed in silence.
        """
        step = self.manifest["steps"].get(name)
        path = self.folder / name
        if step is None or step["key"] != key or not path.is_file():
            return False
        if hash_file(path) != step["sha256"]:
            raise ValueError(f"{path} is not as the study wrote it (its hash differs). Remove it to compute it again.")
        return True

    def write(self, name: str, key: str, write: Callable[[Path], Any]) -> Path:
        """Have `write` fill a temporary file, put it in place in one step, and record it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        try:
            write(Path(temporary))
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self.manifest["steps"][name] = {"key": key, "sha256": hash_file(path)}
        self._write_manifest()
        return path

    def text(self, name: str, content: str) -> None:
        """Write a text that no step depends on, whole or not at all."""
        temporary = self.folder / f".{name}.tmp"
        temporary.write_text(content, encoding="utf-8")
        os.replace(temporary, self.folder / name)

    def _write_manifest(self) -> None:
        self.text(MANIFEST, json.dumps(self.manifest, indent=1, default=str) + "\n")
