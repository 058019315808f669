"""The result of a capture: moments by pole, whatever else was asked for, and what it was made from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from workbench.capture.sample import RowSample
from workbench.measure.moments import Moments
from workbench.tensorfile import read_tensors, write_tensors
from workbench.vocabulary import Pole

FORMAT = "workbench tally 2"
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Tally:
    """Count, mean and squared deviations of every value at a site, by pole.

    Attributes:
        trait: the contrast's trait.
        site: the site's name, e.g. `hook_post`.
        layers: the layer of each row of the moments.
        moments: by pole, each of shape `(layer, width)` in float64.
        provenance: what the numbers were made from: names and hashes of model and prompts, the position, versions.
        clusters: by kind of cluster (`description`, `question`), pole and cluster id, the moments of that cluster's
            rows alone; empty unless the capture was asked for them.
        positive: by pole `(layer, width)`, how many rows were above zero; empty unless asked for.
        samples: by pole, a uniform sample of rows of fixed size, to read quantiles from; empty unless asked for.
    """

    trait: str
    site: str
    layers: tuple[int, ...]
    moments: dict[Pole, Moments]
    provenance: dict[str, str] = field(default_factory=dict)
    clusters: dict[str, dict[Pole, dict[str, Moments]]] = field(default_factory=dict)
    positive: dict[Pole, Int64[Tensor, "layer width"]] = field(default_factory=dict)
    samples: dict[Pole, RowSample] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Values per layer."""
        return next(iter(self.moments.values())).shape[-1]

    def probability_positive(self, pole: Pole | str) -> Float[Tensor, "layer width"]:
        """The share of a pole's rows above zero, 0 to 1; at `hook_pre`, NPTI's probability that a neuron is active.

        Raises:
            ValueError: if the capture did not count it.
        """
        if not self.positive:
            raise ValueError("How many rows are above zero was not counted. Capture with positive=True.")
        pole = Pole(pole)
        return self.positive[pole].double() / self.moments[pole].count

    def quantile(self, pole: Pole | str, q: float) -> Float[Tensor, "layer width"]:
        """The q-quantile of each value, from the sample of rows; see `RowSample` for its error.

        Raises:
            ValueError: if the capture kept no sample.
        """
        if not self.samples:
            raise ValueError("No sample was kept to read quantiles from. Capture with sample=, e.g. sample=1024.")
        return self.samples[Pole(pole)].quantile(q)

    def restrict(self, layers: Iterable[int]) -> "Tally":
        """These layers alone, in the order they have here.

        Raises:
            ValueError: naming the layers that were not captured.
        """
        wanted = set(layers)
        missing = sorted(wanted - set(self.layers))
        if missing:
            raise ValueError(f"This capture covers layers {list(self.layers)}, but lacks {missing}.")
        indices = [index for index, layer in enumerate(self.layers) if layer in wanted]
        if len(indices) == len(self.layers):
            return self

        def part(moments: Moments) -> Moments:
            return Moments(moments.count, moments.mean[indices], moments.m2[indices])

        def sample(whole: RowSample) -> RowSample:
            return replace(whole, rows=whole.rows[:, indices])

        return replace(
            self,
            layers=tuple(self.layers[index] for index in indices),
            moments={pole: part(moments) for pole, moments in self.moments.items()},
            clusters={
                kind: {pole: {name: part(each) for name, each in named.items()} for pole, named in by_pole.items()}
                for kind, by_pole in self.clusters.items()
            },
            positive={pole: count[indices] for pole, count in self.positive.items()},
            samples={pole: sample(whole) for pole, whole in self.samples.items()},
            **self._rows_of(indices),
        )

    def _rows_of(self, indices: list[int]) -> dict[str, Any]:
        """The fields that hold every row, of some layers alone; a tally has none."""
        return {}

    def merge(self, other: "Tally") -> "Tally":
        """The tally of the prompts of both, exact to float64 rounding.

        Raises:
            ValueError: if they differ in trait, site, layers, poles, model, position or in what they hold.
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
        for name, first, second in (
            ("the position", self.provenance.get("position"), other.provenance.get("position")),
            ("clusters", set(self.clusters), set(other.clusters)),
            ("counts above zero", bool(self.positive), bool(other.positive)),
            ("samples", bool(self.samples), bool(other.samples)),
        ):
            if first != second:
                raise ValueError(f"Tallies merge only where {name} agree, but {first} met {second}.")
        return joined(self, other)

    def save(self, path: str | Path) -> Path:
        """Write the tally as safetensors."""
        tensors: dict[str, Tensor] = {}
        for pole, moments in self.moments.items():
            tensors |= {f"{pole}.{name}": tensor for name, tensor in moments.state().items()}
        ids: dict[str, dict[str, list[str]]] = {}
        for kind, by_pole in self.clusters.items():
            for pole, clusters in by_pole.items():
                ids.setdefault(kind, {})[str(pole)] = list(clusters)
                for number, moments in enumerate(clusters.values()):
                    stem = f"clusters.{kind}.{pole}.{number}"
                    tensors |= {f"{stem}.{name}": tensor for name, tensor in moments.state().items()}
        tensors |= {f"positive.{pole}": count for pole, count in self.positive.items()}
        sizes: dict[str, list[int]] = {}
        for pole, sample in self.samples.items():
            sizes[str(pole)] = [sample.size, sample.seen]
            tensors |= {f"sample.{pole}.priority": sample.priority, f"sample.{pole}.rows": sample.rows}
        header = {
            "trait": self.trait,
            "site": self.site,
            "layers": self.layers,
            "provenance": self.provenance,
            "clusters": ids,
            "samples": sizes,
        }
        return write_tensors(path, format=FORMAT, header=header, tensors=tensors)

    @classmethod
    def load(cls, path: str | Path) -> "Tally":
        """Read a tally that `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is damaged, or not a tally.
        """
        header, tensors = read_tensors(path, format=FORMAT)

        def moments_of(stem: str) -> Moments:
            return Moments.from_state({name: tensors[f"{stem}.{name}"] for name in ("count", "mean", "m2")})

        clusters = {
            kind: {
                Pole(pole): {name: moments_of(f"clusters.{kind}.{pole}.{i}") for i, name in enumerate(names)}
                for pole, names in by_pole.items()
            }
            for kind, by_pole in header["clusters"].items()
        }
        samples = {
            Pole(pole): RowSample(size, seen, tensors[f"sample.{pole}.priority"], tensors[f"sample.{pole}.rows"])
            for pole, (size, seen) in header["samples"].items()
        }
        return cls(
            header["trait"],
            header["site"],
            tuple(header["layers"]),
            {pole: moments_of(pole) for pole in Pole if f"{pole}.mean" in tensors},
            header["provenance"],
            clusters,
            {pole: tensors[f"positive.{pole}"] for pole in Pole if f"positive.{pole}" in tensors},
            samples,
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{moments.count} {pole}" for pole, moments in self.moments.items())
        return f"{type(self).__name__}({self.trait!r}, {self.site}, {len(self.layers)} layers × {self.width}, {counts})"


@dataclass(frozen=True, eq=False, repr=False)
class Activations(Tally):
    """A tally that keeps every row too, in files that are read when they are used.

    Attributes:
        activations: by pole, `(n, layer, width)`, rows in the contrast's order and then by position; mapped from
            the file, so that only what is used is in memory.
        prompts: by pole, `(n,)`: the prompt of the contrast that each row belongs to.
        positions: by pole, `(n,)`: the token at which each row was read; -1 where positions were averaged.
        ids: by kind (`description`, `question`) and pole, the cluster of each of the contrast's prompts.
        keeps: an object that must live as long as the files are used.
    """

    activations: dict[Pole, Float[Tensor, "n layer width"]] = field(default_factory=dict)
    prompts: dict[Pole, Int64[Tensor, " n"]] = field(default_factory=dict)
    positions: dict[Pole, Int64[Tensor, " n"]] = field(default_factory=dict)
    ids: dict[str, dict[Pole, tuple[str, ...]]] = field(default_factory=dict)
    keeps: Any = None

    def restrict(self, layers: Iterable[int]) -> "Activations":
        """These layers alone; see `Tally.restrict`."""
        part = super().restrict(layers)
        assert isinstance(part, Activations)
        return part

    def _rows_of(self, indices: list[int]) -> dict[str, Any]:
        return {"activations": {pole: rows[:, indices] for pole, rows in self.activations.items()}}

    def labels(self, kind: str, pole: Pole | str) -> tuple[str, ...]:
        """Each row's cluster of a kind; empty if the contrast has no ids of that kind."""
        pole = Pole(pole)
        if pole not in self.ids.get(kind, {}):
            return ()
        by_prompt = self.ids[kind][pole]
        return tuple(by_prompt[prompt] for prompt in self.prompts[pole].tolist())

    def at(self, layer: int, pole: Pole | str) -> Float[Tensor, "n width"]:
        """One pole's rows at one layer.

        Raises:
            ValueError: if the layer was not captured.
        """
        if layer not in self.layers:
            raise ValueError(f"Layer {layer} was not captured; these were: {list(self.layers)}.")
        return self.activations[Pole(pole)][:, self.layers.index(layer)]


def joined(a: Tally, b: Tally) -> Tally:
    """The tally of the rows of both, which may differ in poles and clusters; everything else is taken from `a`."""

    def clusters(first: Mapping[str, Moments], second: Mapping[str, Moments]) -> dict[str, Moments]:
        return _united(first, second, Moments.merge)

    def poles(
        first: Mapping[Pole, dict[str, Moments]], second: Mapping[Pole, dict[str, Moments]]
    ) -> dict[Pole, dict[str, Moments]]:
        return _united(first, second, clusters)

    return Tally(
        a.trait,
        a.site,
        a.layers,
        _united(a.moments, b.moments, Moments.merge),
        a.provenance,
        _united(a.clusters, b.clusters, poles),
        _united(a.positive, b.positive, torch.add),
        _united(a.samples, b.samples, RowSample.merge),
    )


def in_order(tally: Tally) -> Tally:
    """The same tally with its poles in the order of `Pole` and its clusters sorted by name."""

    def sort(mapping: Mapping[Any, Value]) -> dict[Any, Value]:
        return {key: mapping[key] for key in sorted(mapping)}

    def by_pole(mapping: Mapping[Pole, Value]) -> dict[Pole, Value]:
        return {pole: mapping[pole] for pole in Pole if pole in mapping}

    return replace(
        tally,
        moments=by_pole(tally.moments),
        clusters={kind: by_pole({p: sort(c) for p, c in poles.items()}) for kind, poles in tally.clusters.items()},
        positive=by_pole(tally.positive),
        samples=by_pole(tally.samples),
    )


def _united(first: Mapping, second: Mapping, merge: Callable[[Any, Any], Any]) -> dict:
    """The entries of both; where both have a key, their values are merged."""
    total = dict(first)
    for key, value in second.items():
        total[key] = merge(total[key], value) if key in total else value
    return total
