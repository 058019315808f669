"""llama.cpp's control vectors: a GGUF file with a direction for every block but the first."""

import re
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.edit.edit import AnyEdit, Edit
from workbench.export.architectures import same_architecture
from workbench.export.fitting import check_same_weights, check_shape, model_type
from workbench.export.gguf_header import check_header
from workbench.export.writing import residual_writes
from workbench.model.model import Model
from workbench.vocabulary import RESID_POST
from workbench.whole import whole_file

try:
    import gguf
except ImportError:  # it comes with the extra of that name
    gguf = None

ARCHITECTURE = "controlvector"
_DIRECTION = re.compile(r"direction\.(\d{1,5})")


def export_control_vector(model: Model, edit: AnyEdit, path: str | Path, *, scope: str = "all") -> Path:
    """Write what an edit adds to the residual stream as a GGUF control vector, for llama.cpp's `--control-vector`.

    `direction.L` holds `gamma * delta_L @ W_out[L]`, float32, for L from 1 to the last block, zeros where nothing is
    added; llama.cpp adds it after block L (0-based), at every position. Keys under `workbench.` say where it comes
    from; llama.cpp does not read them.

    Args:
        scope: where the edit is to act; a control vector acts at every position, so only `all` is accepted.

    Raises:
        ImportError: if the package gguf is not installed.
        ValueError: if a control vector cannot be this edit, with the reason.

    Reference:
        llama.cpp, `common_control_vector_load`; repeng, `ControlVector.export_gguf`.
    """
    library = _library()
    if scope != "all":
        raise ValueError(
            f"A control vector acts at every position, so only scope 'all' can be exported, but {scope!r} arrived."
        )
    if not edit.acts:
        raise ValueError(f"There is nothing to export: {edit!r} adds nothing.")
    writes = residual_writes(model, edit)
    if 0 in writes:
        raise ValueError(
            "A control vector cannot express an edit of block 0: llama.cpp's first direction acts after block 1. "
            "Make the edit without layer 0, or bake it with bake()."
        )
    path = Path(path)
    with whole_file(path) as temporary, closing(library.GGUFWriter(temporary, ARCHITECTURE)) as writer:
        writer.add_string(f"{ARCHITECTURE}.model_hint", model_type(model))
        writer.add_uint32(f"{ARCHITECTURE}.layer_count", model.n_layers - 1)
        writer.add_uint32("workbench.n_layers", model.n_layers)
        for key, text in _described(model, edit).items():
            writer.add_string(f"workbench.{key}", text)
        for layer in range(1, model.n_layers):
            direction = writes.get(layer, torch.zeros(model.d_model))
            writer.add_tensor(f"direction.{layer}", direction.to(torch.float32).numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    return path


def read_control_vector(
    path: str | Path,
    *,
    model: Model | None = None,
    trait: str | None = None,
    direction: str | None = None,
    gamma: float = 1.0,
    any_weights: bool = False,
) -> Edit:
    """A control vector as an edit at `resid_post`; gamma 1 is the file's own strength.

    Args:
        model: its blocks, width and weights must be those of the file, as far as the file names them. An architecture
            that the file calls by another name, and a wrong number of directions, which llama.cpp does not read, are
            warnings.
        trait, direction: what the edit moves and which way; by default what the file says, or else its name and
            `increase`.
        any_weights: accept a file made on other weights, or for an architecture of another name, without a warning.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the package gguf is not installed.
        ValueError: if it is no control vector, claims more than it holds, or is for another model, with both values.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    check_header(path)
    keys, directions = _read(path)
    if keys.get("general.architecture", ARCHITECTURE) != ARCHITECTURE:
        raise ValueError(f"{path.name} is no control vector but a {keys.get('general.architecture')!r}.")
    if not directions:
        raise ValueError(f"{path.name} holds no direction.")
    count = keys.get(f"{ARCHITECTURE}.layer_count")
    if count is not None and count != len(directions):
        warnings.warn(
            f"{path.name} says that it has {count} directions, but holds {len(directions)}, which are taken: llama.cpp "
            "does not read the number either.",
            stacklevel=2,
        )
    widths = {len(vector) for vector in directions.values()}
    if len(widths) != 1:
        raise ValueError(f"{path.name}: directions are equally wide, but widths {sorted(widths)} arrived.")
    if model is not None:
        hint = keys.get(f"{ARCHITECTURE}.model_hint")
        check_shape(
            model,
            path.name,
            site=RESID_POST,
            width=widths.pop(),
            layers=directions.keys(),
            n_layers=keys.get("workbench.n_layers"),
        )
        check_same_weights(model, path.name, keys.get("workbench.model_fingerprint"), any_weights=any_weights)
        if isinstance(hint, str) and not any_weights and not same_architecture(hint, model_type(model)):
            warnings.warn(
                f"{path.name} is for the architecture {hint!r}, but {model.name} is a {model_type(model)!r}. Its "
                "shapes fit, so that it is read; any_weights=True (--any-weights) takes it without a word.",
                stacklevel=2,
            )
    described = {key.removeprefix("workbench."): text for key, text in keys.items() if isinstance(text, str)}
    return Edit.of(
        {layer: torch.from_numpy(vector.copy()) for layer, vector in directions.items()},
        trait=trait or described.get("trait") or path.stem,
        method=described.get("method") or "control vector",
        direction=direction or described.get("direction") or "increase",
        site=RESID_POST.name,
        gamma=gamma,
        provenance={key: described[key] for key in ("model", "model_fingerprint") if key in described}
        | {"source": path.name, "format": "gguf"},
    )


def _described(model: Model, edit: AnyEdit) -> dict[str, str]:
    return {
        "trait": edit.trait,
        "method": edit.method,
        "direction": edit.direction,
        "model": model.name,
        "model_fingerprint": model.fingerprint,
    }


def _read(path: Path) -> tuple[dict[str, Any], dict[int, np.ndarray]]:
    """The keys and the directions of a file whose header was checked."""
    try:
        reader = _library().GGUFReader(path)
        keys = {name: field.contents() for name, field in reader.fields.items()}
    except (ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is a damaged GGUF file: {error}.") from None
    directions = {}
    for tensor in reader.tensors:
        named = _DIRECTION.fullmatch(tensor.name)
        if named is None or int(named[1]) < 1:
            raise ValueError(f"{path.name}: tensors are direction.1, direction.2, ..., but {tensor.name!r} arrived.")
        directions[int(named[1])] = np.asarray(tensor.data)
    return keys, directions


def _library() -> Any:
    if gguf is None:
        raise ImportError("GGUF files need the package gguf. Install it with: pip install 'dpn-workbench[gguf]'.")
    return gguf
