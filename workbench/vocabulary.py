"""The words that every floor shares: traits, poles, sites and sets of neurons."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd
import torch
from jaxtyping import Bool, Int
from torch import Tensor

BIG_FIVE: tuple[str, ...] = (
    "Openness",
    "Conscientiousness",
    "Extraversion",
    "Agreeableness",
    "Neuroticism",
)
"""The traits of the built-in bank and of the embedded model."""


def big_five(name: str) -> str:
    """The Big Five trait called `name`, whatever its capitals.

    Raises:
        ValueError: for any other name.

    Example:
        >>> big_five("extraversion")
        'Extraversion'
    """
    for trait in BIG_FIVE:
        if trait.casefold() == name.strip().casefold():
            return trait
    raise ValueError(f"There is no Big Five trait {name!r}. Choose one of {', '.join(BIG_FIVE)}.")


class Pole(StrEnum):
    """One side of a contrast. A pole equals its string, so `"high"` works wherever a pole does."""

    HIGH = "high"
    LOW = "low"
    NEUTRAL = "neutral"


class Axis(StrEnum):
    """What the last axis of a site counts."""

    NEURONS = "neurons"
    """MLP neurons, `d_mlp` of them."""
    RESIDUAL = "residual"
    """Coordinates of the residual stream, `d_model` of them."""
    HEADS = "heads"
    """Attention heads side by side, `n_heads * d_head` of them."""


@dataclass(frozen=True)
class Site:
    """A place in every block where activations can be read and edited.

    Attributes:
        name: the field's name for it, e.g. `hook_post`.
        pattern: TransformerLens' hook name with `{layer}` in it.
        axis: what its last axis counts.
    """

    name: str
    pattern: str
    axis: Axis

    def hook(self, layer: int) -> str:
        """TransformerLens' hook name at `layer`.

        Example:
            >>> HOOK_POST.hook(3)
            'blocks.3.mlp.hook_post'
        """
        return self.pattern.format(layer=layer)


HOOK_POST = Site("hook_post", "blocks.{layer}.mlp.hook_post", Axis.NEURONS)
"""The down projection's input: what DPN-LE reads and edits."""
HOOK_PRE = Site("hook_pre", "blocks.{layer}.mlp.hook_pre", Axis.NEURONS)
"""Before the activation function; in a gated MLP the gate's projection, positive where NPTI's neuron is."""
MLP_OUT = Site("mlp_out", "blocks.{layer}.hook_mlp_out", Axis.RESIDUAL)
"""What the MLP writes to the residual stream."""
RESID_MID = Site("resid_mid", "blocks.{layer}.hook_resid_mid", Axis.RESIDUAL)
"""The residual stream between attention and MLP; a block that runs both in parallel has none."""
RESID_POST = Site("resid_post", "blocks.{layer}.hook_resid_post", Axis.RESIDUAL)
"""The residual stream as it leaves the block."""
Z = Site("z", "blocks.{layer}.attn.hook_z", Axis.HEADS)
"""What each attention head reads, before the output projection."""
HOOK_PRE_LINEAR = Site("hook_pre_linear", "blocks.{layer}.mlp.hook_pre_linear", Axis.NEURONS)
"""What a gated MLP multiplies the activation function's output with; other MLPs have none."""
ACT = Site("act", "blocks.{layer}.mlp.hook_act", Axis.NEURONS)
"""The activation function's output, before a gated MLP's product: NPTI's neuron. TransformerLens has no hook there,
so it is not captured; an edit reaches it through `hook_pre` and `hook_post`."""
SITES: dict[str, Site] = {site.name: site for site in (HOOK_POST, HOOK_PRE, MLP_OUT, RESID_MID, RESID_POST, Z)}


def site_named(site: str | Site) -> Site:
    """The site called `site`.

    Raises:
        ValueError: for a name that is no site.
    """
    if isinstance(site, Site):
        return site
    if site == ACT.name:
        return ACT
    if site not in SITES:
        raise ValueError(f"There is no site {site!r}. Choose one of {', '.join(SITES)}.")
    return SITES[site]


@dataclass(frozen=True, eq=False)
class NeuronSet:
    """MLP neurons of one model, each a (layer, neuron) pair: sorted, without repeats.

    Attributes:
        layer: `(k,)` 0-based layers.
        neuron: `(k,)` 0-based places in that layer's `d_mlp`.

    Example:
        >>> a, b = NeuronSet.of([(0, 5), (1, 2)]), NeuronSet.of([(1, 2), (1, 9)])
        >>> list(a & b), len(a | b), list(a - b)
        ([(1, 2)], 3, [(0, 5)])
    """

    layer: Int[Tensor, " k"]
    neuron: Int[Tensor, " k"]

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> "NeuronSet":
        """The set of these (layer, neuron) pairs, in any order, repeats dropped.

        Raises:
            ValueError: for a negative layer or neuron.
        """
        unique = sorted({(int(layer), int(neuron)) for layer, neuron in pairs})
        if unique and min(min(pair) for pair in unique) < 0:
            raise ValueError("Layers and neurons count from 0, but a negative one arrived.")
        table = torch.tensor(unique, dtype=torch.int64).reshape(-1, 2)
        return cls(table[:, 0].contiguous(), table[:, 1].contiguous())

    @classmethod
    def from_mask(cls, mask: Bool[Tensor, "layer d_mlp"], layers: Iterable[int] | None = None) -> "NeuronSet":
        """The neurons where `mask` is true; `layers` names the layer of each row (default 0, 1, 2, …)."""
        rows = torch.arange(mask.shape[0]) if layers is None else torch.tensor(list(layers), dtype=torch.int64)
        row, neuron = mask.cpu().nonzero(as_tuple=True)
        return cls.of(zip(rows[row].tolist(), neuron.tolist(), strict=True))

    def mask(self, layers: Iterable[int], width: int) -> Bool[Tensor, "layer d_mlp"]:
        """Truth table of the set over `layers` and `width` neurons; members outside `layers` are left out.

        Raises:
            ValueError: if a member's neuron is not below `width`.
        """
        if len(self) and int(self.neuron.max()) >= width:
            raise ValueError(f"Neurons must be below the width {width}, but one is {int(self.neuron.max())}.")
        row = {layer: i for i, layer in enumerate(layers)}
        table = torch.zeros(len(row), width, dtype=torch.bool)
        for layer, neuron in self:
            if layer in row:
                table[row[layer], neuron] = True
        return table

    def at(self, layer: int) -> Int[Tensor, " k"]:
        """The set's neurons in one layer, ascending."""
        return self.neuron[self.layer == layer]

    def frame(self) -> pd.DataFrame:
        """Columns `layer` and `neuron`, a row each."""
        return pd.DataFrame({"layer": self.layer.numpy(), "neuron": self.neuron.numpy()})

    def __len__(self) -> int:
        return self.layer.numel()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self.layer.tolist(), self.neuron.tolist(), strict=True))

    def __contains__(self, pair: tuple[int, int]) -> bool:
        return tuple(pair) in set(self)

    def __and__(self, other: "NeuronSet") -> "NeuronSet":
        return NeuronSet.of(set(self) & set(other))

    def __or__(self, other: "NeuronSet") -> "NeuronSet":
        return NeuronSet.of(set(self) | set(other))

    def __sub__(self, other: "NeuronSet") -> "NeuronSet":
        return NeuronSet.of(set(self) - set(other))

    def __xor__(self, other: "NeuronSet") -> "NeuronSet":
        return NeuronSet.of(set(self) ^ set(other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NeuronSet):
            return NotImplemented
        return torch.equal(self.layer, other.layer) and torch.equal(self.neuron, other.neuron)

    def __hash__(self) -> int:
        return hash((tuple(self.layer.tolist()), tuple(self.neuron.tolist())))

    def __repr__(self) -> str:
        layers = sorted(set(self.layer.tolist()))
        where = f" in layers {layers[0]}–{layers[-1]}" if layers else ""
        return f"NeuronSet({len(self)} neurons{where})"
