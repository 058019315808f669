from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from workbench import tensorfile
from workbench.tensorfile import read_tensors, write_tensors

TENSORS = {"a": torch.arange(3), "b": torch.ones(2, 2)}


def test_a_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = write_tensors(tmp_path / "new" / "x.safetensors", format="f 1", header={"n": 3}, tensors=TENSORS)
    header, tensors = read_tensors(path, format="f 1")
    assert header == {"n": 3}
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())


def test_a_stopped_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tensors(tmp_path / "x.safetensors", format="f 1", header={"n": 1}, tensors=TENSORS)

    def stopped(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tensorfile, "save_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_tensors(path, format="f 1", header={"n": 2}, tensors=TENSORS)
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]
    assert read_tensors(path, format="f 1")[0] == {"n": 1}


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = write_tensors(tmp_path / "x.safetensors", format="f 1", header={}, tensors=TENSORS)
    with pytest.raises(ValueError, match="x.safetensors is no 'g 1' but 'f 1'"):
        read_tensors(path, format="g 1")
    plain = tmp_path / "plain.safetensors"
    save_file(TENSORS, plain)
    with pytest.raises(ValueError, match="is no 'f 1' but None"):
        read_tensors(plain, format="f 1")
    save_file(TENSORS, plain, metadata={"format": "f 1", "header": "{"})
    with pytest.raises(ValueError, match="has no readable header"):
        read_tensors(plain, format="f 1")
    save_file(TENSORS, plain, metadata={"format": "f 1", "header": "[3]"})
    with pytest.raises(ValueError, match="has no readable header: it is a list, not fields by name"):
        read_tensors(plain, format="f 1")
