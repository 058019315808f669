"""lm-evaluation-harness's steering file: a `.pt` of vectors by hookpoint, for its model `steered`."""

import math
import re
from pathlib import Path
from typing import Any

import torch

from workbench.edit.edit import AnyEdit, Composite, Edit
from workbench.export.fitting import check_same_weights, check_shape, model_type
from workbench.export.pickled import load_pt, reals_of
from workbench.export.writing import projected_writes, residual_writes
from workbench.model.model import Model
from workbench.model.norms import normalises_mlp_output
from workbench.vocabulary import HOOK_POST, MLP_OUT, RESID_POST, Site
from workbench.whole import whole_file

_GATED = "layers.{layer}.mlp.down_proj"
_DOWN_PROJECTION = {
    "llama": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "mistral": _GATED,
    "gemma": _GATED,
    "gemma2": _GATED,
    "gemma3_text": _GATED,
    "olmo2": _GATED,
    "gpt2": "h.{layer}.mlp.c_proj",
    "gptj": "h.{layer}.mlp.fc_out",
    "gpt_neox": "layers.{layer}.mlp.dense_4h_to_h",
    "opt": "decoder.layers.{layer}.fc2",
    "bloom": "h.{layer}.mlp.dense_4h_to_h",
    "phi": "layers.{layer}.mlp.fc2",
}
"""Where the down projection stands in transformers' base model."""


def write_lm_eval(model: Model, edit: AnyEdit, path: str | Path, *, scope: str = "all") -> Path:
    """Write an edit for `lm_eval --model steered --model_args pretrained=...,steer_path=PATH`.

    `{hookpoint: {"steering_vector": (d_model,) float32, "steering_coefficient": gamma, "action": "add", "bias": None,
    "head_index": None}}`, the vector at gamma 1. An edit at `hook_post` or `mlp_out` goes to the down projection's
    output, one at `resid_post` to the block's. Each also gets an entry `workbench`, which lm-eval does not read and
    which says where the vector comes from.

    Args:
        scope: what the edit stands for; lm-eval adds at every position, so only `all`.

    Raises:
        ValueError: if the edit cannot be such a file, with the reason.

    Reference:
        EleutherAI/lm-evaluation-harness, `lm_eval/models/hf_steered.py`.
    """
    path = Path(path)
    if path.suffix not in (".pt", ".pth"):
        raise ValueError(f"lm-eval reads steering files by the ending .pt or .pth, but {path.name} arrived.")
    if scope != "all":
        raise ValueError(f"lm-eval adds at every position, so only scope 'all' can be exported, but {scope!r} arrived.")
    if not edit.acts:
        raise ValueError(f"There is nothing to export: {edit!r} adds nothing.")
    unit = edit.with_gamma(1.0)
    writes = projected_writes(model, unit) if edit.site == HOOK_POST.name else residual_writes(model, unit)
    pattern = _patterns(model)[RESID_POST if edit.site == RESID_POST.name else MLP_OUT]
    record = {
        "trait": edit.trait,
        "method": edit.method,
        "direction": edit.direction,
        "model": model.name,
        "model_fingerprint": model.fingerprint,
        "n_layers": model.n_layers,
    }
    content = {
        pattern.format(layer=layer): {
            "steering_vector": write.to(torch.float32),
            "steering_coefficient": float(edit.gamma),
            "action": "add",
            "bias": None,
            "head_index": None,
            "workbench": record,
        }
        for layer, write in writes.items()
    }
    with whole_file(path) as temporary:
        torch.save(content, temporary)
    return path


def read_lm_eval(
    path: str | Path,
    *,
    model: Model,
    trait: str | None = None,
    direction: str | None = None,
    gamma: float | None = None,
    any_weights: bool = False,
) -> AnyEdit:
    """A steering file of lm-eval as an edit at `mlp_out` or `resid_post`; a composite where it has hookpoints of both.

    Args:
        model: its hookpoints, width, layers and, where the file names them, weights must be those of the file.
        trait, direction: what the edit moves and which way, as names; by default what the file says.
        gamma: the dose; by default the file's coefficient. Where a file has several coefficients, each vector is
            multiplied by its own and gamma is 1.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, clamps, has a bias or steers one head, or is for another model.
    """
    path = Path(path)
    content = load_pt(path)
    if not isinstance(content, dict) or not content or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{path.name} holds no steering vectors by hookpoint.")
    vectors: dict[Site, dict[int, tuple[torch.Tensor, float]]] = {}
    record: dict[str, Any] = {}
    for hookpoint, entry in content.items():
        site, layer = _place(model, path.name, hookpoint)
        vector, coefficient = _entry(f"{path.name}, {hookpoint}", entry)
        n_layers = _record(entry).get("n_layers")
        check_shape(model, path.name, site=site, width=len(vector), layers=[layer], n_layers=n_layers)
        vectors.setdefault(site, {})[layer] = (vector, coefficient)
        record |= _record(entry)
    check_same_weights(model, path.name, record.get("model_fingerprint"), any_weights=any_weights)
    edits = []
    for site, by_layer in vectors.items():
        coefficients = {coefficient for _, coefficient in by_layer.values()}
        common = coefficients.pop() if len(coefficients) == 1 else None
        edits.append(
            Edit.of(
                {
                    layer: vector if common is not None else coefficient * vector
                    for layer, (vector, coefficient) in by_layer.items()
                },
                trait=trait or str(record.get("trait", path.stem)),
                method=str(record.get("method", "lm-eval steered")),
                direction=direction or str(record.get("direction", "increase")),
                site=site.name,
                gamma=1.0 if common is None else common,
                provenance={key: str(record[key]) for key in ("model", "model_fingerprint") if key in record}
                | {"source": path.name, "format": "lm-eval"},
            )
        )
    whole = edits[0] if len(edits) == 1 else Composite(tuple(edits))
    return whole if gamma is None else whole.with_gamma(gamma)


def is_lm_eval(content: object) -> bool:
    """Whether the content of a `.pt` file is steering vectors by hookpoint."""
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(entry, dict) and "steering_vector" in entry for entry in content.values())
    )


def _patterns(model: Model) -> dict[Site, str]:
    """The hookpoint of each site, with `{layer}` in it."""
    kind = model_type(model)
    if kind not in _DOWN_PROJECTION:
        raise ValueError(
            f"{model.name} is a {kind}: where its down projection stands is known for {', '.join(_DOWN_PROJECTION)}."
        )
    down = _DOWN_PROJECTION[kind]
    return {MLP_OUT: down, RESID_POST: down.partition("{layer}")[0] + "{layer}"}


def _place(model: Model, name: str, hookpoint: str) -> tuple[Site, int]:
    patterns = _patterns(model)
    for site, pattern in patterns.items():
        named = re.fullmatch(re.escape(pattern).replace(r"\{layer\}", r"(\d{1,5})"), hookpoint)
        if named is None:
            continue
        if site is MLP_OUT and normalises_mlp_output(model):
            raise ValueError(
                f"{name} adds at {hookpoint}, but {model.name} normalises the MLP's output after it, so that what "
                "reaches the residual stream is no constant."
            )
        return site, int(named[1])
    raise ValueError(
        f"{name} has the hookpoint {hookpoint!r}, but in {model.name} they are {' or '.join(patterns.values())}."
    )


def _entry(where: str, entry: Any) -> tuple[torch.Tensor, float]:
    if not isinstance(entry, dict) or "steering_vector" not in entry:
        raise ValueError(f"{where}: an entry has a steering_vector, but a {type(entry).__name__} without one arrived.")
    if entry.get("action", "add") != "add" or entry.get("bias") is not None or entry.get("head_index") is not None:
        raise ValueError(
            f"{where}: only action 'add' without bias and head_index is a constant, but action "
            f"{entry.get('action')!r}, head_index {entry.get('head_index')!r} arrived."
        )
    coefficient = entry.get("steering_coefficient", 1.0)
    if not isinstance(coefficient, int | float) or not math.isfinite(coefficient):
        raise ValueError(f"{where}: steering_coefficient is a number, but {coefficient!r} arrived.")
    return reals_of(entry["steering_vector"], where), float(coefficient)


def _record(entry: dict[str, Any]) -> dict[str, Any]:
    record = entry.get("workbench")
    return record if isinstance(record, dict) else {}
