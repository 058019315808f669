"""Checks a checkpoint before it is loaded, refuses one that does not fill its network, and shortens load errors."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError, safe_open
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME

from workbench.textfile import read_json

WEIGHTS = (SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME, WEIGHTS_NAME, WEIGHTS_INDEX_NAME)
"""The names under which transformers looks for weights, in its order."""

_NAMED = 3  # how many names a message lists


class IncompleteCheckpoint(ValueError):
    """A checkpoint that does not hold every parameter of its network."""


def check_folder(folder: Path) -> None:
    """Check that a folder can be a whole checkpoint, before anything large is read; what is not read is not judged.

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
    for file in weight_files(folder, config):
        if file.suffix != ".safetensors":
            continue
        try:
            with safe_open(file, framework="pt"):
                pass
        except SafetensorError as error:
            raise ValueError(f"{file} is cut off or damaged ({error}). Copy the checkpoint again.") from None


def weight_files(folder: Path, config: Mapping[str, Any]) -> list[Path]:
    """The files that transformers reads a network's weights from: those of the first name in `WEIGHTS` that is there.

    Args:
        config: the folder's config.json, which may name another file.

    Returns:
        the file, or the shards that its index names; none where transformers finds no weights either.

    Raises:
        FileNotFoundError: if the index names a file that does not exist.
        ValueError: if the index is damaged.
    """
    named = config.get("transformers_weights")
    names = [named] if isinstance(named, str) else WEIGHTS
    first = next((folder / name for name in names if (folder / name).is_file()), None)
    if first is None:
        return []
    if not first.name.endswith(".index.json"):
        return [first]
    content = _read_json(first)
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not all(isinstance(shard, str) for shard in weight_map.values()):
        raise ValueError(f"{first} has no weight_map, so that no file is named. Copy the checkpoint again.")
    shards = sorted(set(weight_map.values()))
    lacking = [shard for shard in shards if not (folder / shard).is_file()]
    if lacking:
        raise FileNotFoundError(
            f"{first} names {len(shards)} files, but {len(lacking)} are missing: {few(lacking)}. "
            "Copy the checkpoint again."
        )
    return [folder / shard for shard in shards]


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
    if named.startswith("Bert") and not getattr(config, "is_decoder", False):
        raise ValueError(f"this {named} attends both ways (is_decoder is not set), but only causal models are taken")


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
