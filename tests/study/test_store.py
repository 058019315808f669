import json
from pathlib import Path

import pytest

from workbench.study.store import Store, key_of


def test_keys_tell_inputs_apart() -> None:
    assert key_of(a=1, b=[1, 2]) == key_of(b=[1, 2], a=1)
    assert key_of(a=1) != key_of(a=2)


def test_a_step_is_held_until_its_inputs_change(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("sub/a.txt", "key", lambda path: path.write_text("content"))
    again = Store(tmp_path)
    assert again.holds("sub/a.txt", "key")
    assert not again.holds("sub/a.txt", "other key")
    assert not again.holds("sub/b.txt", "key")


def test_a_changed_file_is_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.write("a.txt", "key", lambda path: path.write_text("content"))
    path.write_text("tampered")
    with pytest.raises(ValueError, match=r"a.txt is not as the study wrote it \(its hash differs\)"):
        Store(tmp_path).holds("a.txt", "key")
    path.unlink()
    assert not Store(tmp_path).holds("a.txt", "key")


def test_a_stopped_write_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def stopped(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.write("a.txt", "key", stopped)
    assert not [path for path in tmp_path.iterdir() if path.name != "manifest.json"]
    assert not Store(tmp_path).holds("a.txt", "key")


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"steps": ')
    with pytest.raises(ValueError, match="is damaged"):
        Store(tmp_path)
    Store(tmp_path / "new").describe(model="m")
    assert json.loads((tmp_path / "new" / "manifest.json").read_text())["model"] == "m"
