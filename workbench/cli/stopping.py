"""Ctrl-C that cannot get lost, and what is kept when it comes."""

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STOPPED = 130  # the exit status of a run that Ctrl-C ended


class Stopped(Exception):
    """Ctrl-C, with a line that says how to continue."""


@contextmanager
def heeding_ctrl_c() -> Iterator[Callable[[], None]]:
    """Ctrl-C that cannot get lost: a call of what is yielded raises it again.

    Python drops an exception that strikes within a finaliser or a library's callback.
    """
    pressed = False

    def press(*signalled: object) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def continuing(folder: Path) -> Iterator[Callable[[], None]]:
    """On Ctrl-C say that what is done is kept in a folder; what is yielded raises one that got lost."""
    try:
        with heeding_ctrl_c() as check:
            yield check
    except KeyboardInterrupt:
        raise Stopped(f"stopped. What is done is kept in {folder}; run the same command again to continue.") from None


@contextmanager
def kept_when_stopped(folder: Path) -> Iterator[None]:
    """Keep a folder of unfinished work after a stop; remove it after an end or an error."""
    try:
        yield
    except Stopped:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
