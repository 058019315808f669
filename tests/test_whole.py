"""Laws of what is written whole or not at all, and that nothing else writes by hand."""

import ast
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import workbench
from workbench.whole import remove_temporary, whole_file, whole_folder, write_whole

SOURCE = Path(next(iter(workbench.__path__)))
STOPS = [KeyboardInterrupt, SystemExit, ValueError, OSError]


def tree(folder: Path) -> dict[str, str | None]:
    """Every path under a folder, with the text of each file."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0o022)
    yield lambda mask: (os.umask(mask), None)[1]
    os.umask(before)


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_that_is_stopped_half_way_leaves_what_was_there(
    tmp_path: Path, stop: type[BaseException], before: str | None
) -> None:
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)
    was = tree(tmp_path)
    with pytest.raises(stop), whole_file(path) as temporary:
        temporary.write_text("half")
        assert tree(tmp_path) == {**was, temporary.name: "half"}
        raise stop
    assert tree(tmp_path) == was


def test_a_file_takes_its_name_in_one_step_and_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "a.parquet"
    for content in ("first", "second"):
        with whole_file(path) as temporary:
            assert (temporary.parent, temporary.suffix, temporary.name[0]) == (path.parent, ".parquet", ".")
            temporary.write_text(content)
            assert not path.exists() or path.read_text() == "first"
        assert tree(tmp_path) == {"new": None, "new/deep": None, "new/deep/a.parquet": content}


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as one, whole_file(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert tree(tmp_path) == {"a.txt": "one"}


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_parents_are_made_and_go_again_after_an_exception(tmp_path: Path, writer: Callable) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "kept" / "new" / "deep" / "a"):
        assert (tmp_path / "kept" / "new" / "deep").is_dir()
        raise KeyboardInterrupt
    assert tree(tmp_path) == {"kept": None}
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), writer(tmp_path / "file" / "a"):
        pass
    assert tree(tmp_path) == {"file": "", "kept": None}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path, "text")
    assert not tree(tmp_path)
    assert [path for path in tmp_path.parent.iterdir() if path.name.startswith(f".{tmp_path.name[:40]}-")] == []


def test_texts_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "a.txt", "é\r\n\n") == tmp_path / "a.txt"
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"
    assert write_whole(str(tmp_path / "a.bin"), b"\x00\xff").read_bytes() == b"\x00\xff"
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.txt", "half a pair: \ud800")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"


def test_others_may_read_as_far_as_the_umask_lets_them(tmp_path: Path, umask: Callable[[int], None]) -> None:
    for mask, file_mode, folder_mode in ((0o022, 0o644, 0o755), (0o077, 0o600, 0o700)):
        umask(mask)
        write_whole(tmp_path / "a.txt", "text")
        assert mode(tmp_path / "a.txt") == file_mode
        with whole_folder(tmp_path / "folder"):
            pass
        assert mode(tmp_path / "folder") == folder_mode
    umask(0o022)
    with whole_file(tmp_path / "b.txt") as temporary:  # as a library does that writes to a file of its own
        private = tmp_path / "private"
        private.touch(0o600)
        private.replace(temporary)
    assert mode(tmp_path / "b.txt") == 0o644


@pytest.mark.parametrize("stop", STOPS)
def test_a_folder_that_is_stopped_half_way_leaves_what_was_there(tmp_path: Path, stop: type[BaseException]) -> None:
    folder = tmp_path / "out"
    with pytest.raises(stop), whole_folder(folder) as temporary:
        (temporary / "half").touch()
        raise stop
    assert not tree(tmp_path)
    with whole_folder(folder) as temporary:
        (temporary / "mark").write_text("old")
    was = tree(tmp_path)
    with pytest.raises(stop), whole_folder(folder, mark="mark") as temporary:
        (temporary / "mark").write_text("new")
        raise stop
    assert tree(tmp_path) == was == {"out": None, "out/mark": "old"}


def test_a_folder_of_the_same_kind_is_replaced_with_all_that_it_holds(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()  # an empty one may be there
    with whole_folder(folder, mark="mark") as temporary:
        (temporary / "mark").touch()
        (temporary / "old").touch()
    with whole_folder(folder, mark="mark") as temporary:
        assert sorted(path.name for path in folder.iterdir()) == ["mark", "old"]
        (temporary / "mark").touch()
    assert tree(tmp_path) == {"out": None, "out/mark": ""}


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    was = tree(tmp_path)
    for mark in (None, "mark"):
        with pytest.raises(FileExistsError, match="out is there already and holds something else. Choose another"):
            with whole_folder(folder, mark=mark):
                raise AssertionError("the block runs although its result could not be kept")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="file is there already"), whole_folder(tmp_path / "file"):
        pass
    (tmp_path / "file").unlink()
    assert tree(tmp_path) == was


def test_what_came_into_a_folder_meanwhile_is_not_lost(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(FileExistsError, match="holds something else"), whole_folder(folder, mark="mark"):
        folder.mkdir()
        (folder / "thesis.tex").write_text("years of work")
    assert tree(tmp_path) == {"out": None, "out/thesis.tex": "years of work"}


def test_a_folder_comes_back_if_the_new_one_cannot_take_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace = tmp_path / "out", os.replace
    with whole_folder(folder) as temporary:
        (temporary / "mark").write_text("old")

    def refuse(source: Path, target: Path) -> None:
        if target == folder and not source.name.endswith("-before"):
            raise PermissionError(13, "Permission denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError), whole_folder(folder, mark="mark") as temporary:
        (temporary / "mark").write_text("new")
    assert tree(tmp_path) == {"out": None, "out/mark": "old"}


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk", target_is_directory=True)
    for content in ("old", "new"):
        with whole_folder(tmp_path / "out", mark="mark") as temporary:
            (temporary / "mark").write_text(content)
    assert (tmp_path / "out").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "out"]
    assert (tmp_path / "disk" / "mark").read_text() == "new"


@pytest.mark.parametrize("writer", ["whole_file", "whole_folder"])
def test_a_kill_leaves_what_was_there(tmp_path: Path, writer: str) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "a"
    if writer == "whole_file":
        target.write_text("old")
    else:
        target.mkdir()
        (target / "mark").write_text("old")
    was = tree(target.parent)
    inside = "open(t, 'w').write('half')" if writer == "whole_file" else "open(t / 'mark', 'w').write('half')"
    mark = "" if writer == "whole_file" else ", mark='mark'"
    script = (
        "import os, signal, sys\n"
        "from workbench.whole import whole_file, whole_folder\n"
        f"with {writer}(sys.argv[1]{mark}) as t:\n"
        f"    {inside}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(target)], cwd=SOURCE.parent, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert {name: text for name, text in tree(target.parent).items() if not name.startswith(".")} == was


BY_HAND = {"os": {"replace", "rename", "renames"}, "shutil": {"move"}, "tempfile": {"mkstemp", "NamedTemporaryFile"}}
EXCEPTIONS = {
    # A folder for scratch, which is never given another name.
    "workbench/capture/folder.py": ["tempfile.mkdtemp"],
}


def handmade(source: str) -> list[str]:
    """What a module calls or imports to put files in place by itself."""
    calls = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in BY_HAND.get(node.value.id, ()) or (node.value.id, node.attr) == ("tempfile", "mkdtemp"):
                calls.append(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module in BY_HAND:
            calls += [f"{node.module}.{one.name}" for one in node.names if one.name in BY_HAND[node.module]]
            calls += ["tempfile.mkdtemp" for one in node.names if one.name == "mkdtemp"]
        elif isinstance(node, ast.Call) and _replaces_a_path(node):
            calls.append("Path.replace")
    return calls


def _replaces_a_path(call: ast.Call) -> bool:
    """Whether it is `path.replace(target)`: a text's takes two values, and that of dataclasses takes names."""
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "replace"
        and (len(call.args) == 1 and not call.keywords)
    )


def test_hand_made_writers_are_seen() -> None:
    lines = {
        "os.replace(a, b)": ["os.replace"],
        "from os import replace, rename": ["os.replace", "os.rename"],
        "from tempfile import mkdtemp": ["tempfile.mkdtemp"],
        "path.replace(other)": ["Path.replace"],
        "text.replace('a', 'b'); replace(edit, unit=1); table.rename(columns={})": [],
    }
    for line, calls in lines.items():
        assert handmade(line) == calls


def test_nothing_but_the_writer_puts_files_in_place() -> None:
    calls = {
        str(path.relative_to(SOURCE.parent)): handmade(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }
    assert calls.pop("workbench/whole.py")
    assert {name: made for name, made in calls.items() if made} == EXCEPTIONS


def test_what_systems_put_into_folders_does_not_fill_them(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "._notes.txt").write_bytes(b"\0")
    with whole_folder(folder) as temporary:
        (temporary / "a.txt").write_text("a")
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    with pytest.raises(FileExistsError, match="holds something else"), whole_folder(folder):
        pass


def test_only_what_writers_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in (".DS_Store", ".env", ".ledger-0123456789ab.json", ".ledger-0123456789ab"):
        (tmp_path / name).write_text("")
    remove_temporary(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".DS_Store", ".env", ".git"]
