"""Reads foreign `.pt` files without running anything in them, and in no more memory than the file is long."""

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_BYTES = 1 << 30
"""The largest `.pt` file that is read; steering vectors of the largest models take some 10 MB."""


def load_pt(path: str | Path) -> Any:
    """What a file of `torch.save` holds, if it holds only tensors, numbers, text and containers.

    Tensors are views of the mapped file; take them with `reals_of` and `indices_of`, which copy.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no archive of torch's, would unpack to more than its own size, or holds anything that
            would have to be run.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch tells how it checks a sparse tensor
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path.name} is refused: it holds more than tensors, numbers and text, and reading that could run code."
        ) from None
    except Exception as error:  # whatever a hostile or broken archive sets off
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path.name} is damaged or no file of torch.save: {reason}.") from None


def _check_archive(path: Path) -> None:
    """Refuse an archive whose entries would unpack to more than the file holds; torch.save does not compress."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes, but steering files have at most {MOST_BYTES:,}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path.name} is no archive of torch.save, or one of before torch 1.6. Save it anew with torch.save."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path.name} is a damaged archive: {error}.") from None
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError(
            f"{path.name} would unpack from {size:,} to {unpacked:,} bytes, but torch.save does not compress. It is "
            "not read."
        )


def reals_of(value: Any, where: str, *, axes: int = 1, finite: bool = True) -> Float[Tensor, "..."]:
    """A copy of a tensor of real numbers in float32.

    Args:
        where: what it is, for messages.

    Raises:
        ValueError: if it is no such tensor, has other axes, or is not finite where it must be.
    """
    reals = _plain(value, where, axes=axes)
    if not reals.is_floating_point():
        raise ValueError(f"{where} holds real numbers, but {reals.dtype} arrived.")
    reals = reals.to(torch.float32, copy=True)
    if finite and not bool(torch.isfinite(reals).all()):
        raise ValueError(f"{where} must be finite, but {int((~torch.isfinite(reals)).sum())} of its values are not.")
    return reals


def indices_of(value: Any, where: str) -> Int[Tensor, " k"]:
    """A copy of a one-axis tensor of whole numbers in int64.

    Raises:
        ValueError: if it is no such tensor.
    """
    indices = _plain(value, where, axes=1)
    if indices.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"{where} holds indices, but {indices.dtype} arrived.")
    return indices.to(torch.int64, copy=True)


def _plain(value: Any, where: str, *, axes: int) -> Tensor:
    """A dense tensor; refused if its storage holds fewer values than its shape claims."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.device.type != "cpu":
        raise ValueError(f"{where} is a dense tensor, but a {type(value).__name__} arrived.")
    if value.ndim != axes:
        raise ValueError(
            f"{where} has {'one axis' if axes == 1 else f'{axes} axes'}, but its shape is {tuple(value.shape)}."
        )
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise ValueError(f"{where} is {tuple(value.shape)}, but the file holds fewer values.")
    return value.detach()
