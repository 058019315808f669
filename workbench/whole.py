"""Files and folders that are written whole or not at all, so that a stop at any moment leaves what was there before.

Everything is written under a hidden temporary name in the same folder and then takes its own name in one step.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STRAY = {".DS_Store", "Thumbs.db", "desktop.ini", ".directory", ".localized"}
_TEMPORARY = re.compile(r"\..*-[0-9a-f]{12}(\..*)?", re.DOTALL)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary file beside `path`, for the block to fill, that replaces `path` when the block ends.

    The temporary file has the ending of `path`, and the mode 0644 less what the umask forbids. Missing parent folders
    are made. If the block raises, `path` is as it was before, and neither the temporary file nor a new folder remains.

    Raises:
        OSError: if the file or a parent folder cannot be made, or `path` is a folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder) / "a.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     print([(path.name, path.read_text()) for path in Path(folder).iterdir()])
        [('a.txt', 'whole')]
    """
    path = Path(path)
    if path.name in ("", "..") or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "A file is needed, but this is a directory", str(path))
    with parents_of(path):
        temporary = _name_beside(path)
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            mode = temporary.stat().st_mode
            yield temporary
            os.chmod(temporary, mode)  # a library may have put a file of its own in the place of this one
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_whole(path: str | Path, content: str | bytes) -> Path:
    """Write a text, as UTF-8 with its line ends as they are, or bytes; see `whole_file`.

    Returns:
        the path.
    """
    path = Path(path)
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


@contextmanager
def whole_folder(folder: str | Path, *, mark: str | None = None) -> Iterator[Path]:
    """A temporary folder beside `folder`, for the block to fill, that takes its place when the block ends.

    Missing parent folders are made. If the block raises, `folder` is as it was before, and neither the temporary
    folder nor a new parent remains.

    Args:
        mark: a file that says that a folder was written here before, by the same writer. A folder that holds it is
            replaced with all its content; any other folder is replaced only if it is empty, see `is_empty`.

    Raises:
        FileExistsError: if `folder` is there, is not empty and does not hold `mark`, at the beginning or at the end;
            or if it is the working folder or holds that.
        OSError: if the folder or a parent cannot be made.
    """
    folder = Path(folder)
    if folder.is_symlink() or folder.name in ("", ".."):
        folder = folder.resolve()
    if Path.cwd().is_relative_to(folder.absolute()):
        raise FileExistsError(f"{folder} holds the folder that this runs in. Choose another output folder.")
    _refuse_other_content(folder, mark)
    with parents_of(folder):
        temporary = _name_beside(folder)
        try:
            temporary.mkdir(0o755)
            yield temporary
            _refuse_other_content(folder, mark)
            _put_in_place(temporary, folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _refuse_other_content(folder: Path, mark: str | None) -> None:
    if not folder.exists():
        return
    if folder.is_dir() and (is_empty(folder) or (mark is not None and (folder / mark).is_file())):
        return
    raise FileExistsError(f"{folder} is there already and holds something else. Choose another output folder.")


def is_stray(path: Path) -> bool:
    """Whether a file is one that systems put into any folder, e.g. `.DS_Store`."""
    return path.name in _STRAY or path.name.startswith("._")


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing that somebody put there."""
    return all(is_stray(path) for path in folder.iterdir())


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files that writers which were killed have left in a folder, and nothing else."""
    for path in folder.glob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename `temporary` to `folder`; what had that name comes back if that fails, and is removed if it does not."""
    if not folder.exists():
        os.replace(temporary, folder)
        return
    before = temporary.with_name(f"{temporary.name}-before")
    try:
        os.replace(folder, before)
        os.replace(temporary, folder)
    finally:
        if before.exists() and not folder.exists():
            os.replace(before, folder)
        shutil.rmtree(before, ignore_errors=True)


def _name_beside(path: Path) -> Path:
    """A hidden name in the folder of `path`, with its ending, that nothing has yet."""
    return path.with_name(f".{path.stem[:40]}-{secrets.token_hex(6)}{path.suffix}")


@contextmanager
def parents_of(path: Path) -> Iterator[None]:
    """The parent folders of `path`, made where they are missing; those that were made go again after an exception."""
    missing = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # another writer may have put something in the folder since
            for parent in missing:
                parent.rmdir()
        raise
