"""Ways to a hooked model: by name, from a folder, or one that already stands in memory."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from workbench.model.model import Model
from workbench.model.runner import HookedTransformer

TESTBED = "testbed"


def load_model(
    name_or_path: str | Path = TESTBED,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    revision: str | None = None,
    device_map: str | dict | None = None,
    trust_remote_code: bool = False,
) -> Model:
    """A model with TransformerLens hooks, ready to capture, edit and generate.

    Args:
        name_or_path: `"testbed"` for the embedded model, a Hugging Face name, or a local checkpoint folder.
        device: where the model lives; by default CUDA where it is there, otherwise the CPU.
        device_map: spreads a model over devices, as accelerate does; leaves `device` to it.

    Raises:
        FileNotFoundError: if the name is no folder here and no model that can be reached.
    """
    if str(name_or_path) == TESTBED:
        with as_file(files("workbench.testbed") / "weights") as folder:
            return _boot(str(folder), TESTBED, device or "cpu", dtype, None, None, False)
    path = Path(name_or_path)
    if path.is_dir() and not (path / "config.json").is_file():
        raise FileNotFoundError(f"{path} is a folder without a config.json: it holds no checkpoint.")
    if device is None and device_map is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return _boot(str(name_or_path), str(name_or_path), device, dtype, revision, device_map, trust_remote_code)
    except (OSError, ValueError) as error:
        if path.is_dir():
            raise
        raise FileNotFoundError(
            f"There is no model {str(name_or_path)!r}: it is no folder here, and the hub did not give it "
            f"({type(error).__name__}). Use 'testbed', a checkpoint folder, or a name that the hub has."
        ) from error


def _boot(
    path: str,
    name: str,
    device: str | torch.device | None,
    dtype: torch.dtype,
    revision: str | None,
    device_map: str | dict | None,
    trust_remote_code: bool,
) -> Model:
    with _quiet():
        hooked = TransformerBridge.boot_transformers(
            path,
            device=device,
            dtype=dtype,
            revision=revision,
            device_map=device_map,
            trust_remote_code=trust_remote_code,
        )
    recipe = {
        "name_or_path": name if name == TESTBED else path,
        "dtype": str(dtype).removeprefix("torch."),
        "revision": revision,
        "device_map": device_map,
        "trust_remote_code": trust_remote_code,
    }
    return Model(hooked.eval(), _with_tokenizer(hooked, None), name=name, recipe=recipe)


def wrap_model(
    hooked: nn.Module, tokenizer: PreTrainedTokenizerBase | None = None, *, name: str | None = None
) -> Model:
    """A hooked model that you already have, with its own tokenizer unless another is given.

    Args:
        hooked: a `TransformerBridge` (TransformerLens 3 and 4) or a `HookedTransformer` (3 and before). One whose
            weights were folded or centred works too; it is another parametrisation of the same function.

    Raises:
        TypeError: for any other kind of model.
        ValueError: if there is no tokenizer.
    """
    kinds = tuple(kind for kind in (TransformerBridge, HookedTransformer) if kind is not None)
    if not isinstance(hooked, kinds):
        raise TypeError(
            f"wrap_model takes a {' or a '.join(kind.__name__ for kind in kinds)}, but a {type(hooked).__name__} "
            "arrived. Load it with TransformerBridge.boot_transformers, or give its name or folder to load_model."
        )
    cfg: Any = hooked.cfg
    return Model(hooked.eval(), _with_tokenizer(hooked, tokenizer), name=name or str(cfg.model_name))


def load_again(recipe: Mapping[str, Any]) -> Model:
    """The model that a `Model.recipe` describes, on this machine's own device."""
    settings = dict(recipe)
    return load_model(settings.pop("name_or_path"), dtype=getattr(torch, settings.pop("dtype")), **settings)


def _with_tokenizer(hooked: Any, tokenizer: PreTrainedTokenizerBase | None) -> PreTrainedTokenizerBase:
    tokenizer = tokenizer or hooked.tokenizer
    if tokenizer is None:
        raise ValueError("The model has no tokenizer. Give one as the second argument.")
    return tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' progress bars and load reports; errors still raise."""
    level = transformers_logging.get_verbosity()
    shown = transformers_logging.is_progress_bar_enabled()
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
        if shown:
            transformers_logging.enable_progress_bar()
