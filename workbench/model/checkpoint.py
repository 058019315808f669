"""A checkpoint looked at before it is loaded, filled whole or refused, and a failed load told in one line."""

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

_NAMED = 3  # tensors that a message names


class IncompleteCheckpoint(ValueError):
    """A checkpoint that leaves parameters of its network unfilled."""


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be a whole checkpoint, before anything large is read.

    Raises:
        FileNotFoundError: if there is no config.json, or the index names a file that is not there.
        ValueError: if the configuration is none, or a safetensors file is cut off or damaged; names the file.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is a folder without a config.json: it holds no checkpoint.")
    config = _read_json(path)
    if not isinstance(config, dict) or "model_type" not in config:
        raise ValueError(f"{path} names no model_type, so transformers cannot tell what network it is of.")
    for index in sorted(folder.glob("*.index.json")):
        named = _read_json(index)
        shards = set(named.get("weight_map", {}).values()) if isinstance(named, dict) else set()
        lacking = sorted(shard for shard in shards if not (folder / shard).is_file())
        if lacking:
            raise FileNotFoundError(
                f"{index} names {len(shards)} files, but {len(lacking)} are missing: {_few(lacking)}. "
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
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON ({error}). Copy the checkpoint again.") from None


class WholeNetwork:
    """Loads a network as transformers does, and refuses one that its checkpoint does not fill.

    transformers itself leaves a parameter that the checkpoint lacks at random values, and says so in a log alone.
    """

    @staticmethod
    def from_pretrained(name: str, **settings: Any) -> Any:
        """The network, every parameter of it read.

        Raises:
            IncompleteCheckpoint: if parameters are missing, or of another shape than the configuration says.
        """
        from transformer_lens.model_bridge.sources.transformers import (
            determine_architecture_from_hf_config,
            get_hf_model_class_for_architecture,
        )

        kind: Any = get_hf_model_class_for_architecture(determine_architecture_from_hf_config(settings["config"]))
        network, found = kind.from_pretrained(name, output_loading_info=True, ignore_mismatched_sizes=True, **settings)
        if found["mismatched_keys"]:
            key, stored, wanted = sorted(found["mismatched_keys"])[0]
            raise IncompleteCheckpoint(
                f"{name} does not fit its config.json: {len(found['mismatched_keys'])} tensors have another shape, "
                f"first {key}, {tuple(stored)} instead of {tuple(wanted)}."
            )
        if missing := sorted(found["missing_keys"]):
            raise IncompleteCheckpoint(
                f"{name} lacks {len(missing)} parameters of its network, which would be random: {_few(missing)}. "
                "Copy the checkpoint again."
            )
        return network


def one_line(error: BaseException) -> str:
    """An error's first sentence, without line breaks, terminal colours and a full stop."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()) or type(error).__name__
    first = re.split(r"[.!?] (?=[A-Z])", text, maxsplit=1)[0].rstrip(".")
    return first if len(first) <= 200 else first[:200].rsplit(" ", 1)[0] + " ..."


def _few(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
