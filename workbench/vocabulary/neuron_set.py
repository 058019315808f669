"""Sets of MLP neurons."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class NeuronSet:
    """MLP neurons of one model, each a (layer, neuron) pair: sorted, without repeats.

    Attributes:
        layer: `(k,)` 0-based layers.
        neuron: `(k,)` 0-based indices into that layer's `d_mlp`.

    Example:
        >>> a, b = NeuronSet.of([(0, 5), (1, 2)]), NeuronSet.of([(1, 2), (1, 9)])
        >>> list(a & b), len(a | b), list(a - b)
        ([(1, 2)], 3, [(0, 5)])
    """

    layer: Int[Tensor, " k"]
    neuron: Int[Tensor, " k"]

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> "NeuronSet":
        """The set of these (layer, neuron) pairs, which may be in any order and may repeat.

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
        """The neurons where `mask` is true; `layers` are the layers of its rows, by default 0, 1, 2, …"""
        rows = torch.arange(mask.shape[0]) if layers is None else torch.tensor(list(layers), dtype=torch.int64)
        row, neuron = mask.cpu().nonzero(as_tuple=True)
        return cls.of(zip(rows[row].tolist(), neuron.tolist(), strict=True))

    def mask(self, layers: Iterable[int], width: int) -> Bool[Tensor, "layer d_mlp"]:
        """Whether each of `width` neurons of each of `layers` is in the set; members in other layers are left out.

        Raises:
            ValueError: if a member's neuron is not below `width`.
        """
        if len(self) and int(self.neuron.max()) >= width:
            raise ValueError(f"Neurons must be below the width {width}, but one is {int(self.neuron.max())}.")
        row_of = {layer: row for row, layer in enumerate(layers)}
        table = torch.zeros(len(row_of), width, dtype=torch.bool)
        for layer, neuron in self:
            if layer in row_of:
                table[row_of[layer], neuron] = True
        return table

    def at(self, layer: int) -> Int[Tensor, " k"]:
        """The set's neurons in one layer, ascending."""
        return self.neuron[self.layer == layer]

    def frame(self) -> pd.DataFrame:
        """Columns `layer` and `neuron`, one row for each neuron."""
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
