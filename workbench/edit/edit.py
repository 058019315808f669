"""Edits as values that print, compare, save and add: one, and several that are applied together."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.checking import check_dose, check_provenance, check_units
from workbench.tensorfile import read_tensors, write_tensors
from workbench.vocabulary import Axis, NeuronSet, site_named

FORMAT = "workbench edit 2"
COMPOSITE_FORMAT = "workbench composite edit 1"
_HEADER = ("trait", "method", "direction", "site", "width", "gamma", "provenance", "operation", "mask", "seed")
_TENSORS = ("layer", "unit", "value")


def _joined(*words: str) -> str:
    """The words without repeats, with a plus between."""
    return " + ".join(dict.fromkeys(words))


@dataclass(frozen=True, eq=False)
class Edit:
    """What is done to some units of a site: by default `gamma * value` is added to each (layer, unit).

    Attributes:
        trait: the trait it moves.
        method: the arm's name, e.g. `DPN-LE`.
        direction: `increase` or `decrease`.
        site: the site's name; its units are neurons at `hook_post`, coordinates at `resid_post`.
        width: units per layer at that site.
        layer, unit: `(k,)` where it acts, sorted, without repeats.
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
        check_dose(self.operation, self.gamma, self.mask)
        site_named(self.site)
        check_units(self.width, layer=self.layer, unit=self.unit, value=self.value)
        check_provenance(self.provenance)

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
        at_layer = self.layer == layer
        dense[self.unit[at_layer]] = self.gamma * self.value[at_layer]
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
        if not isinstance(other, Edit):
            return Composite((self,)) + other
        if self.site == other.site and self.width != other.width:
            raise ValueError(f"Edits add at one site, but {self.site} ({self.width}) met {other.site} ({other.width}).")
        if self.site != other.site or {self.operation, other.operation} != {"add"} or self.mask or other.mask:
            return Composite((self, other))
        layers = sorted({*self.layers, *other.layers}) or [0]
        return Edit.of(
            {layer: self.delta(layer) + other.delta(layer) for layer in layers},
            trait=_joined(self.trait, other.trait),
            method=_joined(self.method, other.method),
            direction=_joined(self.direction, other.direction),
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

    @staticmethod
    def load(path: str | Path) -> "Edit":
        """Read an edit that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no edit, or is damaged.
        """
        header, tensors = read_tensors(path, format=FORMAT)
        try:
            return _edit_of(header, tensors)
        except TypeError as error:
            raise ValueError(f"{Path(path).name} is no whole {FORMAT!r}: {error}.") from None

    def __repr__(self) -> str:
        does = "" if self.operation == "add" else f"{self.operation}, "
        return (
            f"Edit({self.method}, {self.direction} {self.trait}, gamma {self.gamma:g}, {does}{len(self)} units at "
            f"{self.site} in {len(self.layers)} layers)"
        )


@dataclass(frozen=True, eq=False)
class Composite:
    """Edits applied together: along the forward pass, and in the given order where they meet at one site and layer.

    Attributes:
        edits: at least one, each at a dose of its own.
        gamma: the dose of the whole, which multiplies theirs.
        name: its method; by default the edits' methods with a plus between.
        provenance: where it comes from.
    """

    edits: tuple[Edit, ...]
    gamma: float = 1.0
    name: str = ""
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.edits:
            raise ValueError("A composite needs at least 1 edit, but none arrived.")
        widths: dict[str, int] = {}
        for edit in self.edits:
            if widths.setdefault(edit.site, edit.width) != edit.width:
                raise ValueError(
                    f"A composite is for one model, but its edits at {edit.site} are {widths[edit.site]} and "
                    f"{edit.width} wide."
                )
        check_provenance(self.provenance)
        _ = self.parts  # so that a dose that an operation cannot take is refused here

    @property
    def parts(self) -> tuple[Edit, ...]:
        """The edits, each at the dose that it is applied at."""
        return tuple(edit.with_gamma(self.gamma * edit.gamma) for edit in self.edits)

    @property
    def acts(self) -> bool:
        """Whether any part does anything."""
        return any(part.acts for part in self.parts)

    @property
    def trait(self) -> str:
        """The trait it moves."""
        return _joined(*(edit.trait for edit in self.edits))

    @property
    def method(self) -> str:
        """The arm's name."""
        return self.name or _joined(*(edit.method for edit in self.edits))

    @property
    def direction(self) -> str:
        """`increase` or `decrease`, or both where parts differ."""
        return _joined(*(edit.direction for edit in self.edits))

    @property
    def site(self) -> str:
        """Its sites' names."""
        return _joined(*(edit.site for edit in self.edits))

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers it touches, ascending."""
        return tuple(sorted({layer for edit in self.edits for layer in edit.layers}))

    def delta(self, layer: int) -> Float[Tensor, " width"]:
        """Always refused, as what several sites or operations do is no constant.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"Only one edit that adds has a constant delta, but {self!r} arrived. Ask its .parts.")

    def with_gamma(self, gamma: float) -> "Composite":
        """The same composite at another dose, by which every part's own dose is multiplied."""
        return replace(self, gamma=gamma)

    def __len__(self) -> int:
        return sum(map(len, self.edits))

    def __add__(self, other: "Edit | Composite") -> "Composite":
        """Both at once, this one first, at gamma 1."""
        return Composite((*self.parts, *other.parts), name=_joined(self.method, other.method))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Composite):
            return NotImplemented
        return (self.gamma, self.method, self.edits) == (other.gamma, other.method, other.edits)

    def frame(self) -> pd.DataFrame:
        """Columns part, site, operation, and those of `Edit.frame`."""
        frames = []
        for number, part in enumerate(self.parts):
            frame = part.frame()
            frame.insert(0, "part", number)
            frame.insert(1, "site", part.site)
            frame.insert(2, "operation", part.operation)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def save(self, path: str | Path) -> Path:
        """Write all parts into one safetensors file with a JSON header."""
        headers: list[dict[str, Any]] = []
        tensors: dict[str, Tensor] = {}
        for number, edit in enumerate(self.edits):
            header, fields = edit.state()
            headers.append(header)
            tensors |= {f"{number}.{name}": tensor for name, tensor in fields.items()}
        whole = {"gamma": self.gamma, "name": self.name, "provenance": self.provenance, "edits": headers}
        return write_tensors(path, format=COMPOSITE_FORMAT, header=whole, tensors=tensors)

    def __repr__(self) -> str:
        return (
            f"Composite({self.method}, {self.direction} {self.trait}, gamma {self.gamma:g}, {len(self.edits)} edits of "
            f"{len(self)} units at {self.site} in {len(self.layers)} layers)"
        )


AnyEdit: TypeAlias = Edit | Composite


def load_edit(path: str | Path) -> AnyEdit:
    """Read an edit or a composite that `save` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither, or is damaged.
    """
    header, tensors = read_tensors(path, format=(FORMAT, COMPOSITE_FORMAT))
    try:
        if "edits" not in header:
            return _edit_of(header, tensors)
        edits = [
            _edit_of(fields, {name: tensors[f"{number}.{name}"] for name in _TENSORS})
            for number, fields in enumerate(header["edits"])
        ]
        return Composite(tuple(edits), header["gamma"], header["name"], header["provenance"])
    except (KeyError, TypeError) as error:
        whole = COMPOSITE_FORMAT if "edits" in header else FORMAT
        raise ValueError(f"{Path(path).name} is no whole {whole!r}: {error}.") from None


def _edit_of(header: dict[str, Any], tensors: dict[str, Any]) -> Edit:
    return Edit(**header, **tensors)
