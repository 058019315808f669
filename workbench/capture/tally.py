"""What a capture leaves: moments by pole, what else was asked for, and where they come from."""

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
        provenance: hashes and names of what went in: model, prompts, position, versions.
        clusters: where asked for, by kind of cluster (`description`, `question`), pole and cluster id: the moments
            of that cluster's rows alone.
        positive: where asked for, by pole `(layer, width)`: how many rows were above zero.
        samples: where asked for, by pole: a fixed-size uniform sample of rows, to read quantiles from.
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
        """Share of a pole's rows above zero: at `hook_pre`, NPTI's probability that a neuron is active.

        Raises:
            ValueError: if the capture did not count it.
        """
        if not self.positive:
            raise ValueError("How many rows are above zero was not counted. Capture with positive=True.")
        pole = Pole(pole)
        return self.positive[pole].double() / self.moments[pole].count

    def quantile(self, pole: Pole | str, q: float) -> Float[Tensor, "layer width"]:
        """The q-quantile of each value, from the kept sample; see `RowSample` for its error.

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
        asked = set(layers)
        missing = sorted(asked - set(self.layers))
        if missing:
            raise ValueError(f"This capture covers layers {list(self.layers)}, but lacks {missing}.")
        places = [place for place, layer in enumerate(self.layers) if layer in asked]
        if len(places) == len(self.layers):
            return self

        def part(moments: Moments) -> Moments:
            return Moments(moments.count, moments.mean[places], moments.m2[places])

        def sample(kept: RowSample) -> RowSample:
            return replace(kept, rows=kept.rows[:, places])

        return replace(
            self,
            layers=tuple(self.layers[place] for place in places),
            moments={pole: part(moments) for pole, moments in self.moments.items()},
            clusters={
                kind: {pole: {name: part(each) for name, each in held.items()} for pole, held in by_pole.items()}
                for kind, by_pole in self.clusters.items()
            },
            positive={pole: count[places] for pole, count in self.positive.items()},
            samples={pole: sample(kept) for pole, kept in self.samples.items()},
            **self._rows_of(places),
        )

    def _rows_of(self, places: list[int]) -> dict[str, Any]:
        return {}

    def merge(self, other: "Tally") -> "Tally":
        """The tally of both tallies' prompts; exact to float64 rounding.

        Raises:
            ValueError: if they differ in trait, site, layers, poles, model, position or what they keep.
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
        for name, mine, theirs in (
            ("the position", self.provenance.get("position"), other.provenance.get("position")),
            ("clusters", set(self.clusters), set(other.clusters)),
            ("counts above zero", bool(self.positive), bool(other.positive)),
            ("samples", bool(self.samples), bool(other.samples)),
        ):
            if mine != theirs:
                raise ValueError(f"Tallies merge only where {name} agree, but {mine} met {theirs}.")
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
                for place, moments in enumerate(clusters.values()):
                    stem = f"clusters.{kind}.{pole}.{place}"
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
            ValueError: if it is not a tally, or is damaged.
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
    """A tally whose rows are kept too, in files that are read as they are used.

    Attributes:
        activations: by pole, `(n, layer, width)`, rows in the contrast's order and then by position; mapped from
            the file, so that only what is used is in memory.
        prompts: by pole, `(n,)`: which of the contrast's prompts each row belongs to.
        positions: by pole, `(n,)`: the token it was read at; -1 where positions were averaged.
        ids: by kind (`description`, `question`) and pole, each of the contrast's prompts' cluster.
        keeps: whatever must live as long as the files are used.
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

    def _rows_of(self, places: list[int]) -> dict[str, Any]:
        return {"activations": {pole: rows[:, places] for pole, rows in self.activations.items()}}

    def labels(self, kind: str, pole: Pole | str) -> tuple[str, ...]:
        """Each row's cluster of a kind; empty where the contrast named none."""
        pole = Pole(pole)
        if pole not in self.ids.get(kind, {}):
            return ()
        named = self.ids[kind][pole]
        return tuple(named[prompt] for prompt in self.prompts[pole].tolist())

    def at(self, layer: int, pole: Pole | str) -> Float[Tensor, "n width"]:
        """One pole's rows at one layer.

        Raises:
            ValueError: if the layer was not captured.
        """
        if layer not in self.layers:
            raise ValueError(f"Layer {layer} was not captured; these were: {list(self.layers)}.")
        return self.activations[Pole(pole)][:, self.layers.index(layer)]


def joined(a: Tally, b: Tally) -> Tally:
    """Both tallies' rows, whichever poles and clusters each has; `a` gives everything else."""

    def clusters(mine: Mapping[str, Moments], theirs: Mapping[str, Moments]) -> dict[str, Moments]:
        return _united(mine, theirs, Moments.merge)

    def poles(
        mine: Mapping[Pole, dict[str, Moments]], theirs: Mapping[Pole, dict[str, Moments]]
    ) -> dict[Pole, dict[str, Moments]]:
        return _united(mine, theirs, clusters)

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
    """The same tally with poles and clusters in the order of their names, whatever order they came in."""

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


def _united(mine: Mapping, theirs: Mapping, merge: Callable[[Any, Any], Any]) -> dict:
    total = dict(mine)
    for key, value in theirs.items():
        total[key] = merge(total[key], value) if key in total else value
    return total
