"""Weights that a device map keeps on disk or in the CPU's memory: read a module at a time, where they are asked for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def in_memory(module: Any) -> Iterator[None]:
    """The weights of a module, and of all below it, have values in the CPU's memory meanwhile.

    Weights that are not offloaded stay where they are. A tensor that was read in the body keeps its values.

    Raises:
        ValueError: if weights have no values anywhere.
    """
    with ExitStack() as stack:
        for part in module.modules() if isinstance(module, nn.Module) else ():
            if any(parameter.is_meta for parameter in part.parameters(recurse=False)):
                stack.enter_context(_brought(part))
        yield


def _brought(part: nn.Module) -> Any:
    from accelerate.utils import align_module_device

    if not getattr(_hook_of(part), "offload", False):
        raise ValueError(
            f"A {type(part).__name__} has weights on the meta device, which hold no values. Load the model with its "
            "weights."
        )
    return align_module_device(part, execution_device=torch.device("cpu"))


def _hook_of(part: nn.Module) -> Any:
    """The hook by which accelerate moves a module's weights; of several, the one that offloads."""
    hook = getattr(part, "_hf_hook", None)
    return next((each for each in getattr(hook, "hooks", ()) if getattr(each, "offload", False)), hook)


def device_of(weight: Tensor, owner: nn.Module) -> torch.device:
    """Where a module computes, also if its weight is offloaded."""
    if not weight.is_meta:
        return weight.device
    device = getattr(_hook_of(owner), "execution_device", None)
    return torch.device("cpu" if device is None else device)


def state_of(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The name and the values of every entry of a network's state, by name; offloaded ones are read one at a time."""
    for name, values in sorted(network.state_dict().items()):
        if not values.is_meta:
            yield name, values
            continue
        owner, _, leaf = name.rpartition(".")
        part = network.get_submodule(owner)
        with in_memory(part):
            yield name, getattr(part, leaf).detach()
