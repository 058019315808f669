"""Tensors and a JSON header in one safetensors file, read back only if whole and of the expected format."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor


def write_tensors(path: str | Path, *, format: str, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write a file whole or not at all: under a temporary name first, renamed when it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".safetensors")
    os.close(handle)
    try:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata={"format": format, "header": json.dumps(dict(header))},
        )
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def read_tensors(path: str | Path, *, format: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a file that `write_tensors` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file, is damaged, or is of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name} is damaged or no safetensors file: {error}.") from None
    if metadata.get("format") != format:
        raise ValueError(f"{path.name} is no {format!r} but {metadata.get('format')!r}.")
    try:
        header = json.loads(metadata["header"])
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} has no readable header: {error}.") from None
    return header, tensors
