"""Files made to harm: each is refused in one line, runs nothing and takes no memory to speak of."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import workbench as wb
from workbench.export import pickled
from workbench.export.caa import read_caa
from workbench.export.control_vector import read_control_vector
from workbench.export.dpn_le import read_dpn_le
from workbench.export.pickled import load_pt
from workbench.export.steering import read_steering

HUGE = 10 * 2**30


class Harm:
    """Touches a file when it is unpickled by something that runs code."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.system, (f"touch {self.mark}",)


def refused(path: Path, model: wb.Model, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        read_steering(path, model=model)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_pickle_that_runs_code_is_not_run(model: wb.Model, wrapped: bool, tmp_path: Path) -> None:
    mark = tmp_path / "harmed"
    harm = {"layers.1": {"steering_vector": Harm(mark)}} if wrapped else Harm(mark)
    torch.save(harm, tmp_path / "steer.pt")
    refused(tmp_path / "steer.pt", model, "steer.pt is refused: it holds more than tensors, numbers and text")
    assert not mark.exists()
    with zipfile.ZipFile(tmp_path / "steer.pt") as archive:  # the plant works where nobody looks
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        pickle.loads(archive.read(name))
    assert mark.exists()


def test_a_bare_pickle_is_not_read(model: wb.Model, tmp_path: Path) -> None:
    mark = tmp_path / "harmed"
    (tmp_path / "steer.pt").write_bytes(pickle.dumps(Harm(mark)))
    refused(tmp_path / "steer.pt", model, "is no archive of torch.save")
    torch.save(torch.ones(128), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    refused(tmp_path / "old.pt", model, "one of before torch 1.6")
    assert not mark.exists()


def repacked(source: Path, target: Path, compression: int, content: dict[str, bytes]) -> Path:
    """A torch archive with some entries' content exchanged."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for entry in old.infolist():
            leaf = entry.filename.split("/", 1)[1]
            new.writestr(entry.filename, content.get(leaf, old.read(entry)))
    return target


def test_a_zip_bomb_is_not_unpacked(model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(torch.ones(128), tmp_path / "good.pt")
    zeros = bytes(64 * 2**20)
    bomb = repacked(tmp_path / "good.pt", tmp_path / "bomb.pt", zipfile.ZIP_DEFLATED, {"data/0": zeros})
    assert bomb.stat().st_size < 100_000

    def loaded(*arguments: object, **settings: object) -> None:
        raise AssertionError("the archive was opened by torch")

    monkeypatch.setattr(torch, "load", loaded)
    refused(bomb, model, r"would unpack from [\d,]+ to 67,\d+,\d+ bytes, but torch.save does not compress")


def test_an_archive_that_claims_more_than_it_holds(model: wb.Model, tmp_path: Path) -> None:
    torch.save(torch.ones(128), tmp_path / "good.pt")
    data = bytearray((tmp_path / "good.pt").read_bytes())
    at = data.rindex(b"PK\x01\x02")  # the last entry of the directory
    data[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    (tmp_path / "liar.pt").write_bytes(data)
    refused(tmp_path / "liar.pt", model, r"would unpack from [\d,]+ to 2,147,\d+,\d+ bytes")


def test_a_tensor_larger_than_its_values(model: wb.Model, tmp_path: Path) -> None:
    """One stored value shown as ten billion, and a storage that ends before its tensor does."""
    wide = tmp_path / "vec_layer_1.pt"
    torch.save(torch.ones(1).expand(HUGE), wide)
    assert wide.stat().st_size < 10_000
    refused(wide, model, r"vec_layer_1.pt is \(10737418240,\), but the file holds fewer values")
    torch.save(torch.ones(10**6), tmp_path / "long.pt")
    short = repacked(tmp_path / "long.pt", tmp_path / "short.pt", zipfile.ZIP_STORED, {"data/0": bytes(4)})
    with pytest.raises(ValueError, match="short.pt is damaged or no file of torch.save"):
        load_pt(short)


def test_a_file_of_an_absurd_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "vec_layer_1.pt").open("wb") as file:
        file.truncate(HUGE)  # takes no disk
    with pytest.raises(ValueError, match="10,737,418,240 bytes, but steering files have at most"):
        read_caa(tmp_path)
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="is no archive of torch.save"):
        load_pt(tmp_path / "cut.pt")
    assert pickled.MOST_BYTES < HUGE


def gguf_header(*, tensors: int = 1, keys: int = 0, body: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


def named(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


def kept(body: bytes) -> bytes:
    """A file with one key and no tensor."""
    return gguf_header(keys=1, tensors=0, body=named("a") + body)


def described(name: str = "direction.1", *, axes: int = 1, length: int = 4, kind: int = 0, start: int = 0) -> bytes:
    return named(name) + struct.pack("<I", axes) + struct.pack("<QIQ", length, kind, start)


HOSTILE_GGUF = {
    "10 GB of values": (gguf_header(body=described(length=HUGE // 4)), r"claims tensors of 10,737,418,240 bytes"),
    "values far off": (gguf_header(body=described(start=HUGE)), r"claims tensors of 10,737,418,256 bytes, but 0"),
    "one place for many": (
        gguf_header(tensors=40, body=described(length=512) * 40 + bytes(2080)),
        r"claims tensors of 81,920 bytes, but 2,080",
    ),
    "tensors without end": (gguf_header(tensors=2**63, body=described()), r"claims 9,223,372,036,854,775,808 tensors"),
    "keys without end": (gguf_header(keys=2**60, body=described()), r"claims 1,152,921,504,606,846,976 keys"),
    "a long name": (gguf_header(body=struct.pack("<Q", 2**62) + bytes(64)), r"claims 4,611,686,018,427,387,904 byt"),
    "a long text": (
        kept(struct.pack("<IQ", 8, 2**40) + bytes(9)),
        r"claims 1,099,511,627,776 bytes of text",
    ),
    "a long list": (
        kept(struct.pack("<IIQ", 9, 0, 2**50)),
        r"claims 1,125,899,906,842,624 numbers in a list",
    ),
    "a list of texts": (
        kept(struct.pack("<IIQ", 9, 8, 2**50)),
        r"claims 1,125,899,906,842,624 texts in a list",
    ),
    "lists within lists": (
        kept(struct.pack("<IIQ", 9, 9, 1) + bytes(16)),
        r"a list of values of kind 9",
    ),
    "a strange value": (kept(struct.pack("<I", 77) + bytes(8)), "unknown kind 77"),
    "many axes": (gguf_header(body=described(axes=2**31)), r"has one axis, but 'direction.1' claims 2,147,483,648"),
    "another number type": (gguf_header(body=described(kind=2)), r"of float32 .*, but 'direction.1' is of kind 2"),
    "another version": (gguf_header(version=99, body=bytes(32)), r"is GGUF version 99"),
    "no UTF-8": (gguf_header(body=struct.pack("<Q", 2) + b"\xff\xfe" + bytes(32)), r"no UTF-8"),
    "an end in the middle": (b"GGUF\x03\x00", r"claims 1 more number, which take at least 4 bytes, but 2 are left"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE_GGUF)
def test_a_gguf_header_may_claim_no_more_than_the_file(
    model: wb.Model, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gguf

    def opened(*arguments: object) -> None:
        raise AssertionError("the library was given the file")

    monkeypatch.setattr(gguf, "GGUFReader", opened)
    content, said = HOSTILE_GGUF[kind]
    (tmp_path / "x.gguf").write_bytes(content)
    refused(tmp_path / "x.gguf", model, said)


def test_gguf_keys_that_the_library_rejects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    key = named("general.alignment") + struct.pack("<II", 4, 3)
    for content in (
        gguf_header(keys=1, body=key + described() + bytes(64)),
        gguf_header(keys=2, tensors=0, body=key * 2),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="x.gguf is a damaged GGUF file"):
            read_control_vector(path)
    path.write_bytes(b"not it at all")
    with pytest.raises(ValueError, match="is no GGUF file"):
        read_control_vector(path)


def safetensors(header: dict[str, Any] | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


META = {"format": "workbench edit 2", "header": "{}"}
F32 = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
LAPPING = {**F32, "data_offsets": [8, 24]}
ENDLESS = {**F32, "shape": [2**40], "data_offsets": [0, 2**42]}
HOSTILE_SAFETENSORS = {
    "a long header": safetensors(b"{}", length=2**63),
    "10 GB of header": safetensors(b"{}", length=HUGE),
    "overlapping values": safetensors({"__metadata__": META, "a": F32, "b": LAPPING}, bytes(24)),
    "the same values twice": safetensors({"__metadata__": META, "a": F32, "b": F32}, bytes(16)),
    "values past the end": safetensors({"__metadata__": META, "a": ENDLESS}),
    "a shape that overflows": safetensors({"a": {**F32, "shape": [2**62, 16]}}, bytes(16)),
    "no header": b"",
    "no JSON": safetensors(b"{{{{"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE_SAFETENSORS)
def test_hostile_safetensors_are_refused(model: wb.Model, kind: str, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(HOSTILE_SAFETENSORS[kind])
    refused(tmp_path / "x.safetensors", model, "x.safetensors is damaged or no safetensors file")


def edit_file(path: Path, header: Any, **tensors: torch.Tensor) -> Path:
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "workbench edit 2", "header": json.dumps(header)})
    return path


FIELDS = {
    "trait": "T", "method": "m", "direction": "increase", "site": "resid_post", "width": 128, "gamma": 1.0,
    "provenance": {},
}  # fmt: skip
ONE = torch.tensor([1])


@pytest.mark.parametrize(
    ("header", "tensors", "said"),
    [
        (3, {}, "has no readable header: it is a int"),
        ([], {}, "has no readable header: it is a list"),
        ({**FIELDS, "gamma": "much"}, {}, "is no whole 'workbench edit 2'"),
        ({**FIELDS, "width": None}, {}, "is no whole 'workbench edit 2'"),
        ({**FIELDS, "site": ["resid_post"]}, {}, "is no whole 'workbench edit 2'"),
        ({**FIELDS, "more": 1}, {}, "is no whole 'workbench edit 2'"),
        ({**FIELDS, "provenance": 3}, {}, "Provenance is text by name, but a int"),
        ({"edits": 3, "gamma": 1.0, "name": "", "provenance": {}}, {}, "is no"),
        ({"edits": [3], "gamma": 1.0, "name": "", "provenance": {}}, {}, "is no"),
        (FIELDS, {"layer": torch.tensor([-1])}, "Layers count from 0, but -1"),
        (FIELDS, {"unit": torch.tensor([1, 2])}, "one axis of one length, but shapes"),
        (FIELDS, {"unit": torch.tensor([128])}, "Units must lie in 0 to 127, but 128"),
        (FIELDS, {"unit": torch.tensor([1.0])}, "whole numbers, but torch.int64, torch.float32"),
        (FIELDS, {"value": torch.tensor([torch.nan])}, "values must be finite, but layer 1, unit 1 has nan"),
        (FIELDS, {"value": torch.tensor([[1.0]])}, "one axis of one length, but shapes"),
    ],
)
def test_edits_that_are_not_whole_are_refused(
    model: wb.Model, header: Any, tensors: dict[str, torch.Tensor], said: str, tmp_path: Path
) -> None:
    whole = {"layer": ONE, "unit": ONE.clone(), "value": torch.ones(1), **tensors}
    path = edit_file(tmp_path / "x.safetensors", header, **whole)
    with pytest.raises(ValueError, match=f"{said}|Type-check error"):  # tests check types before the edit does
        read_steering(path, model=model)


def test_a_folder_is_not_left_through_a_link(model: wb.Model, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    torch.save({"layer": 1}, outside / "secret.pt")
    (inside / "layer1_T_steering_data.pt").symlink_to(outside / "secret.pt")
    refused(inside, model, "layer1_T_steering_data.pt leads out of inside")
    with pytest.raises(ValueError, match="leads out of inside"):
        read_dpn_le(inside)
    (inside / "layer1_T_steering_data.pt").unlink()
    (inside / "vec_layer_1.pt").symlink_to(outside / "secret.pt")
    refused(inside, model, "vec_layer_1.pt leads out of inside")


def test_names_in_a_folder_are_never_paths(model: wb.Model, tmp_path: Path) -> None:
    torch.save({"layer": 1}, tmp_path / "layer1_..\\x_steering_data.pt")
    refused(tmp_path, model, "is no steering data of DPN-LE: it lacks")


def test_a_stream_of_nothing_is_refused(model: wb.Model, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w"):
        pass
    (tmp_path / "empty.pt").write_bytes(buffer.getvalue())
    refused(tmp_path / "empty.pt", model, "empty.pt is damaged or no file of torch.save")
