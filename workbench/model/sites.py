"""Which sites the blocks of a hooked model have, and in one line why a block lacks one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from workbench.vocabulary import HOOK_POST, RESID_MID, RESID_POST, Axis, Site, Z

_MIXERS = ("attn", "linear_attn", "mamba", "mixer", "ssm")
"""What TransformerLens calls the part of a block that mixes positions."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks of a hooked model, of which some may have no MLP, no heads, or one expert of several for each token.

    Attributes:
        hooked: the TransformerLens model.
        name: the model's name, for messages.
    """

    hooked: Any
    name: str

    def __post_init__(self) -> None:
        if not hasattr(self.hooked, "blocks"):
            raise ValueError(
                f"{self.name} has no single stack of blocks that each run once, which all sites are named by, so it is "
                "not taken"
            )

    def mlp(self, layer: int) -> nn.Module | None:
        """A block's MLP; None where TransformerLens shows none."""
        mlp = getattr(self.hooked.blocks[layer], "mlp", None)
        bound = mlp is not None and getattr(mlp, "original_component", mlp) is not None
        return mlp if bound else None

    def kind(self, layer: int) -> str:
        """What a block mixes positions with, e.g. `MambaMixer`; if that is not told, the block's own class."""
        block = self.hooked.blocks[layer]
        for part in (*(getattr(block, name, None) for name in _MIXERS), block):
            inside = getattr(part, "original_component", None) or part
            if inside is not None:
                return type(inside).__name__
        return type(block).__name__

    @cached_property
    def with_neurons(self) -> tuple[int, ...]:
        """The layers whose neurons are one axis."""
        points = self.points
        layers = [layer for layer in range(len(self.hooked.blocks)) if HOOK_POST.hook(layer) in points]
        return tuple(layer for layer in layers if self._has_neurons(layer))

    def _has_neurons(self, layer: int) -> bool:
        mlp: Any = self.mlp(layer)
        try:
            return hasattr(mlp, "W_out") and mlp.W_out.ndim == 2
        except NotImplementedError:  # TransformerLens cannot read a weight that has no values
            return True

    def w_out(self, layer: int) -> Tensor:
        """A block's down projection, `(d_mlp, d_model)`.

        Raises:
            ValueError: if it has none, or several.
        """
        if layer not in self.with_neurons:
            raise ValueError(self._no_neurons(layer))
        mlp: Any = self.mlp(layer)
        return mlp.W_out.detach()

    @cached_property
    def points(self) -> dict[str, HookPoint]:
        """TransformerLens' hook points by name, which a bridge puts together anew at each look."""
        return self.hooked.hook_dict

    def point(self, site: Site, layer: int) -> HookPoint:
        """The hook point of a site in a block.

        Raises:
            ValueError: if the block has no such site, with the layers that have it.
        """
        if site.axis is Axis.NEURONS and layer not in self.with_neurons:
            raise ValueError(self._no_neurons(layer))
        points = self.points
        if site.hook(layer) not in points:
            have = [other for other in range(len(self.hooked.blocks)) if site.hook(other) in points]
            raise ValueError(
                f"Layer {layer} of {self.name} ({self.kind(layer)}) has no {site.name}: {self._why(site, layer)}. "
                f"{_others(have, self._instead(site, layer))}"
            )
        return points[site.hook(layer)]

    def _instead(self, site: Site, layer: int) -> str:
        shown = [other.name for other in (RESID_POST, Z) if other != site and other.hook(layer) in self.points]
        return f"Another site there is {shown[0]}." if shown else "No site of that layer can be read."

    def _why(self, site: Site, layer: int) -> str:
        block = type(self.hooked.blocks[layer]).__name__
        parallel = "Parallel" in block or getattr(self.hooked.cfg, "parallel_attn_mlp", False)
        if site == RESID_MID and parallel:
            return "its attention and its MLP read the residual stream side by side"
        if site == RESID_MID:
            return "TransformerLens shows no single residual stream there between attention and an MLP"
        return f"TransformerLens has no hook {site.hook(layer)}"

    def _no_neurons(self, layer: int) -> str:
        mlp = self.mlp(layer)
        if mlp is None:
            return (
                f"Layer {layer} of {self.name} ({self.kind(layer)}) has no MLP that TransformerLens shows, so it has "
                f"no neurons. {_others(self.with_neurons, self._instead(HOOK_POST, layer))}"
            )
        return (
            f"Layer {layer} has no single down projection ({type(mlp).__name__}): neurons of a mixture of experts are "
            f"not one axis, so hook_post cannot be read there in {self.name}. "
            f"{_others(self.with_neurons, self._instead(HOOK_POST, layer))}"
        )


def _others(layers: Sequence[int], otherwise: str) -> str:
    """Which layers have what is asked for."""
    if not layers:
        return otherwise
    listed = ", ".join(map(str, layers)) if len(layers) <= 12 else f"{layers[0]} to {layers[-1]}, {len(layers)} in all"
    return f"Layers that have: {listed}; choose them with layers=."


def written_in_place(stream: Tensor, changed: Tensor) -> Tensor:
    """`stream` with the values of `changed`.

    A block of transformers keeps the residual stream in a variable while a norm and the MLP read it, and adds the MLP's
    output to that variable. A value returned from a hook in front of the norm reaches the MLP alone; written in place,
    it reaches both, as the residual stream does.
    """
    return stream.copy_(changed)
