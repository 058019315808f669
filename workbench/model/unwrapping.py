"""Models in memory as people hold them: compiled or data-parallel ones are unwrapped, sharded ones refused by name."""

import copy
import warnings
from typing import Any

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from transformer_lens.hook_points import HookPoint
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from workbench.model.checkpoint import one_line
from workbench.model.quiet import quiet
from workbench.model.runner import bridge_class

_SHARDED = ("FullyShardedDataParallel", "FSDPModule", "FSDP", "DeepSpeedEngine", "PipelineStage")
"""Names of classes whose modules hold a part of each weight, or of the network."""


def bare(model: nn.Module) -> nn.Module:
    """The model within wrappers that change how it runs and not what it computes; a warning names them.

    A compiled model calls no hook that is added later, and a data-parallel one runs copies of its module, so neither
    can be read or edited as it is. Their own modules can, and have the same weights.

    Raises:
        TypeError: if the weights are sharded over processes, or an adapter of peft is not merged; says what to do.
    """
    removed: list[str] = []
    while True:
        kind = type(model).__name__
        if any(each.__name__ in _SHARDED for each in type(model).__mro__):
            raise TypeError(
                f"A {kind} holds a share of the weights in each process, so its neurons cannot be read here. Save a "
                "whole checkpoint and give that to load_model; device_map= spreads it over devices."
            )
        if any(each.__name__ == "PeftModel" for each in type(model).__mro__):
            raise TypeError(
                f"A {kind} computes its adapter beside the weights. Merge it, wrap_model(model.merge_and_unload(), "
                "tokenizer), or load both: load_model(BASE, adapter=FOLDER)."
            )
        inside = _inside(model)
        if inside is None:
            break
        removed.append(kind)
        model = inside
    removed += _without_compiled_parts(model)
    if removed:
        warnings.warn(
            f"The model came as {' of '.join(dict.fromkeys(removed))}; the module inside is used, uncompiled and in "
            "this process alone, as hooks need it.",
            stacklevel=3,
        )
    return model


def _inside(model: nn.Module) -> nn.Module | None:
    if isinstance(model, DataParallel | DistributedDataParallel):
        return model.module
    inner = getattr(model, "_orig_mod", None)  # what torch.compile returns
    return inner if isinstance(inner, nn.Module) else None


def _without_compiled_parts(model: nn.Module) -> list[str]:
    """Put compiled parts back as they were; returns what they were, in words."""
    found: list[str] = []
    for part in list(model.modules()):
        if getattr(part, "_compiled_call_impl", None) is not None:  # what `module.compile()` leaves
            part._compiled_call_impl = None
            found.append(f"a compiled {type(part).__name__}")
        for name, child in list(part.named_children()):
            if isinstance(getattr(child, "_orig_mod", None), nn.Module):
                setattr(part, name, child._orig_mod)
                found.append(f"a compiled {type(child._orig_mod).__name__}")
    return found


def bridged(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None, name: str) -> Any:
    """TransformerLens' bridge around a network of transformers, which it changes in place.

    Raises:
        TypeError: if the network is quantised, has hooks already, or is of an architecture that TransformerLens does
            not know.
        ValueError: if there is no tokenizer.
    """
    if any(isinstance(part, HookPoint) for part in network.modules()):
        raise TypeError(
            f"This {type(network).__name__} is inside a {bridge_class().__name__} already. Give the bridge itself."
        )
    if tokenizer is None:
        raise ValueError(f"A {type(network).__name__} has no tokenizer. Give one as the second argument.")
    if getattr(network, "hf_quantizer", None) is not None or getattr(network.config, "quantization_config", None):
        raise TypeError(
            f"This {type(network).__name__} is quantised: its weights cannot be read and edited as they are."
        )
    try:
        with quiet():
            return bridge_class().boot_transformers(
                name, hf_model=network, tokenizer=copy.deepcopy(tokenizer), dtype=network.dtype
            )
    except (ValueError, KeyError, AttributeError, NotImplementedError, OSError) as error:
        raise TypeError(f"TransformerLens cannot hook this {type(network).__name__}: {one_line(error)}.") from error
