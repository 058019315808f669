"""Checkpoints whose weights are quantised: refused by name before anything is loaded, with the way out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from workbench.model.checkpoint import weight_files

_NAMES = {
    "bitsandbytes": "bitsandbytes",
    "bitsandbytes_4bit": "bitsandbytes",
    "bitsandbytes_8bit": "bitsandbytes",
    "gptq": "GPTQ",
    "awq": "AWQ",
    "fp8": "FP8",
    "mxfp8": "MXFP8",
    "fbgemm_fp8": "FBGEMM FP8",
    "mxfp4": "MXFP4",
    "nvfp4": "NVFP4",
    "compressed-tensors": "compressed-tensors",
    "hqq": "HQQ",
    "quanto": "Quanto",
    "torchao": "torchao",
    "aqlm": "AQLM",
    "eetq": "EETQ",
    "auto-round": "AutoRound",
    "exl2": "ExLlamaV2",
    "exl3": "ExLlamaV3",
    "mlx": "MLX",
}
_DEQUANTISING = {
    "fp8": "FineGrainedFP8Config",
    "mxfp8": "FineGrainedFP8Config",
    "mxfp4": "Mxfp4Config",
    "compressed-tensors": "CompressedTensorsConfig",
}
"""Methods that transformers can undo while it loads, by the configuration that asks for it."""
_LOADED_FIRST = {"bitsandbytes", "bitsandbytes_4bit", "bitsandbytes_8bit", "hqq"}
"""Methods that transformers can undo in a model that is loaded."""
_TENSORS = {
    ".qweight": "gptq",
    ".weight_packed": "compressed-tensors",
    ".weight_scale_inv": "fp8",
    ".SCB": "bitsandbytes",
    ".absmax": "bitsandbytes",
    "_blocks": "mxfp4",
    ".W_q": "hqq",
}
"""Endings of tensors that hold quantised weights, for folders whose configuration does not say so."""


class QuantisedCheckpoint(ValueError):
    """A checkpoint whose weights are quantised, which cannot be edited as they are."""


def refuse_quantised(name: str, config: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose configuration says that its weights are quantised.

    Raises:
        QuantisedCheckpoint: names the method and says how to get weights that can be edited.
    """
    for part in (config, config.get("text_config")):
        if isinstance(part, Mapping):
            found = _method_of(part)
            if found is not None:
                raise QuantisedCheckpoint(_refusal(name, *found))


def refuse_quantised_folder(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder whose configuration, or whose tensors' names, say that its weights are quantised.

    Raises:
        QuantisedCheckpoint: as `refuse_quantised`.
    """
    refuse_quantised(str(folder), config)
    for file in weight_files(folder, config):
        if file.suffix != ".safetensors":
            continue
        with safe_open(file, framework="pt") as opened:
            method = method_of_tensors(opened.keys())
        if method is not None:
            raise QuantisedCheckpoint(_refusal(str(folder), method, None))


def method_of_tensors(names: Iterable[str]) -> str | None:
    """The method that tensors' names tell of, or None.

    Example:
        >>> method_of_tensors(["model.layers.0.mlp.up_proj.qweight"]), method_of_tensors(["lm_head.weight"])
        ('gptq', None)
    """
    return next((_TENSORS[end] for name in names for end in _TENSORS if name.endswith(end)), None)


def _method_of(config: Mapping[str, Any]) -> tuple[str, int | None] | None:
    """The method and its bits, as far as a configuration says them."""
    for name in ("quantization_config", "compression_config", "quantization"):
        settings = config.get(name)
        if not isinstance(settings, Mapping):
            settings = settings.to_dict() if settings is not None and hasattr(settings, "to_dict") else None
        if not settings:
            continue
        method = str(settings.get("quant_method") or ("mlx" if name == "quantization" else "")).lower()
        if not method:
            method = "bitsandbytes" if {"load_in_4bit", "load_in_8bit"} & set(settings) else "compressed-tensors"
        bits = settings.get("bits", settings.get("nbits"))
        if method.startswith("bitsandbytes"):
            bits = 4 if settings.get("load_in_4bit") or settings.get("_load_in_4bit") else 8
        return method, bits if isinstance(bits, int) else None
    return None


def _refusal(name: str, method: str, bits: int | None) -> str:
    kind = _NAMES.get(method, method) + (f" in {bits} bits" if bits else "")
    call = "AutoModelForCausalLM.from_pretrained"
    if method in _DEQUANTISING:
        settings = f"quantization_config={_DEQUANTISING[method]}(dequantize=True)"
        way = (
            f"dequantise it with transformers, {call}({name!r}, {settings}).save_pretrained(FOLDER, "
            "save_original_format=False), and load FOLDER; or "
        )
    elif method in _LOADED_FIRST:
        package = "bitsandbytes" if method.startswith("bitsandbytes") else method
        way = (
            f"dequantise it where {package} runs, {call}({name!r}).dequantize().save_pretrained(FOLDER), and load "
            "FOLDER; or "
        )
    else:
        way = ""
    return (
        f"{name} holds weights quantised by {kind}, which have no rows to read and edit: "
        f"{way}give the unquantised checkpoint that it was made from, or a GGUF file of it."
    )
