"""Checks a checkpoint before it is loaded, refuses one that does not fill its network, and shortens load errors."""

import re
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError, safe_open

from workbench.textfile import read_json

_NAMED = 3  # how many names a message lists


class IncompleteCheckpoint(ValueError):
    """A checkpoint that does not hold every parameter of its network."""


def check_folder(folder: Path) -> None:
    """Check that a folder can be a whole checkpoint, before anything large is read.

    Raises:
        FileNotFoundError: if there is no config.json, or the index names a file that does not exist.
        ValueError: if config.json is not a model's configuration, or a safetensors file is cut off or damaged; names
            the file.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is a folder without a config.json: it holds no checkpoint.")
    config = _read_json(path)
    if not isinstance(config, dict) or "model_type" not in config:
        raise ValueError(f"{path} has no model_type, so transformers cannot tell which network it describes.")
    for index in sorted(folder.glob("*.index.json")):
        content = _read_json(index)
        shards = set(content.get("weight_map", {}).values()) if isinstance(content, dict) else set()
        lacking = sorted(shard for shard in shards if not (folder / shard).is_file())
        if lacking:
            raise FileNotFoundError(
                f"{index} names {len(shards)} files, but {len(lacking)} are missing: {few(lacking)}. "
                "Copy the checkpoint again."
            )
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt"):
                pass
        except SafetensorError as error:
            raise ValueError(f"{file} is cut off or damaged ({error}). Copy the checkpoint again.") from None


def _read_json(path: Path) -> Any:
    try:
        return read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({str(error).rstrip('.')}). Copy the checkpoint again.") from None


def check_causal(config: Any) -> None:
    """Refuse a configuration of a network that does not continue a text from what comes before alone.

    Raises:
        ValueError: for an encoder-decoder, or a network without a head for next tokens, with its class.
    """
    named = (getattr(config, "architectures", None) or [type(config).__name__])[0]
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(f"it is an encoder-decoder ({named}), but only decoders, which continue a text, are taken")
    kind = getattr(transformers, named, None)
    if kind is not None and hasattr(kind, "can_generate") and not kind.can_generate():
        raise ValueError(f"{named} has no head that continues a text, but only causal language models are taken")


class WholeNetwork:
    """Loads a network as transformers does, and refuses a checkpoint that lacks some of its parameters.

    transformers itself would give such a parameter random values, and report that only in a log.
    """

    @staticmethod
    def from_pretrained(name: str, **settings: Any) -> Any:
        """The network, with every parameter read from the checkpoint.

        Raises:
            IncompleteCheckpoint: if parameters are missing, or have another shape than the configuration says.
        """
        from transformer_lens.model_bridge.sources.transformers import (
            determine_architecture_from_hf_config,
            get_hf_model_class_for_architecture,
        )

        check_causal(settings["config"])
        kind: Any = get_hf_model_class_for_architecture(determine_architecture_from_hf_config(settings["config"]))
        network, report = kind.from_pretrained(name, output_loading_info=True, ignore_mismatched_sizes=True, **settings)
        if report["mismatched_keys"]:
            key, stored, wanted = sorted(report["mismatched_keys"])[0]
            raise IncompleteCheckpoint(
                f"{name} does not fit its config.json: {len(report['mismatched_keys'])} tensors have another shape, "
                f"first {key}, {tuple(stored)} instead of {tuple(wanted)}."
            )
        if missing := sorted(report["missing_keys"]):
            raise IncompleteCheckpoint(
                f"{name} lacks {len(missing)} parameters of its network, which would be random: {few(missing)}. "
                "Copy the checkpoint again."
            )
        return network


def one_line(error: BaseException) -> str:
    """An error's first sentence, without line breaks, terminal colours and the full stop."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()) or type(error).__name__
    first = re.split(r"[.!?] (?=[A-Z])", text, maxsplit=1)[0].rstrip(".")
    return first if len(first) <= 200 else first[:200].rsplit(" ", 1)[0] + " ..."


def few(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
