"""Ctrl-C: it is never lost, and the work that was done is kept."""

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STOPPED = 130  # the exit status of a run that Ctrl-C ended


class Stopped(Exception):
    """Ctrl-C was pressed; the message says how to continue."""


@contextmanager
def heeding_ctrl_c() -> Iterator[Callable[[], None]]:
    """Yields a function that raises KeyboardInterrupt again if Ctrl-C was pressed.

    Long work calls it now and then, because Python drops an exception that is raised within a finaliser or a library's
    callback.
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
    """On Ctrl-C, say that finished work is kept in a folder; yields the function of `heeding_ctrl_c`."""
    try:
        with heeding_ctrl_c() as check:
            yield check
    except KeyboardInterrupt:
        raise Stopped(f"stopped. What is done is kept in {folder}; run the same command again to continue.") from None


@contextmanager
def kept_when_stopped(folder: Path) -> Iterator[None]:
    """Keep a folder of unfinished work if the user stopped; remove it when the work ended or failed."""
    try:
        yield
    except Stopped:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
