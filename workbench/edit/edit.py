"""An edit: what is done to activations at a site, as a value that prints, compares, saves and adds."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.tensorfile import read_tensors, write_tensors
from workbench.vocabulary import Axis, NeuronSet, site_named

if TYPE_CHECKING:
    from workbench.edit.composite import AnyEdit
else:  # what is below cannot import what is above at run time
    AnyEdit = Any

FORMAT = "workbench edit 2"
FORMATS = (FORMAT, "workbench edit 1")
OPERATIONS: tuple[str, ...] = ("add", "scale", "set", "cap")


@dataclass(frozen=True, eq=False)
class Edit:
    """What is done to each (layer, unit) of a site: by default `gamma * value` is added.

    Attributes:
        trait: the trait it moves.
        method: the arm's name, e.g. `DPN-LE`.
        direction: `increase` or `decrease`.
        site: the site's name; its units are neurons at `hook_post`, coordinates at `resid_post`.
        width: units per layer at that site.
        layer, unit: `(k,)` where values are added, sorted, without repeats.
        value: `(k,)` float32, the operation's operand; for `add` what is added at gamma 1, sign included.
        gamma: the dose; at 0 every operation leaves h as it is.
        provenance: where the values come from.
        operation: `add`: h + gamma * value; `scale`: h * (1 + gamma * (value - 1)); `set`: h + gamma * (value - h),
            so value itself at gamma 1; `cap`: min(h, value), at any gamma above 0.
        mask: share of the units that each step leaves alone, drawn anew at every step of an answer.
        seed: seeds those draws.
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
    operation: str = "add"
    mask: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.gamma):
            raise ValueError(f"gamma must be finite, but {self.gamma} arrived.")
        if self.operation not in OPERATIONS:
            raise ValueError(f"The operation is one of {', '.join(OPERATIONS)}, but {self.operation!r} arrived.")
        if self.operation == "cap" and self.gamma < 0:
            raise ValueError(f"A cap has no opposite, so its gamma is at least 0, but {self.gamma} arrived.")
        if not 0 <= self.mask < 1:
            raise ValueError(f"The mask is a share from 0 to below 1, but {self.mask} arrived.")
        site_named(self.site)
        self._check_whole()
        if not bool(torch.isfinite(self.value).all()):
            place = int((~torch.isfinite(self.value)).nonzero()[0])
            raise ValueError(
                f"An edit's values must be finite, but layer {int(self.layer[place])}, unit {int(self.unit[place])} "
                f"has {self.value[place].item()}."
            )
        if self.unit.numel() and not 0 <= int(self.unit.min()) <= int(self.unit.max()) < self.width:
            raise ValueError(f"Units must lie in 0 to {self.width - 1}, but {int(self.unit.max())} arrived.")

    def _check_whole(self) -> None:
        """Refuse what no maker makes, but a damaged or hostile file may hold."""
        shapes = {name: tuple(getattr(self, name).shape) for name in _TENSORS}
        if len(set(shapes.values())) != 1 or self.unit.ndim != 1:
            raise ValueError(
                f"An edit's layer, unit and value are one axis of one length, but shapes {shapes} arrived."
            )
        if any(kind.is_floating_point or kind.is_complex for kind in (self.layer.dtype, self.unit.dtype)):
            raise ValueError(f"Layers and units are whole numbers, but {self.layer.dtype}, {self.unit.dtype} arrived.")
        if self.layer.numel() and int(self.layer.min()) < 0:
            raise ValueError(f"Layers count from 0, but {int(self.layer.min())} arrived.")
        if not isinstance(self.provenance, dict):
            raise ValueError(f"Provenance is text by name, but a {type(self.provenance).__name__} arrived.")

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

    @classmethod
    def on(
        cls, units: NeuronSet, value: Float[Tensor, " k"] | float, *, operation: str, width: int, trait: str,
        method: str, direction: str, site: str, gamma: float = 1.0, provenance: dict[str, str] | None = None,
    ) -> "Edit":  # fmt: skip
        """An operation on these (layer, unit) pairs, with a value each, in the set's order, or one for all.

        Raises:
            ValueError: if there are more or fewer values than units.
        """
        if isinstance(value, Tensor):
            values = value.detach().to("cpu", torch.float32)
        else:
            values = torch.full((len(units),), value)
        if len(values) != len(units):
            raise ValueError(f"Each unit needs a value, but {len(units)} units came with {len(values)} values.")
        return cls(
            trait, method, direction, site, width, units.layer, units.neuron, values, gamma, provenance or {}, operation
        )

    @property
    def parts(self) -> "tuple[Edit, ...]":
        """Itself: an edit is a composite of one."""
        return (self,)

    @property
    def acts(self) -> bool:
        """Whether it does anything: it has units, and a dose."""
        return bool(len(self) and self.gamma)

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
        if site_named(self.site).axis is not Axis.NEURONS:
            raise ValueError(f"{self.site} has no neurons: its units are coordinates of the residual stream.")
        return NeuronSet(self.layer, self.unit)

    def delta(self, layer: int) -> Float[Tensor, " width"]:
        """What is added at `layer`, gamma included; zeros where nothing is.

        Raises:
            ValueError: if what it does depends on the activation.
        """
        if self.operation != "add" or self.mask:
            what = self.operation if self.operation != "add" else f"a mask of {self.mask:g}"
            raise ValueError(
                f"Only edits that always add have a constant delta, but {self!r} has {what}. Run it with edited()."
            )
        dense = torch.zeros(self.width)
        here = self.layer == layer
        dense[self.unit[here]] = self.gamma * self.value[here]
        return dense

    def with_gamma(self, gamma: float) -> "Edit":
        """The same edit at another dose."""
        return replace(self, gamma=gamma)

    def __len__(self) -> int:
        return self.unit.numel()

    def __add__(self, other: "AnyEdit") -> "AnyEdit":
        """Both edits at once: one edit at gamma 1 where both add at one site, otherwise a composite, this one first.

        Raises:
            ValueError: if they are of one site but differ in width.
        """
        from workbench.edit.composite import Composite, joined

        if not isinstance(other, Edit):
            return Composite((self,)) + other
        if self.site == other.site and self.width != other.width:
            raise ValueError(f"Edits add at one site, but {self.site} ({self.width}) met {other.site} ({other.width}).")
        if self.site != other.site or {self.operation, other.operation} != {"add"} or self.mask or other.mask:
            return Composite((self, other))
        layers = sorted({*self.layers, *other.layers}) or [0]
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
        names = (name for name in _HEADER if name != "provenance")
        return all(getattr(self, n) == getattr(other, n) for n in names) and all(
            torch.equal(getattr(self, n), getattr(other, n)) for n in _TENSORS
        )

    def frame(self) -> pd.DataFrame:
        """Columns layer, unit, value (at gamma 1), delta (gamma times that; what is added, if it adds)."""
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
        header, tensors = self.state()
        return write_tensors(path, format=FORMAT, header=header, tensors=tensors)

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Its fields: those that fit JSON, and the tensors."""
        return {n: getattr(self, n) for n in _HEADER}, {n: getattr(self, n) for n in _TENSORS}

    @classmethod
    def load(cls, path: str | Path) -> "Edit":
        """Read an edit that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no edit, or is damaged.
        """
        header, tensors = read_tensors(path, format=FORMATS)
        fields: dict[str, Any] = {**header, **tensors}
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"{Path(path).name} is no whole {FORMAT!r}: {error}.") from None

    def __repr__(self) -> str:
        does = "" if self.operation == "add" else f"{self.operation}, "
        return (
            f"Edit({self.method}, {self.direction} {self.trait}, gamma {self.gamma:g}, {does}{len(self)} units at "
            f"{self.site} in {len(self.layers)} layers)"
        )


_TENSORS = ("layer", "unit", "value")
_HEADER = (
    *("trait", "method", "direction", "site", "width", "gamma", "provenance"),
    *("operation", "mask", "seed"),
)
