"""Warnings that a run raises, kept so that its report can tell them."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOGGER = "workbench"


@contextmanager
def warnings_kept() -> Iterator[list[str]]:
    """Collect, once each, what Python's warnings and the workbench's log warn of meanwhile; both are still shown."""
    kept: list[str] = []

    def keep(text: str) -> None:
        line = " ".join(text.split())
        if line not in kept:
            kept.append(line)

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            keep(record.getMessage())

    handler = Keeping(level=logging.WARNING)
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        keep(f"{category.__name__}: {message}")
        shown(message, category, *place, **more)

    logging.getLogger(LOGGER).addHandler(handler)
    warnings.showwarning = show
    try:
        yield kept
    finally:
        warnings.showwarning = shown
        logging.getLogger(LOGGER).removeHandler(handler)
