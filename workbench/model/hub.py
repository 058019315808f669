"""Names of the hub: found out in seconds whether it answers; what is cached is used where it does not."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import HFValidationError, validate_repo_id

from workbench.model.checkpoint import one_line
from workbench.textfile import read_json

PATIENCE = 6.0
"""Seconds for a connection to the hub, and for its reply."""


@contextmanager
def hub_asked(name: str, revision: str | None, *, file: str = "config.json") -> Iterator[None]:
    """Ask the hub once whether it is there, and let a body that loads a name of it use the cache alone if it is not.

    `file` is what the cache must hold of it. The hub's own client would ask a dead line again and again, for most of a
    minute and for each file.

    Raises:
        FileNotFoundError: if it is no name of the hub, or the hub does not answer and the cache holds no such model.
    """
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise FileNotFoundError(
            f"There is no folder {name!r} here, and it is no name of the hub, which is like org/model."
        ) from None
    if constants.HF_HUB_OFFLINE:
        yield
        return
    problem = _unreachable(name, revision)
    if problem is None:
        yield
        return
    if not isinstance(try_to_load_from_cache(name, file, revision=revision), str):
        raise FileNotFoundError(
            f"There is no model {name!r}: it is no folder here, the cache does not hold it, and the hub at "
            f"{constants.ENDPOINT} does not answer ({problem}). Use 'testbed', a checkpoint folder, or go online."
        )
    warnings.warn(f"The hub does not answer ({problem}): {name} is loaded from the cache.", stacklevel=3)
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = False


def _unreachable(name: str, revision: str | None) -> str | None:
    """Why the hub does not answer; None if it does, whatever it says."""
    try:
        HfApi().model_info(name, revision=revision, timeout=PATIENCE)
    except HfHubHTTPError:
        return None
    except Exception as error:  # whatever the HTTP client of this version of the hub's package raises
        return one_line(error)
    return None


def config_of(name: str, revision: str | None, file: str = "config.json") -> Mapping[str, Any]:
    """A JSON file of a model of the hub; empty if it has none that can be read."""
    try:
        return read_json(hf_hub_download(name, file, revision=revision))
    except (OSError, ValueError, HfHubHTTPError):
        return {}  # what is wrong is told when it is loaded
