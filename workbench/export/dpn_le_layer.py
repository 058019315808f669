"""DPN-LE's files of one layer: `layer{L}_{Trait}_steering_data.pt`, and a `.json` beside it with its summary."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.export.naming import file_part
from workbench.export.pickled import indices_of, load_pt, reals_of
from workbench.textfile import read_json
from workbench.whole import whole_file, write_whole

KEYS = (
    *("layer", "steering_vector", "cohens_d_values", "high_exclusive_indices", "low_exclusive_indices"),
    *("quantile", "cohens_d_threshold", "num_high_exclusive", "num_low_exclusive", "num_total_exclusive"),
)
"""The keys that a file must have."""
_TENSORS = {
    "steering_vector": torch.float32,
    "cohens_d_values": torch.float32,
    "high_exclusive_indices": torch.int64,
    "low_exclusive_indices": torch.int64,
}
_MOST_JSON = 64 << 20  # bytes; the widest layers take some 2 MB
_RECORD: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("rule", "method", "direction", "model", "model_fingerprint"), str),
    "gamma": (int, float),
    "layers": list,
}
"""What the workbench adds under the key `workbench`, with its types."""


def write_layer(
    folder: Path,
    trait: str,
    layer: int,
    *,
    steering_vector: Float[Tensor, " d_mlp"],
    cohens_d: Float[Tensor, " d_mlp"],
    high: Int[Tensor, " h"],
    low: Int[Tensor, " l"],
    quantile: float,
    min_d: float,
    record: dict[str, Any],
) -> Path:
    """Write one layer's `.pt` file, and beside it the `.json` for people to read, each whole or not at all.

    Returns:
        the path of the `.pt` file.
    """
    path = folder / f"layer{layer}_{file_part(trait, what='trait')}_steering_data.pt"
    with whole_file(path) as temporary:
        torch.save(
            {
                "layer": layer,
                "steering_vector": steering_vector.to(torch.float32).clone(),
                "cohens_d_values": cohens_d.to(torch.float32).clone(),
                "high_exclusive_indices": high.to(torch.int64).clone(),
                "low_exclusive_indices": low.to(torch.int64).clone(),
                "quantile": quantile,
                "cohens_d_threshold": min_d,
                "num_high_exclusive": len(high),
                "num_low_exclusive": len(low),
                "num_total_exclusive": len(high) + len(low),
                "workbench": record,
            },
            temporary,
        )
    summary = {
        "trait": trait,
        "layer": layer,
        "steering_vector_norm": float(steering_vector.norm()),
        "cohens_d_abs_mean": float(cohens_d.abs().mean()),
        "cohens_d_abs_max": float(cohens_d.abs().max()),
        "high_exclusive_indices": high.tolist(),
        "low_exclusive_indices": low.tolist(),
        "num_high_exclusive": len(high),
        "num_low_exclusive": len(low),
        "num_total_exclusive": len(high) + len(low),
        "quantile": quantile,
        "cohens_d_threshold": min_d,
    }
    unknown = {key: None for key, value in summary.items() if isinstance(value, float) and not math.isfinite(value)}
    write_whole(path.with_suffix(".json"), json.dumps(summary | unknown, indent=2, ensure_ascii=False) + "\n")
    return path


def read_layer(path: Path, layer: int) -> dict[str, Any]:
    """One layer's content, checked; under `workbench` what the workbench added, if anything.

    Raises:
        ValueError: if the file is not as the format says, or is of another layer.
    """
    data = _load_json(path) if path.suffix == ".json" else load_pt(path)
    if not isinstance(data, dict):
        raise ValueError(f"{path.name} holds a {type(data).__name__}, not a layer's steering data.")
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise ValueError(f"{path.name} is no steering data of DPN-LE: it lacks {missing}.")
    if data["layer"] != layer:
        raise ValueError(f"{path.name} is named for layer {layer}, but holds layer {data['layer']}.")
    vector = reals_of(data["steering_vector"], f"{path.name}, steering_vector")
    d = reals_of(data["cohens_d_values"], f"{path.name}, cohens_d_values", finite=False)
    if len(d) != len(vector):
        raise ValueError(f"{path.name} has {len(vector)} mean differences, but {len(d)} values of d.")
    poles = {}
    for pole in ("high", "low"):
        indices = indices_of(data[f"{pole}_exclusive_indices"], f"{path.name}, {pole}_exclusive_indices")
        if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < len(vector):
            raise ValueError(f"{path.name}: neurons are 0 to {len(vector) - 1}, but {int(indices.max())} arrived.")
        if data[f"num_{pole}_exclusive"] != len(indices):
            raise ValueError(
                f"{path.name} says {data[f'num_{pole}_exclusive']} {pole} neurons, but lists {len(indices)}."
            )
        poles[f"{pole}_exclusive_indices"] = indices
    both = set(poles["high_exclusive_indices"].tolist()) & set(poles["low_exclusive_indices"].tolist())
    if both:
        raise ValueError(f"{path.name}: a neuron is High or Low, but {min(both)} is both.")
    record = data.get("workbench")
    record = record if isinstance(record, dict) else {}
    return {
        "steering_vector": vector,
        "cohens_d_values": d,
        **poles,
        **{key: number_of(data[key]) for key in ("quantile", "cohens_d_threshold")},
        "workbench": {key: record[key] for key, kind in _RECORD.items() if isinstance(record.get(key), kind)},
    }


def _load_json(path: Path) -> Any:
    """A layer's content as JSON, which DPN-LE's code reads too: vectors and indices as lists.

    Raises:
        ValueError: if it is no JSON, is too large, or is the summary of a `.pt` file, which has no vectors.
    """
    if path.stat().st_size > _MOST_JSON:
        raise ValueError(f"{path.name} is refused: a layer's JSON takes at most {_MOST_JSON >> 20} MB.")
    data = read_json(path)
    if not isinstance(data, dict) or "steering_vector" not in data:
        raise ValueError(f"{path.name} holds no steering vector: it sums up a .pt file. Give the folder that holds it.")
    for key, kind in _TENSORS.items():
        values = data.get(key)
        if not isinstance(values, list) or any(isinstance(x, bool) or not isinstance(x, int | float) for x in values):
            raise ValueError(f"{path.name}: {key} should be a list of numbers, but it is not.")
        try:
            data[key] = torch.tensor(values, dtype=torch.float64).to(kind)
        except (OverflowError, RuntimeError) as error:
            raise ValueError(f"{path.name}: {key} could not be read: {error}.") from None
    return data


def number_of(value: Any) -> float:
    """A threshold as a number; NaN where there was none."""
    return float(value) if isinstance(value, int | float) else float("nan")
