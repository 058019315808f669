"""The network inside a `TransformerBridge`, run without the bridge's wrappers where nothing is hooked.

A wrapper calls the module that it wraps and runs hook points around it, which costs time at every module of every
decode step, also where no hook is set.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformer_lens.hook_points import HookPoint

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

_FORKS = ("use_split_qkv_input", "use_attn_in", "use_hook_mlp_in")
"""The settings that ask for them."""


@dataclass(frozen=True, eq=False)
class Wrapper:
    """One wrapper and the place where the network calls it.

    Attributes:
        parent, name: the module that calls it, and under which name.
        bridge, original: the wrapper, and what it wraps.
        watched: the modules whose hooks need it.
    """

    parent: nn.Module
    name: str
    bridge: nn.Module
    original: nn.Module
    watched: tuple[nn.Module, ...]


class Direct:
    """Takes wrappers out of a network's way for as long as a pass lasts."""

    def __init__(self, network: nn.Module) -> None:
        self._wrappers = tuple(_wrappers_in(network))
        self._blocks = [each.bridge for each in self._wrappers if hasattr(each.bridge, "_capture_hook_handles")]
        watched = {id(one): one for each in self._wrappers for one in each.watched}
        # The dictionaries themselves, as all of them are looked through before every pass.
        self._hooks = [(getattr(one, name), key) for key, one in watched.items() for name in _HOOKS]
        self._configs = _configs_that_may_fuse(network, self._wrappers)
        self._known: dict[frozenset[int], tuple[list[Wrapper], bool]] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, the network calls what is wrapped itself, but for the wrappers that a hook needs."""
        idle, attention_too = self._idle()
        # TransformerLens asks for eager attention, whose pattern can be hooked; where none is, it is fused as usual.
        fused = self._configs if attention_too else []
        asked = [config._attn_implementation for config in fused]
        for config in fused:
            config._attn_implementation = "sdpa"
        for each in idle:
            each.parent._modules[each.name] = each.original
        try:
            yield
        finally:
            for config, implementation in zip(fused, asked, strict=True):
                config._attn_implementation = implementation
            for each in idle:
                each.parent._modules[each.name] = each.bridge

    def idle_hooks(self) -> set[int]:
        """The ids of hooks by which TransformerLens' blocks keep inputs that nobody has asked for."""
        return _hooked_by_blocks(self._blocks)

    def _idle(self) -> tuple[list[Wrapper], bool]:
        """The wrappers that no hook needs, and whether all of attention's are among them."""
        own = _hooked_by_blocks(self._blocks)
        hooked = frozenset([key for hooks, key in self._hooks if hooks and not own.issuperset(hooks)])
        if hooked not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            kept = [each for each in self._wrappers if not hooked.isdisjoint(map(id, each.watched))]
            idle = [each for each in self._wrappers if each not in kept]
            self._known[hooked] = (idle, not _attends(kept))
        return self._known[hooked]


def _hooked_by_blocks(blocks: Sequence[Any]) -> set[int]:
    """The ids of hooks by which TransformerLens' blocks keep inputs that nobody has asked for."""
    idle = (block for block in blocks if not any(getattr(block.config, name, False) for name in _FORKS))
    return {handle.id for block in idle for handle in block._capture_hook_handles}


def _attends(wrappers: Iterable[Wrapper]) -> bool:
    return any("Attention" in type(each.bridge).__name__ for each in wrappers)


def _configs_that_may_fuse(network: Any, wrappers: Sequence[Wrapper]) -> list[Any]:
    """The configurations that say how attention is computed, if transformers would fuse it by itself.

    Fused attention knows no cap on its logits.
    """
    configs = [getattr(each.original, "config", None) for each in wrappers if _attends([each])]
    configs = list({id(one): one for one in [network.config, *configs] if one is not None}.values())
    eager = all(getattr(one, "_attn_implementation", None) == "eager" for one in configs)
    capped = any("att" in name and "cap" in name and value for one in configs for name, value in vars(one).items())
    return configs if eager and not capped and getattr(network, "_supports_sdpa", False) else []


def _wrappers_in(parent: nn.Module) -> Iterator[Wrapper]:
    """The wrappers that a network calls, from the outside in."""
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    for name, child in list(parent._modules.items()):
        if child is None:
            continue
        if not isinstance(child, GeneralizedComponent):
            yield from _wrappers_in(child)
            continue
        original = child._modules.get("_original_component")
        if isinstance(original, nn.Module):
            yield Wrapper(parent, name, child, original, tuple(_watched_by(child, original)))
            yield from _wrappers_in(original)


def _watched_by(bridge: nn.Module, original: nn.Module) -> Iterator[nn.Module]:
    """The wrapper and its own hook points; for all but blocks and MLPs those of what it wraps as well.

    Blocks and MLPs call what they wrap as it is. Attention may compute itself what is hooked inside, and a block with a
    pass of its own may prepare it: OPT's tells the hooks inside how many prompts the flattened positions are of.
    """
    from transformer_lens.model_bridge.generalized_components.block import BlockBridge

    yield bridge
    yield from (one for one in bridge._modules.values() if isinstance(one, HookPoint))
    kind = type(bridge).__name__
    own = isinstance(bridge, BlockBridge) and type(bridge).forward is not BlockBridge.forward
    if own or not kind.endswith(("BlockBridge", "MLPBridge")):
        yield from (one for one in original.modules() if one is not original)
