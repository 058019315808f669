"""A study's folder: steps that are kept whole or not at all, and used again while what they depend on is the same."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from workbench.digest import VERSION, hash_file, key_of
from workbench.textfile import read_json
from workbench.whole import whole_file, write_whole

MANIFEST = "manifest.json"


@runtime_checkable
class Savable(Protocol):
    """What writes itself into a safetensors file."""

    def save(self, path: Path) -> Any:
        """Write it."""


Part = pd.DataFrame | Savable
"""What a step makes: tables are kept as parquet, everything else as it saves itself."""


class Store:
    """The steps of a study by name, each with the key of what it depends on and the hash of every file."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.manifest: dict[str, Any] = {"steps": {}}
        path = self.folder / MANIFEST
        if path.is_file():
            try:
                self.manifest = read_json(path)
            except ValueError as error:
                raise ValueError(
                    f"{MANIFEST} of {self.folder} is damaged: {error} Use another folder or remove this one."
                ) from None
            if not isinstance(self.manifest, dict) or not isinstance(self.manifest.get("steps"), dict):
                raise ValueError(f"{MANIFEST} of {self.folder} is no study's: it has no steps. Use another folder.")

    def step(self, name: str, key: str, make: Callable[[], Mapping[str, Part]]) -> dict[str, Path]:
        """The files of a step by part; made if they are not kept under this key.

        Args:
            name: of the step; its files are called `name.part.suffix`, without the part if that is empty, and
                `name/part.suffix` if the name ends in `/`.
            key: a hash of all that the result depends on; the package's version is added.
            make: gives the parts. It is called only where the step is not kept.

        Raises:
            ValueError: if a file is no longer what was written; it is never made again in silence.
        """
        kept = self.kept(name, key)
        if kept is not None:
            return kept
        return self.steps({name: (key, make())})[name]

    def steps(self, made: Mapping[str, tuple[str, Mapping[str, Part]]]) -> dict[str, dict[str, Path]]:
        """Keep several steps at once: all of them or, if the process dies in between, none.

        Args:
            made: by name of the step, its key and parts; see `step`.

        Returns:
            The files of each by part.
        """
        written: dict[str, dict[str, Path]] = {}
        entries: dict[str, dict[str, object]] = {}
        for name, (key, parts) in made.items():
            files: dict[str, dict[str, str]] = {}
            paths: dict[str, Path] = {}
            for part, value in parts.items():
                suffix = "parquet" if isinstance(value, pd.DataFrame) else "safetensors"
                between = "." if part and not name.endswith("/") else ""
                file = f"{name}{between}{part}.{suffix}"
                paths[part] = self._write(file, value)
                files[part] = {"file": file, "sha256": hash_file(paths[part])}
            entries[name] = {"key": _versioned(key), "files": files}
            written[name] = paths
        self.manifest["steps"].update(entries)
        self._write_manifest()
        return written

    def frames(self, name: str, key: str, make: Callable[[], Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
        """The tables of a step, read as they were written."""
        return {part: pd.read_parquet(path) for part, path in self.step(name, key, make).items()}

    def kept(self, name: str, key: str) -> dict[str, Path] | None:
        """The files of a step by part, if it was made under this key and they are as they were written.

        Raises:
            ValueError: if a file's content is no longer what was written.
        """
        step = self.manifest["steps"].get(name)
        if step is None or step["key"] != _versioned(key):
            return None
        return self.files_of(name)

    def files_of(self, name: str) -> dict[str, Path] | None:
        """The files of a step by part, whatever it depended on; None if one is gone.

        Raises:
            ValueError: if a file's content is no longer what was written.
        """
        step = self.manifest["steps"].get(name)
        try:
            files = (
                {}
                if step is None
                else {part: (entry["file"], entry["sha256"]) for part, entry in step["files"].items()}
            )
            paths = {part: self.folder / file for part, (file, _) in files.items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{MANIFEST} of {self.folder} is damaged: the step {name!r} names no files ({error}). Copy it again."
            ) from None
        if step is None or not all(path.is_file() for path in paths.values()):
            return None
        for part, path in paths.items():
            if hash_file(path) != files[part][1]:
                raise ValueError(
                    f"{path} is not as the study wrote it (its hash differs). Remove it to compute it again."
                )
        return paths

    def describe(self, **entries: Any) -> None:
        """Put entries beside the steps in the manifest."""
        self.manifest.update(entries)
        self._write_manifest()

    def text(self, name: str, content: str) -> None:
        """Write a text that no step depends on, whole or not at all."""
        write_whole(self.folder / name, content)

    def _write(self, file: str, value: Part) -> Path:
        path = self.folder / file
        with whole_file(path) as temporary:
            if isinstance(value, pd.DataFrame):
                value.to_parquet(temporary, index=False)
            else:
                value.save(temporary)
        return path

    def _write_manifest(self) -> None:
        self.text(MANIFEST, json.dumps(self.manifest, indent=1, default=str) + "\n")


def _versioned(key: str) -> str:
    return key_of(key=key, version=VERSION)
