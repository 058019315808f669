"""Loads a hooked model by name or from a folder, or wraps one that is in memory already."""

import copy
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from importlib.resources import as_file, files
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from workbench.model.adapter import CONFIG, Adapter, MergedNetwork, WrongAdapter, adapter_config, is_adapter, merged
from workbench.model.checkpoint import IncompleteCheckpoint, WholeNetwork, check_causal, check_folder, one_line
from workbench.model.gguf import PACKAGED, converted
from workbench.model.hub import config_of, hub_asked
from workbench.model.model import Model
from workbench.model.quantised import QuantisedCheckpoint, refuse_quantised, refuse_quantised_folder
from workbench.model.quiet import quiet
from workbench.model.runner import HookedTransformer, bridge_class
from workbench.model.template import TemplateVariableError, checked_variables
from workbench.model.text import checkpoints_own
from workbench.model.unwrapping import bare, bridged
from workbench.textfile import read_json

TESTBED = "testbed"


def load_model(
    name_or_path: str | Path = TESTBED,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    revision: str | None = None,
    device_map: str | dict | None = None,
    trust_remote_code: bool = False,
    adapter: str | Path | None = None,
    template: Mapping[str, Any] | None = None,
) -> Model:
    """A model with TransformerLens hooks, ready to capture, edit and generate.

    A `pytorch_model.bin` is read as tensors only, never as a pickle that may run code. The tokenizer is used as the
    checkpoint defines it; TransformerLens would change it so that raw texts always get a BOS token.

    Args:
        name_or_path: `"testbed"` for the embedded model, `"smollm2"` for SmolLM2-135M-Instruct (whose package must be
            installed), a Hugging Face name, a local checkpoint folder, or a GGUF file. A GGUF file's weights are
            dequantised to `dtype`, and a copy so converted is kept in the user's cache; see `Model.source`.
        device: where the model is put; by default CUDA if it is available, otherwise the CPU.
        revision: a branch, tag or commit of the hub.
        device_map: how to spread the model over devices, as in accelerate; it replaces `device`.
        trust_remote_code: whether Python files of the checkpoint may run; if so, a warning says it.
        adapter: a folder, or a name of the hub, of a peft adapter, e.g. a LoRA. It is merged into the weights, and the
            result must compute what base and adapter compute apart. Its tokenizer, if it comes with one that the base
            can read, replaces the base's. A folder that is itself an adapter may be given as `name_or_path`: its base
            is the one that it names, which a warning says.
        template: variables that the chat template is given with every prompt, e.g. `{"enable_thinking": False}`. A
            template that asks for the day is told 26 July 2024, or what `strftime_now` says, e.g. "2025-01-31".

    Raises:
        FileNotFoundError: if the name is neither a folder nor a model that can be reached, or a file or the package
            that holds the model is missing.
        ImportError: if a GGUF file is to be converted and the package gguf is missing, or peft for an adapter.
        ValueError: if the checkpoint is damaged, incomplete or quantised, has no tokenizer, needs code of its own, is
            no causal language model (an encoder-decoder, say), or there is no such device; for an adapter that does
            not fit; or for a variable that its chat template does not read. The message is one line.
    """
    if not isinstance(name_or_path, str | Path):
        raise TypeError(
            f"load_model takes a name or a folder, but a {type(name_or_path).__name__} arrived. wrap_model takes a "
            "model that is in memory."
        )
    given = Path(name_or_path).expanduser()
    if adapter is None and given.is_dir() and is_adapter(given):
        adapter, name_or_path = given, _base_of(given)
    further: dict[str, Any] = {"adapter": None if adapter is None else Adapter.of(adapter), "template": template}
    if str(name_or_path) == TESTBED:
        with as_file(files("workbench.testbed") / "weights") as folder:
            place = _placed(device or (None if device_map is not None else "cpu"), device_map)
            return _boot(str(folder), TESTBED, place, dtype, None, device_map, False, **further)
    device = _placed(device, device_map)
    packaged = PACKAGED.get(str(name_or_path))
    path = Path(name_or_path).expanduser() if packaged is None else packaged.file()
    if path.is_file():
        if path.suffix != ".gguf":
            raise ValueError(f"{path} is a file. Give the folder that holds the checkpoint, or a .gguf file.")
        folder, source = converted(path, dtype)
        name = str(path) if packaged is None else str(name_or_path)
        return _boot(str(folder), name, device, dtype, None, device_map, False, source, **further)
    local = path.is_dir()
    if local:
        check_folder(path)
        refuse_quantised_folder(path, read_json(path / "config.json"))
    name = str(path) if local else str(name_or_path)
    if trust_remote_code:
        warnings.warn(
            f"trust_remote_code is on: Python files that came with {name} will run on this machine.", stacklevel=2
        )
    try:
        with nullcontext() if local else hub_asked(name, revision):
            if not local:
                refuse_quantised(name, config_of(name, revision))
            shown = str(name_or_path)
            return _boot(name, shown, device, dtype, revision, device_map, trust_remote_code, **further)
    except (
        torch.OutOfMemoryError,
        IncompleteCheckpoint,
        QuantisedCheckpoint,
        WrongAdapter,
        TemplateVariableError,
        FileNotFoundError,
    ):
        raise
    except _LOAD_ERRORS as error:
        if "trust_remote_code=True" in str(error):
            raise ValueError(
                f"{name} needs Python code of its own to load. Read it, and if you trust it pass "
                "trust_remote_code=True to load_model."
            ) from error
        if isinstance(error, UnpicklingError):
            raise ValueError(
                f"{name} keeps its weights in a pickle that holds more than tensors and could run code, so it is not "
                "read. Convert it to safetensors on a machine where you trust it."
            ) from error
        if local or not isinstance(error, OSError):
            raise ValueError(f"{name} cannot be loaded: {one_line(error)}.") from error
        raise FileNotFoundError(
            f"There is no model {name!r}: it is no folder here, and the hub did not give it ({type(error).__name__}: "
            f"{one_line(error)}). Use 'testbed', a checkpoint folder, or a name that the hub has."
        ) from error


_LOAD_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, UnpicklingError, SafetensorError)
"""The errors that a bad checkpoint can cause while it is loaded."""


def _placed(device: str | torch.device | None, device_map: str | dict | None) -> str | torch.device | None:
    """The device to load on; None if a device map is given."""
    if device_map is not None:
        if device is not None:
            raise ValueError(f"Give device= or device_map=, not both; {str(device)!r} and {device_map!r} arrived.")
        return None
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(f"There is no device {str(device)!r}. Use cpu, cuda, cuda:1, ... or mps.") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"The device is {str(device)!r}, but this machine or this build of torch has no CUDA.")
    return device


def _boot(
    path: str,
    name: str,
    device: str | torch.device | None,
    dtype: torch.dtype,
    revision: str | None,
    device_map: str | dict | None,
    trust_remote_code: bool,
    source: Mapping[str, Any] | None = None,
    *,
    adapter: Adapter | None = None,
    template: Mapping[str, Any] | None = None,
) -> Model:
    asked = {"revision": revision, "trust_remote_code": trust_remote_code}
    with quiet():
        tokenizer = _load_tokenizer(path, **asked)
        if adapter is not None:
            tokenizer = _tokenizer_of(adapter, tokenizer)
        checked_variables(tokenizer, template)  # before anything large is read
        hooked = bridge_class().boot_transformers(
            path,
            device=device,
            dtype=dtype,
            device_map=device_map,
            tokenizer=copy.deepcopy(tokenizer),
            model_class=WholeNetwork if adapter is None else MergedNetwork(adapter),
            **asked,
        )
    recipe = {
        "name_or_path": path if source is None and name != TESTBED else name,
        "dtype": str(dtype).removeprefix("torch."),
        "revision": revision,
        "device_map": device_map,
        "trust_remote_code": trust_remote_code,
    }
    if adapter is not None:
        recipe["adapter"] = adapter.name
        source = dict(source or {}) | {"adapter": adapter.record}
    return Model(hooked.eval(), tokenizer, name=name, recipe=recipe, source=source, template=template)


def checkpoint_of(recipe: Mapping[str, Any]) -> str:
    """The checkpoint behind a `Model.recipe`, as transformers takes it: a folder, or a name of the hub.

    Raises:
        FileNotFoundError, ValueError: if the model's package or file is no longer there.
    """
    name = str(recipe["name_or_path"])
    if name == TESTBED:
        return str(files("workbench.testbed") / "weights")
    path = PACKAGED[name].file() if name in PACKAGED else Path(name)
    if path.is_file():
        folder, _ = converted(path, getattr(torch, recipe["dtype"]))
        return str(folder)
    return name


def stock_network(recipe: Mapping[str, Any], dtype: torch.dtype) -> Any:
    """The network behind a `Model.recipe` as plain transformers has it, its adapter merged, on the CPU.

    Raises:
        FileNotFoundError, ValueError: if the model's package or file is no longer there.
    """
    network: Any = AutoModelForCausalLM.from_pretrained(
        checkpoint_of(recipe),
        dtype=dtype,
        revision=recipe.get("revision"),
        trust_remote_code=bool(recipe.get("trust_remote_code")),
    )
    return merged(network, Adapter.of(recipe["adapter"])) if recipe.get("adapter") else network


def _base_of(folder: Path) -> str:
    """The base that an adapter's folder names; a warning says it.

    Raises:
        ValueError: if it names none.
    """
    base = str((adapter_config(folder) or {}).get("base_model_name_or_path") or "")
    if not base:
        raise ValueError(f"{folder} is an adapter that names no base. Give the base, and this as adapter=.")
    beside = folder / base  # a relative path may have been meant from here
    base = base if Path(base).expanduser().is_dir() or not beside.is_dir() else str(beside)
    warnings.warn(
        f"{folder} is an adapter: it is merged into {base}, which its {CONFIG} names. For another base, give that, and "
        "this as adapter=.",
        stacklevel=3,
    )
    return base


def _tokenizer_of(adapter: Adapter, tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The adapter's own tokenizer if it comes with one of the base's vocabulary, otherwise the base's."""
    if not (adapter.folder / "tokenizer_config.json").is_file():
        return tokenizer
    own = _load_tokenizer(str(adapter.folder))
    return own if own.get_vocab() == tokenizer.get_vocab() else tokenizer


def _load_tokenizer(path: str, **source: Any) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer, unchanged; it is read before anything large."""
    try:
        return AutoTokenizer.from_pretrained(path, **source)
    except _LOAD_ERRORS as error:
        if not Path(path).is_dir() or "trust_remote_code=True" in str(error):
            raise
        raise ValueError(
            f"its tokenizer is missing or damaged, put the model's own tokenizer.json and tokenizer_config.json there "
            f"({one_line(error)})"
        ) from error


def wrap_model(
    hooked: nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    name: str | None = None,
    template: Mapping[str, Any] | None = None,
) -> Model:
    """Wraps a model that you already have; a hooked one's own tokenizer is used unless another is given.

    TransformerLens changes a model's tokenizer so that raw texts always get a BOS token. It is read again as its
    checkpoint defines it, so that a prompt has the same tokens whoever loaded the model.

    Args:
        hooked: a `TransformerBridge` (TransformerLens 3 and 4) or a `HookedTransformer` (3 and before). Its weights may
            be folded or centred, as that does not change what the model computes. Or a causal model of transformers,
            around which a bridge is put: the model itself is changed. A model that `torch.compile`, `DataParallel` or
            `DistributedDataParallel` has wrapped is unwrapped, which a warning says.
        tokenizer: is used as it is.
        template: as in `load_model`.

    Raises:
        TypeError: for any other kind of model, a sharded or quantised one, or one with an adapter that is not merged.
        ValueError: if there is no tokenizer, the model is no causal language model, or for a variable that its chat
            template does not read.
    """
    hooked = bare(hooked)
    if isinstance(hooked, PreTrainedModel):
        name = name or str(getattr(hooked.config, "_name_or_path", "") or type(hooked).__name__)
        hooked = bridged(hooked, tokenizer, name)
    kinds = tuple(kind for kind in (bridge_class(), HookedTransformer) if kind is not None)
    if not isinstance(hooked, kinds):
        raise TypeError(
            f"wrap_model takes a {' or a '.join(kind.__name__ for kind in kinds)} or a causal model of transformers, "
            f"but a {type(hooked).__name__} arrived. Give its name or folder to load_model."
        )
    cfg: Any = hooked.cfg
    config = getattr(getattr(hooked, "original_model", None), "config", None)
    if config is not None:
        try:
            check_causal(config)
        except ValueError as error:
            raise ValueError(f"{name or cfg.model_name} cannot be wrapped: {error}.") from None
    chosen = _with_tokenizer(hooked, tokenizer)
    return Model(hooked.eval(), chosen, name=name or str(cfg.model_name), template=template)


def load_again(recipe: Mapping[str, Any]) -> Model:
    """The model that a `Model.recipe` describes, on this machine's default device."""
    settings = dict(recipe)
    return load_model(settings.pop("name_or_path"), dtype=getattr(torch, settings.pop("dtype")), **settings)


def _with_tokenizer(hooked: Any, tokenizer: PreTrainedTokenizerBase | None) -> PreTrainedTokenizerBase:
    if tokenizer is not None:
        return tokenizer
    if hooked.tokenizer is None:
        raise ValueError("The model has no tokenizer. Give one as the second argument.")
    return checkpoints_own(hooked.tokenizer)
