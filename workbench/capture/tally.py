"""What a capture leaves: moments by pole, and where they come from."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.measure.moments import Moments
from workbench.tensorfile import read_tensors, write_tensors
from workbench.vocabulary import Pole

FORMAT = "workbench tally 1"


@dataclass(frozen=True, eq=False)
class Tally:
    """Count, mean and squared deviations of every value at a site, by pole.

    Attributes:
        trait: the contrast's trait.
        site: the site's name, e.g. `hook_post`.
        layers: the layer of each row of the moments.
        moments: by pole, each of shape `(layer, width)` in float64.
        provenance: hashes and names of what went in: model, prompts, position, versions.
    """

    trait: str
    site: str
    layers: tuple[int, ...]
    moments: dict[Pole, Moments]
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Values per layer."""
        return self.moments[Pole.HIGH].shape[-1]

    def merge(self, other: "Tally") -> "Tally":
        """The tally of both tallies' prompts; exact to float64 rounding.

        Raises:
            ValueError: if they differ in trait, site, layers, poles or model.
        """
        for name in ("trait", "site", "layers"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"Tallies merge only where {name} agrees, but {getattr(self, name)!r} met {getattr(other, name)!r}."
                )
        if set(self.moments) != set(other.moments):
            raise ValueError(f"Tallies merge only with equal poles, but {set(self.moments)} met {set(other.moments)}.")
        if self.provenance.get("model_fingerprint") != other.provenance.get("model_fingerprint"):
            raise ValueError("Tallies merge only when the same model made them, but the fingerprints differ.")
        moments = {pole: self.moments[pole].merge(other.moments[pole]) for pole in self.moments}
        return Tally(self.trait, self.site, self.layers, moments, self.provenance)

    def save(self, path: str | Path) -> Path:
        """Write the tally as safetensors."""
        tensors = {
            f"{pole}.{name}": tensor
            for pole, moments in self.moments.items()
            for name, tensor in moments.state().items()
        }
        header = {"trait": self.trait, "site": self.site, "layers": self.layers, "provenance": self.provenance}
        return write_tensors(path, format=FORMAT, header=header, tensors=tensors)

    @classmethod
    def load(cls, path: str | Path) -> "Tally":
        """Read a tally that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a tally, or is damaged.
        """
        header, tensors = read_tensors(path, format=FORMAT)
        moments = {
            pole: Moments.from_state({n.split(".", 1)[1]: t for n, t in tensors.items() if n.startswith(f"{pole}.")})
            for pole in Pole
            if f"{pole}.mean" in tensors
        }
        return cls(header["trait"], header["site"], tuple(header["layers"]), moments, header["provenance"])

    def __repr__(self) -> str:
        counts = ", ".join(f"{moments.count} {pole}" for pole, moments in self.moments.items())
        return f"{type(self).__name__}({self.trait!r}, {self.site}, {len(self.layers)} layers × {self.width}, {counts})"


@dataclass(frozen=True, eq=False, repr=False)
class Activations(Tally):
    """A tally that also keeps every row.

    Attributes:
        activations: by pole, `(n, layer, width)` in float32, rows in the contrast's order.
    """

    activations: dict[Pole, Float[Tensor, "n layer width"]] = field(default_factory=dict)

    def at(self, layer: int, pole: Pole | str) -> Float[Tensor, "n width"]:
        """One pole's rows at one layer.

        Raises:
            ValueError: if the layer was not captured.
        """
        if layer not in self.layers:
            raise ValueError(f"Layer {layer} was not captured; these were: {list(self.layers)}.")
        return self.activations[Pole(pole)][:, self.layers.index(layer)]


def gathered(rows: list[Tensor], order: list[int]) -> Tensor:
    """`rows`, batch after batch, put back from the order in which they were computed."""
    stacked = torch.cat(rows)
    restored = torch.empty_like(stacked)
    restored[torch.tensor(order)] = stacked
    return restored
