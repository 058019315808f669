"""What a page holds compressed, which its scripts take out again: plotly, the figures, and long tables' rows."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

_FEW = 64  # a shorter array stays as it is
_BITS = 12  # kept of a float's fraction: 1.2e-4 of the value at most, less than a pixel and than what hovering tells
_SIZES = {"f4": 4, "i1": 1, "u1": 1, "i2": 2, "u2": 2, "i4": 4, "u4": 4}


def compressed(content: str | bytes) -> str:
    """Gzip as base64, which holds nothing that HTML reads; equal contents give equal text."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


class Pool:
    """What hovering tells of a neuron, held once for all figures that show it.

    A trace whose every mark has a text and a row of numbers refers to both by one number.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[str, bytes], int] = {}

    def places(self, texts: list[str], rows: np.ndarray) -> np.ndarray:
        """Where each pair of text and row is held, which it is from now on."""
        held = self._places
        keys = [(text, row.tobytes()) for text, row in zip(texts, rows, strict=True)]
        return np.array([held.setdefault(key, len(held)) for key in keys], "<u4")

    def content(self) -> bytes:
        """A block: the texts, and for each width of rows their places and their numbers, column by column."""
        block = _Block()
        widths = sorted({len(row) for _, row in self._places})
        described = []
        for width in widths:
            held = [(place, row) for (_, row), place in self._places.items() if len(row) == width]
            rows = np.frombuffer(b"".join(row for _, row in held), "<f4").reshape(len(held), -1)
            described.append(
                {
                    "places": block.add(np.array([place for place, _ in held], "<u4")),
                    "columns": [block.add(column) for column in rows.T],
                }
            )
        return block.content({"texts": [text for text, _ in self._places], "rows": described})


def figure_block(stored: dict[str, Any], pool: Pool) -> bytes:
    """A figure's JSON with its long arrays beside it as bytes.

    Long arrays of floats keep 12 bits of their fraction. What hovering tells of many marks goes to `pool`.
    """
    block = _Block()
    traces = [_pooled(trace, pool, block) for trace in stored["data"]]
    return block.content(_outside(stored | {"data": traces}, block))


class _Block:
    """A length (four bytes), JSON of that length, and arrays' bytes, which the JSON points to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, values: np.ndarray, **more: Any) -> dict[str, Any]:
        """Keep an array: all first bytes of its values, then all second ones, as these resemble each other."""
        values = np.ascontiguousarray(values)
        planes = values.view("u1").reshape(-1, values.itemsize).T.tobytes()
        at, self._size = self._size, self._size + len(planes)
        self._parts.append(planes)
        return {"at": at, "count": values.size, "dtype": values.dtype.str[1:], **more}

    def content(self, described: dict[str, Any]) -> bytes:
        text = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return len(text).to_bytes(4, "little") + text + b"".join(self._parts)


def _pooled(trace: dict[str, Any], pool: Pool, block: _Block) -> dict[str, Any]:
    texts, custom = trace.get("text"), trace.get("customdata", {})
    if not isinstance(texts, list) or not _is_array(custom) or "shape" not in custom:
        return trace
    *outer, width = (int(size) for size in custom["shape"].split(","))
    flat = [text for row in texts for text in (row if isinstance(row, list) else [row])]
    rows = _coarse(_values(custom).astype("<f4")).reshape(-1, width)
    if len(flat) != len(rows) or len(rows) < _FEW or not all(isinstance(text, str) for text in flat):
        return trace
    places = block.add(pool.places(flat, rows), outer=outer, width=width)
    return {name: value for name, value in trace.items() if name not in ("text", "customdata")} | {"pooled": places}


def _outside(node: Any, block: _Block) -> Any:
    if isinstance(node, list):
        return [_outside(each, block) if isinstance(each, dict | list) else each for each in node]
    if not _is_array(node):
        return {name: _outside(each, block) if isinstance(each, dict | list) else each for name, each in node.items()}
    values = _values(node)
    if values.dtype.kind == "f":
        values = values.astype("<f4")
    if len(values) < _FEW or values.dtype.str[1:] not in _SIZES:
        return node | {"dtype": values.dtype.str[1:], "bdata": base64.b64encode(values.tobytes()).decode()}
    shape = {"shape": node["shape"]} if "shape" in node else {}
    return {"beside": block.add(_coarse(values) if values.dtype.kind == "f" else values, **shape)}


def _is_array(node: Any) -> bool:
    """Whether it is an array as plotly writes it."""
    return isinstance(node, dict) and "bdata" in node and "dtype" in node


def _values(node: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(node["bdata"]), dtype=np.dtype(node["dtype"]).newbyteorder("<"))


def _coarse(values: np.ndarray) -> np.ndarray:
    """Single floats rounded to `_BITS` bits of fraction, so that they compress; whole numbers stay what they are."""
    bits = values.view("<u4").copy()
    drop = 23 - _BITS
    broken = np.isfinite(values) & (values != np.rint(values))
    bits[broken] = (bits[broken] + np.uint32(1 << (drop - 1))) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)
    return bits.view("<f4")
