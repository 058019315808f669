"""Several edits applied together as one value, at whatever sites and by whatever operations."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from workbench.edit.edit import FORMATS, Edit
from workbench.tensorfile import read_tensors, write_tensors

FORMAT = "workbench composite edit 1"


def joined(*words: str) -> str:
    """The words without repeats, with a plus between."""
    return " + ".join(dict.fromkeys(words))


@dataclass(frozen=True, eq=False)
class Composite:
    """Edits applied together: along the forward pass, and in the given order where they meet at one site and layer.

    Attributes:
        edits: at least one, each at a dose of its own.
        gamma: the dose of the whole, which multiplies theirs.
        name: what `method` says; by default the edits' methods together.
        provenance: where it comes from.
    """

    edits: tuple[Edit, ...]
    gamma: float = 1.0
    name: str = ""
    provenance: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.edits:
            raise ValueError("A composite needs at least 1 edit, but none arrived.")
        widths: dict[str, int] = {}
        for one in self.edits:
            if widths.setdefault(one.site, one.width) != one.width:
                raise ValueError(
                    f"A composite is for one model, but its edits at {one.site} are {widths[one.site]} and "
                    f"{one.width} wide."
                )
        _ = self.parts  # so that a dose that an operation cannot take is refused here

    @property
    def parts(self) -> tuple[Edit, ...]:
        """The edits, each at the dose that it is applied at."""
        return tuple(one.with_gamma(self.gamma * one.gamma) for one in self.edits)

    @property
    def acts(self) -> bool:
        """Whether any part does anything."""
        return any(one.acts for one in self.parts)

    @property
    def trait(self) -> str:
        """The trait it moves."""
        return joined(*(one.trait for one in self.edits))

    @property
    def method(self) -> str:
        """The arm's name."""
        return self.name or joined(*(one.method for one in self.edits))

    @property
    def direction(self) -> str:
        """`increase` or `decrease`, or both where parts differ."""
        return joined(*(one.direction for one in self.edits))

    @property
    def site(self) -> str:
        """Its sites' names."""
        return joined(*(one.site for one in self.edits))

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers it touches, ascending."""
        return tuple(sorted({layer for one in self.edits for layer in one.layers}))

    def delta(self, layer: int) -> Float[Tensor, " width"]:
        """Refused: what several sites or operations do is no constant.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"Only one edit that adds has a constant delta, but {self!r} arrived. Take it of its .parts.")

    def with_gamma(self, gamma: float) -> "Composite":
        """The same at another dose, which every part follows."""
        return replace(self, gamma=gamma)

    def __len__(self) -> int:
        return sum(map(len, self.edits))

    def __add__(self, other: "Edit | Composite") -> "Composite":
        """Both at once, this one first, at gamma 1."""
        return Composite((*self.parts, *other.parts), name=joined(self.method, other.method))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Composite):
            return NotImplemented
        return (self.gamma, self.method, self.edits) == (other.gamma, other.method, other.edits)

    def frame(self) -> pd.DataFrame:
        """Columns part, site, operation, and those of `Edit.frame`."""
        frames = []
        for place, one in enumerate(self.parts):
            frame = one.frame()
            frame.insert(0, "part", place)
            frame.insert(1, "site", one.site)
            frame.insert(2, "operation", one.operation)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def save(self, path: str | Path) -> Path:
        """Write all parts into one safetensors file with a JSON header."""
        headers: list[dict[str, Any]] = []
        tensors: dict[str, Tensor] = {}
        for place, one in enumerate(self.edits):
            header, own = one.state()
            headers.append(header)
            tensors |= {f"{place}.{name}": tensor for name, tensor in own.items()}
        whole = {"gamma": self.gamma, "name": self.name, "provenance": self.provenance, "edits": headers}
        return write_tensors(path, format=FORMAT, header=whole, tensors=tensors)

    @classmethod
    def load(cls, path: str | Path) -> "Composite":
        """Read a composite that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no composite, or is damaged.
        """
        header, tensors = read_tensors(path, format=FORMAT)
        try:
            edits = []
            for place, fields in enumerate(header["edits"]):
                own: dict[str, Any] = {name: tensors[f"{place}.{name}"] for name in ("layer", "unit", "value")}
                edits.append(Edit(**fields, **own))
            return cls(tuple(edits), header["gamma"], header["name"], header["provenance"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{Path(path).name} is no whole {FORMAT!r}: {error}.") from None

    def __repr__(self) -> str:
        return (
            f"Composite({self.method}, {self.direction} {self.trait}, gamma {self.gamma:g}, {len(self.edits)} edits of "
            f"{len(self)} units at {self.site} in {len(self.layers)} layers)"
        )


AnyEdit: TypeAlias = Edit | Composite


def load_edit(path: str | Path) -> AnyEdit:
    """Read whatever an edit or a composite saved.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither, or is damaged.
    """
    header, _ = read_tensors(path, format=(*FORMATS, FORMAT))
    return Composite.load(path) if "edits" in header else Edit.load(path)
