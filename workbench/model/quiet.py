"""Hides what libraries print while a model is loaded or written."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the libraries' progress bars, log messages and warnings; errors are still raised."""
    level = transformers_logging.get_verbosity()
    bars_shown = transformers_logging.is_progress_bar_enabled()
    logging.disable(logging.WARNING)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        transformers_logging.set_verbosity(level)
        if bars_shown:
            transformers_logging.enable_progress_bar()
