"""Adapters of peft, merged into the weights of their base before it is hooked: the model is then one like any other."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from workbench.model.checkpoint import WholeNetwork, few, one_line
from workbench.model.hub import hub_asked
from workbench.model.quiet import quiet
from workbench.textfile import read_json

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_OF_PROMPTS = {
    "PROMPT_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "ADAPTION_PROMPT",
    "CPT",
    "CARTRIDGE",
}
"""Kinds that add trained tokens, or attention to them, rather than change weights."""
_BY_INPUT = {"XLORA", "POLY"}
"""Kinds whose change of the weights depends on the input."""
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
_NARROW_TOLERANCE = 0.1  # half precision rounds the merged weights


class WrongAdapter(ValueError):
    """An adapter that cannot be merged into its base."""


@dataclass(frozen=True)
class Adapter:
    """An adapter's folder, read and checked, but not merged yet.

    Attributes:
        name: as it was asked for.
        folder: where its files are.
        method: peft's name of its kind, e.g. `LORA`.
        base: the model that it was trained on, as its configuration names it.
        sha256: of its weights.
    """

    name: str
    folder: Path
    method: str
    base: str
    sha256: str

    @classmethod
    def of(cls, name: str | Path) -> "Adapter":
        """The adapter in a folder, or under a name of the hub.

        Raises:
            ImportError: if peft is not installed.
            FileNotFoundError: if there is no such adapter.
            WrongAdapter: if it is of a kind that cannot be merged into weights.
        """
        if find_spec("peft") is None:
            raise ImportError("An adapter is merged with peft. Install it with: pip install 'dpn-workbench[adapter]'.")
        folder = _folder_of(str(name))
        config = adapter_config(folder)
        if config is None:
            raise FileNotFoundError(f"{name} holds no adapter: there is no {CONFIG} that can be read.")
        method = str(config.get("peft_type") or "LORA").upper()
        if method in _OF_PROMPTS or config.get("alora_invocation_tokens"):
            kind = method if method in _OF_PROMPTS else "activated LoRA"
            raise WrongAdapter(
                f"{name} is a {kind} adapter: it acts through tokens of its own and changes no weights, so it cannot "
                "be merged. Give a LoRA adapter, or the fine-tuned checkpoint."
            )
        if method in _BY_INPUT:
            raise WrongAdapter(
                f"{name} is a {method} adapter: what it changes depends on the input, so it has no weights."
            )
        file = next((folder / each for each in WEIGHTS if (folder / each).is_file()), None)
        if file is None:
            raise FileNotFoundError(f"{name} holds no weights: there is neither {' nor '.join(WEIGHTS)}.")
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return cls(str(name), folder, method, str(config.get("base_model_name_or_path") or ""), digest)

    @property
    def record(self) -> dict[str, str]:
        """What `Model.source` keeps of it."""
        return {"name": self.name, "method": self.method, "sha256": self.sha256, "trained_on": self.base}


@dataclass(frozen=True)
class MergedNetwork:
    """Loads a whole network as `WholeNetwork` does, and merges an adapter into it."""

    adapter: Adapter

    def from_pretrained(self, name: str, **settings: Any) -> Any:
        """The network with the adapter in its weights.

        Raises:
            IncompleteCheckpoint: as `WholeNetwork.from_pretrained`.
            WrongAdapter: if the adapter does not fit, or the merged network computes something else.
        """
        return merged(WholeNetwork.from_pretrained(name, **settings), self.adapter)


def merged(network: Any, adapter: Adapter) -> Any:
    """The network with an adapter in its weights, which computes what both compute apart.

    Raises:
        WrongAdapter: if the adapter does not fit the network, or merging changes what they compute.
    """
    import peft  # pyright: ignore[reportMissingImports]

    if any(parameter.is_meta for parameter in network.parameters()):
        raise WrongAdapter(
            f"{adapter.name} is merged into weights that are in memory, but some of the base's are offloaded. Load it "
            "without device_map, or merge it first with peft."
        )
    with quiet():
        try:
            config = peft.PeftConfig.from_pretrained(str(adapter.folder))
            config.inference_mode = True
            both: Any = peft.get_peft_model(network, config)
            weights = peft.load_peft_weights(str(adapter.folder), device="cpu")
            wanted = set(peft.get_peft_model_state_dict(both))
            strange: list[str] = sorted(peft.set_peft_model_state_dict(both, weights).unexpected_keys or ())
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
            raise WrongAdapter(f"{adapter.name} does not fit {_base(network)}: {one_line(error)}.") from error
        lacking: list[str] = sorted(wanted - set(weights))
        if strange or lacking:
            raise WrongAdapter(
                f"{adapter.name} does not fit {_base(network)}: "
                + "; ".join(
                    f"{len(names)} tensors are {what}, {few(names)}"
                    for names, what in ((strange, "of parts that it lacks"), (lacking, "missing"))
                    if names
                )
                + f". It was trained on {adapter.base or 'a model that it does not name'}."
            )
        both.eval()
        apart = _logits(both)
        network = both.merge_and_unload(safe_merge=True)
    error = float((_logits(network) - apart).norm() / apart.norm().clamp(min=1e-12))
    if not error <= _TOLERANCE.get(network.dtype, _NARROW_TOLERANCE):
        raise WrongAdapter(
            f"{adapter.name} ({adapter.method}) cannot be merged: the merged network's logits differ by {error:.1%} "
            "from those of base and adapter apart. Give the fine-tuned checkpoint."
        )
    return network


def adapter_config(folder: Path) -> Mapping[str, Any] | None:
    """A folder's adapter_config.json; None if there is none that can be read."""
    try:
        config = read_json(folder / CONFIG)
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None


def is_adapter(folder: Path) -> bool:
    """Whether a folder is an adapter rather than a checkpoint.

    Raises:
        ValueError: if it is both, which transformers reads in another way once peft is installed.
    """
    if not (folder / CONFIG).is_file():
        return False
    whole: Sequence[Path] = [*folder.glob("model*.safetensors"), *folder.glob("pytorch_model*.bin")]
    if not (folder / "config.json").is_file() or not whole:
        return True
    if find_spec("peft") is None:
        return False
    raise ValueError(
        f"{folder} holds a checkpoint and an adapter, and transformers would load the adapter's base. Move {CONFIG} "
        "away for the checkpoint, or pass the adapter's folder as adapter=."
    )


def _folder_of(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_file() and path.name in (CONFIG, *WEIGHTS):
        return path.parent
    if path.is_dir():
        return path
    from huggingface_hub import constants, hf_hub_download

    with hub_asked(name, None, file=CONFIG), quiet() if constants.HF_HUB_OFFLINE else nullcontext():
        try:
            folder = Path(hf_hub_download(name, CONFIG)).parent
            for file in WEIGHTS:
                try:
                    hf_hub_download(name, file)
                    break
                except OSError:
                    continue
        except OSError as error:
            raise FileNotFoundError(
                f"There is no adapter {name!r}: it is no folder here, and the hub did not give it ({one_line(error)})."
            ) from error
    return folder


@torch.no_grad()
def _logits(network: Any) -> torch.Tensor:
    """The logits of a short text of tokens from all over the vocabulary."""
    vocabulary = int(network.get_input_embeddings().weight.shape[0])
    tokens = torch.arange(24) * 7919 % vocabulary
    return network(input_ids=tokens[None].to(network.device)).logits.double().cpu()


def _base(network: Any) -> str:
    return f"the {getattr(network.config, 'model_type', 'network')} that it is to be merged into"
