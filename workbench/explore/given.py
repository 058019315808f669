"""What an explorer is made of: traits' data, where to begin, what to ask and who scores it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from workbench.capture.tally import Activations
from workbench.contrast.contrast import Contrast
from workbench.explore.settings import Settings
from workbench.explore.trait import Lock, TraitSource
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.score.answers import Scorer

Data = Contrast | Activations | Effects


@dataclass(frozen=True)
class Given:
    """What an explorer is made of.

    Attributes:
        lock: held while the model runs.
        sources: each trait's data, by its name.
        defaults: settings to begin with, by the names of `Settings`; `layers` names the layers that take part.
        questions: by trait, questions to suggest; those of a trait that is not there are its contrast's.
        scorer: tells an answer's trait score; None where nothing can.
        max_new_tokens: the most tokens of an answer.
        facts: what is known beforehand, by name, for a page's head.
    """

    lock: Lock
    sources: Mapping[str, TraitSource]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scorer: Scorer | None = None
    max_new_tokens: int = 56
    facts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("An explorer needs at least one trait, but none arrived.")

    def source(self, trait: str) -> TraitSource:
        """A trait's data.

        Raises:
            ValueError: for an unknown trait.
        """
        if trait not in self.sources:
            raise ValueError(f"The traits here are {', '.join(self.sources)}, but {trait!r} arrived.")
        return self.sources[trait]

    def layers(self, model: Model) -> tuple[int, ...]:
        """Layers that may take part."""
        allowed = self.defaults.get("layers")
        if allowed is not None:
            return tuple(sorted(set(allowed)))
        held = [set(source.effects.layers) for source in self.sources.values() if source.knows_effects]
        return tuple(sorted(set.union(*held))) if held else tuple(range(model.n_layers))

    def layers_of(self, settings: Settings, model: Model) -> tuple[int, ...]:
        """The layers of a setting's range that the trait's effects hold.

        Raises:
            ValueError: for an unknown trait, or a range without layers.
        """
        source, known = self.source(settings.trait), self.layers(model)
        if settings.first < known[0] or settings.last > known[-1]:
            raise ValueError(
                f"Layers here are {known[0]} to {known[-1]}, but the range {settings.first} to {settings.last} arrived."
            )
        held = [layer for layer in known if layer in source.effects.layers] if source.knows_effects else known
        layers = tuple(layer for layer in held if settings.first <= layer <= settings.last)
        if not layers:
            raise ValueError(
                f"No layer of {settings.trait}, {list(held)}, lies in the range {settings.first} to {settings.last}."
            )
        return layers

    def questions_of(self, trait: str) -> list[str]:
        """Questions to suggest for a trait; empty where none are known."""
        if trait in self.questions:
            return list(self.questions[trait])
        try:
            contrast = self.source(trait).contrast
        except ValueError:
            return []
        return list(dict.fromkeys(prompt.user for prompt in contrast.high if prompt.chat))


def sources_of(
    model: Model,
    lock: Lock,
    traits: Mapping[str, Data],
    *,
    contrasts: Mapping[str, Contrast],
    held_out: Mapping[str, Contrast],
) -> dict[str, TraitSource]:
    """Each trait's data as an explorer reads them.

    Raises:
        ValueError: if data are keyed by another trait's name, or belong to another model.
    """
    return {
        trait: _source(trait, model, lock, data, contrasts.get(trait), held_out.get(trait))
        for trait, data in traits.items()
    }


def new_lock() -> Lock:
    """A lock for the threads that share a model."""
    lock: Any = RLock()
    return lock


def _source(
    trait: str, model: Model, lock: Lock, data: Data, contrast: Contrast | None, held_out: Contrast | None
) -> TraitSource:
    if data.trait != trait:
        raise ValueError(f"What is given for {trait} is of {data.trait}. Key each trait's data by its own name.")
    if isinstance(data, Activations | Effects):
        _check_made_by(model, data.provenance, trait)
    return TraitSource(
        trait,
        model,
        lock,
        effects=_giving(data) if isinstance(data, Effects) else None,
        contrast=_giving(data if isinstance(data, Contrast) else contrast),
        activations=data if isinstance(data, Activations) else None,
        held_out=_giving(held_out),
    )


def _giving(value: Any) -> Callable[[], Any] | None:
    """A function that gives the value; None where there is none."""
    return None if value is None else lambda: value


def _check_made_by(model: Model, provenance: Mapping[str, str], trait: str) -> None:
    made_by = provenance.get("model_fingerprint")
    if made_by is not None and made_by != model.fingerprint:
        raise ValueError(
            f"The data of {trait} are of a model with fingerprint {made_by[:12]}, but {model.name} has "
            f"{model.fingerprint[:12]}. Pass the model that they were captured from."
        )
