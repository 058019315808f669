"""Reads steering files of every kind, and recognises the kind by the file's name and content."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from workbench.edit.applying import check_fits
from workbench.edit.edit import AnyEdit, load_edit
from workbench.export.caa import PATTERN as CAA_PATTERN
from workbench.export.caa import read_caa
from workbench.export.control_vector import read_control_vector
from workbench.export.dpn_le import read_dpn_le
from workbench.export.fitting import check_same_weights
from workbench.export.gguf_header import MAGIC
from workbench.export.lm_eval import is_lm_eval, read_lm_eval
from workbench.export.npti import read_npti_edit
from workbench.export.persona_vectors import read_persona_vectors
from workbench.export.pickled import load_pt
from workbench.model.model import Model

Reader = Callable[..., AnyEdit]


def read_steering(
    path: str | Path, *, model: Model, format: str | None = None, any_weights: bool = False, **settings: Any
) -> AnyEdit:
    """The edit that a file or folder of any kind holds, checked against the model that it is for.

    A file that names no weights (persona vectors, CAA, NPTI and what other tools wrote) is checked by shape alone.
    The formats are `edit` (the workbench's own safetensors), `gguf`, `lm-eval`, `dpn-le`, `npti`, `persona-vectors`
    and `caa`.

    Args:
        model: the file's blocks, width and, where it names them, architecture and weights must be this model's.
        format: the file's format; by default it is recognised by name and content.
        any_weights: accept a file made on other weights, for example on the same model in another number type.
        settings: the other arguments of that format's reader: `gamma` for all; `trait` and `direction` for foreign
            files; `layers` for residual vectors; `weighted` and `neurons` for DPN-LE's.

    Raises:
        FileNotFoundError: if there is nothing there.
        ValueError: if it is of no known kind, unsafe to read, damaged, or for another model, with both values.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    kind = _format(path) if format is None else format
    if kind not in READERS:
        raise ValueError(f"There is no steering format {kind!r}. Choose one of {', '.join(READERS)}.")
    if kind in _NAMING_WEIGHTS:
        settings["any_weights"] = any_weights
    return READERS[kind](path, model=model, **settings)


def _format(path: Path) -> str:
    """The format of a file or folder, by its first bytes, names and content."""
    if path.is_dir():
        if (path / "config.json").is_file():
            raise ValueError(f"{path.name} is a whole checkpoint, an edit baked in or not. Load it with load_model.")
        for pattern, kind in _FOLDERS.items():
            if any(path.glob(pattern)):
                return kind
        raise ValueError(f"{path.name} is a folder without steering files: none is {', '.join(_FOLDERS)}.")
    if path.suffix == ".safetensors":
        return "edit"
    with path.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            return "gguf"
    if path.suffix not in (".pt", ".pth"):
        raise ValueError(f"{path.name} is no steering file: it ends in neither .safetensors, .gguf nor .pt.")
    content = load_pt(path)
    if is_lm_eval(content):
        return "lm-eval"
    if isinstance(content, Tensor) and content.ndim in (1, 2):
        return "caa" if content.ndim == 1 else "persona-vectors"
    if isinstance(content, dict) and "steering_vector" in content:
        raise ValueError(f"{path.name} is one layer of DPN-LE's. Give the folder that it is in.")
    raise ValueError(
        f"{path.name} holds a {type(content).__name__} that is no steering file. Known are {', '.join(READERS)}."
    )


def _read_edit(path: Path, *, model: Model, gamma: float | None = None, any_weights: bool = False) -> AnyEdit:
    edit = load_edit(path)
    try:
        check_fits(model, edit)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    for provenance in (edit.provenance, *(part.provenance for part in edit.parts)):
        check_same_weights(model, path.name, provenance.get("model_fingerprint"), any_weights=any_weights)
    return edit if gamma is None else edit.with_gamma(gamma)


def _read_dpn_le(
    path: Path, *, model: Model, trait: str | None = None, any_weights: bool = False, **settings: Any
) -> AnyEdit:
    return read_dpn_le(path, trait=trait, model=model, any_weights=any_weights).edit(**settings)


_NAMING_WEIGHTS = frozenset({"edit", "gguf", "lm-eval", "dpn-le"})
"""Formats whose files may name the weights that they were made on."""

_FOLDERS = {
    "layer*_steering_data.pt": "dpn-le",
    "layer*_steering_data.json": "dpn-le",
    CAA_PATTERN: "caa",
    "*_reversed_dict.json": "npti",
}

READERS: dict[str, Reader] = {
    "edit": _read_edit,
    "gguf": read_control_vector,
    "lm-eval": read_lm_eval,
    "dpn-le": _read_dpn_le,
    "npti": read_npti_edit,
    "persona-vectors": read_persona_vectors,
    "caa": read_caa,
}
