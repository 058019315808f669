"""How a command that fails ends: a mistake in a line, any other error in a line that names a file with its traceback.

A mistake is whatever the package refuses, and what Python and its libraries say of values, files, memory and devices.
"""

import linecache
import os
import platform
import sys
import tempfile
import time
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workbench.cli.telling import say
from workbench.printable import one_line

MISTAKE = 2
UNFORESEEN = 1  # the exit status after an error that is the program's own

_PACKAGE = Path(__file__).parents[1]
_TOLD = (OSError, ValueError, RuntimeError, FloatingPointError, ImportError)
_OWN = (RecursionError, NotImplementedError, AssertionError)
_MOST = 400  # characters of an unforeseen error's own words


def end(error: BaseException) -> int:
    """Say on standard error how a command failed.

    Returns:
        the exit status: 2 after a mistake, 1 after anything else.
    """
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still unwritten has no reader
        return UNFORESEEN
    if isinstance(error, MemoryError):
        why = str(error) or "an allocation failed"
        say(f"workbench: there is not enough memory: {why.rstrip('.')}. Ask for less at a time.")
        return MISTAKE
    if is_mistake(error):
        first, *others = getattr(error, "lines", None) or [words(error)]
        say(f"workbench: {first}")
        for line in others:
            say(line)
        return MISTAKE
    name = type(error).__name__
    told = one_line(error, most=_MOST).rstrip(".")
    kept = keep_traceback(error)
    report = (
        f"Its traceback is in {kept}; please report it with that file"
        if kept
        else "Set WORKBENCH_TRACEBACK=1 to see its traceback, and please report it with that"
    )
    say(f"workbench: an error that it did not foresee: {name}{f': {told}' if told else ''}. {report}.")
    return UNFORESEEN


def is_mistake(error: BaseException) -> bool:
    """Whether an error says what the user can change."""
    if isinstance(error, _OWN) and not _refused(error):
        return False
    return isinstance(error, _TOLD) or (isinstance(error, Exception) and _refused(error))


def words(error: BaseException) -> str:
    """What an error says; of a failed system call its reason and the file, of a sign that cannot be written which."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, UnicodeEncodeError):
        sign = error.object[error.start : error.start + 1]
        return f"A name or text holds {sign!r}, which cannot be written as {error.encoding}. Rename it, in UTF-8."
    return str(error) or type(error).__name__


def keep_traceback(error: BaseException) -> Path | None:
    """Write an error's traceback, with the command and the versions, among the user's logs, or else temporary files.

    Returns:
        the file; None where neither place can be written to.
    """
    import platformdirs

    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    content = _report(error).encode("utf-8", "backslashreplace")
    for folder in (platformdirs.user_log_path("dpn-workbench"), Path(tempfile.gettempdir()) / "dpn-workbench"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        except OSError:
            continue
        return folder / name
    return None


def _report(error: BaseException) -> str:
    lines = [f"command: {sys.argv}", f"python: {platform.python_version()} on {platform.platform()}"]
    for package in ("dpn-workbench", "torch", "transformers", "transformer-lens"):
        try:
            lines.append(f"{package}: {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package}: not installed")
    return "\n".join([*lines, "", *traceback.format_exception(error)])


def _refused(error: BaseException) -> bool:
    """Whether the package itself raised the error, by a statement that does so."""
    last = error.__traceback__
    if last is None:
        return False
    while last.tb_next is not None:
        last = last.tb_next
    file = last.tb_frame.f_code.co_filename
    return Path(file).is_relative_to(_PACKAGE) and linecache.getline(file, last.tb_lineno).lstrip().startswith("raise ")
