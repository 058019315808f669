"""Tensors and a JSON header in one safetensors file, read back only if whole and of the expected format."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.whole import whole_file

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
}


def write_tensors(path: str | Path, *, format: str, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    """Write a safetensors file, whole or not at all."""
    with whole_file(path) as temporary:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata={"format": format, "header": json.dumps(dict(header))},
        )
    return Path(path)


def read_tensors(path: str | Path, *, format: str | Sequence[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the tensors of a file that `write_tensors` wrote.

    Args:
        format: the one expected, or several that will do, the current one first.

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
    formats = [format] if isinstance(format, str) else list(format)
    if metadata.get("format") not in formats:
        raise ValueError(f"{path.name} is no {formats[0]!r} but {metadata.get('format')!r}.")
    try:
        header = json.loads(metadata["header"])
    except (KeyError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path.name} has no readable header: {error}.") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} has no readable header: it is a {type(header).__name__}, not fields by name.")
    return header, tensors


def reserve_tensors(
    path: str | Path,
    *,
    format: str,
    header: Mapping[str, Any],
    tensors: Mapping[str, tuple[torch.dtype, tuple[int, ...]]],
) -> Path:
    """Make a file of the right size whose tensors are filled in later, row by row, with `write_rows`."""
    entries: dict[str, Any] = {"__metadata__": {"format": format, "header": json.dumps(dict(header))}}
    end = 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + math.prod(shape) * dtype.itemsize
        entries[name] = {"dtype": _DTYPES[dtype], "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)  # as the format asks, so that the tensors are aligned
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return Path(path)


def write_rows(path: Path, name: str, rows: Iterable[int], values: Shaped[Tensor, "n ..."]) -> None:
    """Put `values` at `rows` of a tensor that `reserve_tensors` made room for."""
    start, size = _extent(path, name)
    with path.open("r+b") as file:
        for row, value in zip(rows, values.contiguous().unbind(0), strict=True):
            file.seek(start + row * size)
            file.write(_bytes(value))


def hash_rows(path: Path, name: str, rows: Iterable[int]) -> str:
    """SHA-256 over these rows of a tensor in a file, in this order."""
    start, size = _extent(path, name)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for row in rows:
            file.seek(start + row * size)
            digest.update(file.read(size))
    return digest.hexdigest()


def _extent(path: Path, name: str) -> tuple[int, int]:
    """Where a tensor begins in a file, and the bytes of one of its rows."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[name]
    start, end = entry["data_offsets"]
    return 8 + length + start, (end - start) // max(1, entry["shape"][0])


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
