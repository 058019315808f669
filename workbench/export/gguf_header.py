"""Checks a GGUF file's header before a library reads it: no count or length in it may exceed the file."""

import struct
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
MOST_BYTES = 1 << 30
_STRING, _ARRAY = 8, 9
_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_F32 = 0
_LEAST_ENTRY, _LEAST_TENSOR = 13, 32  # bytes of a key with a one-byte value, and of a tensor's description


def check_header(path: Path) -> None:
    """Refuse a GGUF file whose header claims more than the file holds, or tensors other than vectors of float32.

    Raises:
        ValueError: naming the claim.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes, but control vectors have at most {MOST_BYTES:,}.")
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise ValueError(f"{path.name} is no GGUF file: it does not begin with GGUF.")
        walk = _Walk(file, path.name, size)
        version = walk.number("<I")
        if version not in (2, 3):
            raise ValueError(f"{path.name} is GGUF version {version}; versions 2 and 3, little-endian, are read.")
        tensors, keys = walk.number("<Q"), walk.number("<Q")
        walk.fits(tensors, _LEAST_TENSOR, "tensors")
        walk.fits(keys, _LEAST_ENTRY, "keys")
        for _ in range(keys):
            walk.string()
            walk.value(walk.number("<I"))
        places = [walk.tensor() for _ in range(tensors)]
        left = size - file.tell()
    claimed = max([sum(length for _, length in places), *(start + length for start, length in places)])
    if claimed > left:
        raise ValueError(f"{path.name} claims tensors of {claimed:,} bytes, but {left:,} are left after its header.")


class _Walk:
    """Steps over a header's fields, and compares each length with what is left of the file before it reads on."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self.file, self.name, self.size = file, name, size

    def fits(self, count: int, each: int, what: str) -> None:
        left = self.size - self.file.tell()
        if count * each > left:
            raise ValueError(
                f"{self.name} claims {count:,} {what}, which take at least {count * each:,} bytes, but {left:,} are "
                "left in the file."
            )

    def number(self, kind: str) -> int:
        length = struct.calcsize(kind)
        self.fits(1, length, "more number")
        return struct.unpack(kind, self.file.read(length))[0]

    def string(self) -> str:
        length = self.number("<Q")
        self.fits(length, 1, "bytes of text")
        try:
            return self.file.read(length).decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{self.name} has a name or text that is no UTF-8.") from None

    def value(self, kind: int) -> None:
        if kind == _STRING:
            self.string()
        elif kind in _SCALARS:
            self.skip(1, _SCALARS[kind], "values")
        elif kind == _ARRAY:
            held, count = self.number("<I"), self.number("<Q")
            if held == _STRING:
                self.fits(count, 8, "texts in a list")
                for _ in range(count):
                    self.string()
            elif held in _SCALARS:
                self.skip(count, _SCALARS[held], "numbers in a list")
            else:
                raise ValueError(f"{self.name} has a list of values of kind {held}, which control vectors have not.")
        else:
            raise ValueError(f"{self.name} has a value of unknown kind {kind}.")

    def skip(self, count: int, each: int, what: str) -> None:
        self.fits(count, each, what)
        self.file.seek(count * each, 1)

    def tensor(self) -> tuple[int, int]:
        """Where a tensor begins after the header, and how long it is, in bytes."""
        name = self.string()
        axes = self.number("<I")
        if axes != 1:
            raise ValueError(f"{self.name}: a direction has one axis, but {name!r} claims {axes:,}.")
        length, kind, start = self.number("<Q"), self.number("<I"), self.number("<Q")
        if kind != _F32:
            raise ValueError(f"{self.name}: a direction is of float32 (kind 0), but {name!r} is of kind {kind}.")
        return start, 4 * length
