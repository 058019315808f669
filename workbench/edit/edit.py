"""An edit: constants added to activations at a site, as a value that prints, compares, saves and adds."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.tensorfile import read_tensors, write_tensors
from workbench.vocabulary import NeuronSet, site_named

FORMAT = "workbench edit 1"


@dataclass(frozen=True, eq=False)
class Edit:
    """`value * gamma` added to each (layer, unit) of a site.

    Attributes:
        trait: the trait it moves.
        method: the arm's name, e.g. `DPN-LE`.
        direction: `increase` or `decrease`.
        site: the site's name; its units are neurons at `hook_post`, coordinates at `resid_post`.
        width: units per layer at that site.
        layer, unit: `(k,)` where values are added, sorted, without repeats.
        value: `(k,)` float32, what is added at gamma 1, sign included.
        gamma: the dose.
        provenance: where the values come from.
    """

    trait: str
    method: str
    direction: str
    site: str
    width: int
    layer: Int[Tensor, " k"]
    unit: Int[Tensor, " k"]
    value: Float[Tensor, " k"]
    gamma: float = 1.0
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.gamma):
            raise ValueError(f"gamma must be finite, but {self.gamma} arrived.")
        site_named(self.site)
        if not bool(torch.isfinite(self.value).all()):
            place = int((~torch.isfinite(self.value)).nonzero()[0])
            raise ValueError(
                f"An edit's values must be finite, but layer {int(self.layer[place])}, unit {int(self.unit[place])} "
                f"has {self.value[place].item()}."
            )
        if self.unit.numel() and not 0 <= int(self.unit.min()) <= int(self.unit.max()) < self.width:
            raise ValueError(f"Units must lie in 0 to {self.width - 1}, but {int(self.unit.max())} arrived.")

    @classmethod
    def of(
        cls, deltas: dict[int, Float[Tensor, " width"]], *, trait: str, method: str, direction: str, site: str,
        gamma: float = 1.0, provenance: dict[str, str] | None = None,
    ) -> "Edit":  # fmt: skip
        """The edit that adds `gamma * deltas[layer]`; zeros are left out.

        Raises:
            ValueError: if there are no layers or their widths differ.
        """
        widths = {delta.numel() for delta in deltas.values()}
        if len(widths) != 1:
            raise ValueError(f"An edit's layers need one common width, but {sorted(widths)} arrived.")
        layers = sorted(deltas)
        dense = torch.stack([deltas[layer].detach().to("cpu", torch.float32) for layer in layers])
        row, unit = dense.nonzero(as_tuple=True)
        layer = torch.tensor(layers, dtype=torch.int64)[row]
        return cls(trait, method, direction, site, widths.pop(), layer, unit, dense[row, unit], gamma, provenance or {})

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers it touches, ascending."""
        return tuple(sorted(set(self.layer.tolist())))

    @property
    def neurons(self) -> NeuronSet:
        """The MLP neurons it touches.

        Raises:
            ValueError: if its site has no neurons.
        """
        if not site_named(self.site).on_neurons:
            raise ValueError(f"{self.site} has no neurons: its units are coordinates of the residual stream.")
        return NeuronSet(self.layer, self.unit)

    def delta(self, layer: int) -> Float[Tensor, " width"]:
        """What is added at `layer`, gamma included; zeros where nothing is."""
        dense = torch.zeros(self.width)
        here = self.layer == layer
        dense[self.unit[here]] = self.gamma * self.value[here]
        return dense

    def with_gamma(self, gamma: float) -> "Edit":
        """The same edit at another dose."""
        return replace(self, gamma=gamma)

    def __len__(self) -> int:
        return self.unit.numel()

    def __add__(self, other: "Edit") -> "Edit":
        """Both edits at once, at gamma 1.

        Raises:
            ValueError: if they are of different sites or widths.
        """
        if (self.site, self.width) != (other.site, other.width):
            raise ValueError(f"Edits add at one site, but {self.site} ({self.width}) met {other.site} ({other.width}).")
        layers = sorted({*self.layers, *other.layers}) or [0]

        def joined(a: str, b: str) -> str:
            return a if a == b else f"{a} + {b}"

        return Edit.of(
            {layer: self.delta(layer) + other.delta(layer) for layer in layers},
            trait=joined(self.trait, other.trait),
            method=joined(self.method, other.method),
            direction=joined(self.direction, other.direction),
            site=self.site,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Edit):
            return NotImplemented
        names = ("trait", "method", "direction", "site", "width", "gamma")
        return all(getattr(self, n) == getattr(other, n) for n in names) and all(
            torch.equal(getattr(self, n), getattr(other, n)) for n in ("layer", "unit", "value")
        )

    def frame(self) -> pd.DataFrame:
        """Columns layer, unit, value (at gamma 1), delta (at this gamma)."""
        value = self.value.numpy()
        return pd.DataFrame(
            {
                "layer": self.layer.numpy(),
                "unit": self.unit.numpy(),
                "value": value,
                "delta": self.gamma * value,
            }
        )

    def save(self, path: str | Path) -> Path:
        """Write the edit as safetensors with a JSON header."""
        header = {
            name: getattr(self, name)
            for name in ("trait", "method", "direction", "site", "width", "gamma", "provenance")
        }
        tensors = {"layer": self.layer, "unit": self.unit, "value": self.value}
        return write_tensors(path, format=FORMAT, header=header, tensors=tensors)

    @classmethod
    def load(cls, path: str | Path) -> "Edit":
        """Read an edit that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no edit, or is damaged.
        """
        header, tensors = read_tensors(path, format=FORMAT)
        fields: dict[str, Any] = {**header, **tensors}
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"{Path(path).name} is no whole {FORMAT!r}: {error}.") from None

    def __repr__(self) -> str:
        return (
            f"Edit({self.method}, {self.direction} {self.trait}, gamma {self.gamma:g}, {len(self)} units at "
            f"{self.site} in {len(self.layers)} layers)"
        )
