"""The core that a page and a notebook share: a model, its traits' neurons, and every question one may put to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

import pandas as pd

from workbench.capture.tally import Activations
from workbench.contrast.contrast import Contrast
from workbench.edit.attribution import Attribution
from workbench.explore import studied
from workbench.explore.card import NeuronCard, check_neuron, read_card
from workbench.explore.causing import attributed, patching_effect
from workbench.explore.choosing import Chosen, marked, rank_of
from workbench.explore.settings import Settings, checked_place, checked_question
from workbench.explore.steering import Answers, steered_answers
from workbench.explore.trait import Lock, TraitSource
from workbench.measure.effects import Effects
from workbench.model.loading import TESTBED, load_model
from workbench.model.model import Model
from workbench.score.answers import Scorer, testbed_scorer
from workbench.study.study import Study, load_study
from workbench.vocabulary import SIGN, sign_of

Data = Contrast | Activations | Effects
_KEPT = 256  # answers of each kind that are remembered


class Explorer:
    """A model and its traits' neurons, to look at and to move.

    Effects, kept activations and whatever else runs the model are fetched when they are first asked for, and kept.
    May be called from several threads: the model runs for one at a time.

    Args:
        model: the model.
        traits: by name, the trait's contrast (captured when first needed), its kept activations, or its effects.
            Effects alone give no prompts and no patching.
        contrasts: the prompts of traits that are given as activations or effects.
        held_out: pairs of the same traits to patch neurons on; by default the trait's own.
        defaults: settings to begin with, by the names of `Settings`; `layers` names the layers that take part.
        questions: by trait, questions to suggest; by default the contrast's.
        scorer: tells an answer's trait score; by default the grammar's for the embedded model, else none.
        max_new_tokens: the most tokens of an answer.

    Raises:
        ValueError: without a trait, or if something that was given belongs to another model.

    Example:
        >>> import workbench as wb
        >>> model = wb.load_model("testbed")
        >>> explorer = Explorer(model, {"Openness": wb.Contrast.testbed("Openness", n=20)})
        >>> explorer.settings(gamma=0.5).layers
        (0, 7)
    """

    def __init__(
        self,
        model: Model,
        traits: Mapping[str, Data],
        *,
        contrasts: Mapping[str, Contrast] | None = None,
        held_out: Mapping[str, Contrast] | None = None,
        defaults: Mapping[str, Any] | None = None,
        questions: Mapping[str, Sequence[str]] | None = None,
        scorer: Scorer | None = None,
        max_new_tokens: int = 56,
    ) -> None:
        lock: Any = RLock()
        pairs = held_out or {}
        sources = {
            trait: _source(trait, model, lock, data, (contrasts or {}).get(trait), pairs.get(trait))
            for trait, data in traits.items()
        }
        self._begin(model, lock, sources, defaults, questions, scorer, max_new_tokens)

    def _begin(
        self,
        model: Model,
        lock: Any,
        sources: dict[str, TraitSource],
        defaults: Mapping[str, Any] | None,
        questions: Mapping[str, Sequence[str]] | None,
        scorer: Scorer | None,
        max_new_tokens: int,
    ) -> None:
        if not sources:
            raise ValueError("An explorer needs at least one trait, but none arrived.")
        self.model, self._sources = model, sources
        # Whoever holds the second may wait for the first, never the other way round.
        self._running, self._choosing = lock, RLock()
        self._defaults, self._questions = dict(defaults or {}), dict(questions or {})
        self._allowed = self._defaults.pop("layers", None)
        self._scorer = testbed_scorer if scorer is None and model.name == TESTBED else scorer
        self._max_new_tokens = max_new_tokens
        self._kept: dict[tuple, Any] = {}

    @classmethod
    def of_study(cls, study: Study | str | Path, model: Model | None = None) -> "Explorer":
        """A finished study's traits, with its own effects, settings and questions.

        Effects are the study's own, read from its folder; rows are captured again when they are first asked for, on
        pairs that are checked to be the study's.

        Args:
            model: the study's model where it is loaded already; by default it is loaded.

        Raises:
            FileNotFoundError, ValueError: if there is no finished study, its files are not as they were written, or
                the model is not the one that it was made with, naming both fingerprints.
        """
        study = study if isinstance(study, Study) else load_study(study)
        model = model or load_model(study.config.model)
        studied.check_model(study, model)
        lock: Any = RLock()
        config = study.config
        sources = {
            trait: TraitSource(
                trait,
                model,
                lock,
                effects=partial(studied.effects, study, model, trait),
                contrast=partial(studied.contrast, study, trait),
                held_out=partial(studied.contrast, study, trait, held_out=True),
            )
            for trait in config.traits
        }
        made = cls.__new__(cls)
        defaults = {
            "quantile": config.quantile,
            "min_d": config.min_d,
            "rule": config.rule,
            "layers": config.layers,
            "gamma": study.gamma,
            "scope": config.scope,
            "temperature": config.temperature,
            "seed": config.seed,
        }
        asked = {trait: studied.questions(study, trait) for trait in config.traits}
        scorer = testbed_scorer if config.scorer == "grammar" else None
        made._begin(model, lock, sources, defaults, asked, scorer, config.max_new_tokens)
        return made

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits' names."""
        return tuple(self._sources)

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that may take part."""
        if self._allowed is not None:
            return tuple(sorted(set(self._allowed)))
        held = [set(source.effects.layers) for source in self._sources.values() if source.knows_effects]
        return tuple(sorted(set.union(*held))) if held else tuple(range(self.model.n_layers))

    def questions(self, trait: str) -> list[str]:
        """Questions to suggest for a trait; empty where none are known."""
        if trait in self._questions:
            return list(self._questions[trait])
        try:
            contrast = self._source(trait).contrast
        except ValueError:
            return []
        return list(dict.fromkeys(prompt.user for prompt in contrast.high if prompt.chat))

    def settings(self, trait: Any = None, **changes: Any) -> Settings:
        """Where to begin, with some entries changed; see `Settings`.

        Raises:
            ValueError: for an unknown trait, or an entry that is out of range.
        """
        layers = self.layers
        entries = {"first": layers[0], "last": layers[-1], **self._defaults, **changes}
        settings = Settings.read(trait=self.traits[0] if trait is None else trait, **entries)
        self._range(settings)
        return settings

    def effects(self, trait: str) -> Effects:
        """A trait's effects on every neuron.

        Raises:
            ValueError: for an unknown trait.
        """
        return self._source(trait).effects

    def chosen(self, settings: Settings) -> Chosen:
        """The neurons that the settings choose, or why they choose none.

        Raises:
            ValueError: for an unknown trait, or a range without layers.
        """
        key = ("chosen", *(getattr(settings, name) for name in ("trait", "first", "last", "quantile", "min_d", "rule")))
        layers = self._range(settings)
        effects = self.effects(settings.trait)
        found = self._once(key, lambda: Chosen.of(effects, settings, layers), self._choosing)
        return replace(found, settings=settings)

    def map_frame(self, settings: Settings) -> pd.DataFrame:
        """The effects of the range's layers as `plots.effect_map` takes them, the chosen neurons marked."""
        return marked(self._frame(settings.trait), self.chosen(settings), layers=self._range(settings))

    def layer_frame(self, settings: Settings, layer: Any) -> pd.DataFrame:
        """The effects of one layer, in the range or not, the chosen neurons marked.

        Raises:
            ValueError: for a layer that the effects lack.
        """
        self.effects(settings.trait).at(checked_place("layer", layer))
        return marked(self._frame(settings.trait), self.chosen(settings), layers=[layer])

    def card(self, settings: Settings, layer: Any, neuron: Any) -> NeuronCard:
        """What is known of a neuron: its activations by pole, what it reads and writes, and why it is chosen or not.

        Raises:
            ValueError: for a layer or neuron that the effects lack.
        """
        layer, neuron = checked_place("layer", layer), checked_place("neuron", neuron)
        source = self._source(settings.trait)
        chosen = self.chosen(settings)
        with self._running:
            return read_card(source, chosen, layer, neuron)

    def patching(self, trait: str, layer: Any, neuron: Any) -> pd.DataFrame:
        """What a neuron causes alone, in both directions; see `patching_effect`.

        Two columns more where a backward pass over the pairs is cheap, else missing: `attribution`, its first-order
        estimate of the effect, and `attribution_rank`, the place of its magnitude among all `neurons`, 1 the largest.

        Raises:
            ValueError: for a layer or neuron that the effects lack, or where there are no prompts to patch on.
        """
        source = self._source(trait)
        layer, neuron = checked_place("layer", layer), checked_place("neuron", neuron)
        check_neuron(source.effects, layer, neuron)

        def measured() -> pd.DataFrame:
            frame = patching_effect(source, layer, neuron)
            told = [_placed(self._attribution(trait, way), layer, neuron) for way in frame["direction"]]
            names = ("attribution", "attribution_rank", "neurons")
            return frame.assign(**{name: [each[place] for each in told] for place, name in enumerate(names)})

        return self._once(("patching", trait, layer, neuron), measured)

    def answers(self, settings: Settings, question: object, directions: Sequence[str] = tuple(SIGN)) -> Answers:
        """The base answer to a question and the steered ones, under the same random draws.

        Raises:
            ValueError: for a question that is empty or too long, or settings that choose no neuron.
            RuntimeError: if an edit reached no position, as a `decode` edit of an answer of one token.
        """
        for direction in directions:
            sign_of(direction)
        return self.sweep(settings, question, [settings.gamma], directions)

    def sweep(
        self, settings: Settings, question: object, gammas: Sequence[float], directions: Sequence[str] = tuple(SIGN)
    ) -> Answers:
        """The answers at several doses; raises as `answers`, and for a dose out of range."""
        asked = checked_question(question)
        doses = [
            (way, replace(settings, gamma=float(gamma), direction=way).gamma) for way in directions for gamma in gammas
        ]
        if not doses:
            raise ValueError("At least one direction and one dose are needed, but none arrived.")
        chosen = self.chosen(settings)
        key = ("answers", replace(settings, gamma=0.0, direction="increase"), asked, tuple(doses))

        def said() -> Answers:
            return steered_answers(
                self.model,
                self.effects(settings.trait),
                chosen,
                asked,
                doses,
                max_new_tokens=self._max_new_tokens,
                scorer=self._scorer,
            )

        return self._once(key, said)

    def _frame(self, trait: str) -> pd.DataFrame:
        effects = self.effects(trait)
        return self._once(("frame", trait), effects.frame, self._choosing)

    def idle(self, seconds: float, *, stay: bool = False) -> bool:
        """Wait until no thread runs the model, at most so long; False if one still does.

        Args:
            stay: let none run it from then on, as before the process ends: a thread that is cut off within the model
                brings the process down.
        """
        if not self._running.acquire(timeout=seconds):
            return False
        if not stay:
            self._running.release()
        return True

    def _source(self, trait: str) -> TraitSource:
        if trait not in self._sources:
            raise ValueError(f"The traits here are {', '.join(self.traits)}, but {trait!r} arrived.")
        return self._sources[trait]

    def _range(self, settings: Settings) -> tuple[int, ...]:
        """The layers of a setting's range that the trait's effects hold."""
        source, there = self._source(settings.trait), self.layers
        if settings.first < there[0] or settings.last > there[-1]:
            raise ValueError(
                f"Layers here are {there[0]} to {there[-1]}, but the range {settings.first} to {settings.last} arrived."
            )
        held = [layer for layer in there if layer in source.effects.layers] if source.knows_effects else there
        layers = tuple(layer for layer in held if settings.first <= layer <= settings.last)
        if not layers:
            raise ValueError(
                f"No layer of {settings.trait}, {list(held)}, lies in the range {settings.first} to {settings.last}."
            )
        return layers

    def _attribution(self, trait: str, direction: str) -> Attribution | None:
        return self._once(("attribution", trait, direction), lambda: attributed(self._source(trait), direction))

    def _once(self, key: tuple, make: Callable[[], Any], lock: Lock | None = None) -> Any:
        """What `make` gives, remembered; made by one thread at a time, which by default may run the model."""
        with lock or self._running:
            if key not in self._kept:
                same = [each for each in self._kept if each[0] == key[0]]
                if len(same) >= _KEPT:
                    del self._kept[same[0]]
                self._kept[key] = make()
            return self._kept[key]

    def __repr__(self) -> str:
        return f"Explorer({self.model.name!r}, {', '.join(self.traits)}, layers {self.layers[0]} to {self.layers[-1]})"


def _source(
    trait: str, model: Model, lock: Lock, data: Data, contrast: Contrast | None, held_out: Contrast | None
) -> TraitSource:
    prompts = data if isinstance(data, Contrast) else contrast
    named = data.trait
    if named != trait:
        raise ValueError(f"What is given for {trait} is of {named}. Key each trait's data by its own name.")
    if isinstance(data, Activations | Effects):
        _check_made_by(model, data.provenance, trait)
    return TraitSource(
        trait,
        model,
        lock,
        effects=(lambda: data) if isinstance(data, Effects) else None,
        contrast=None if prompts is None else (lambda: prompts),
        activations=data if isinstance(data, Activations) else None,
        held_out=None if held_out is None else (lambda: held_out),
    )


def _check_made_by(model: Model, provenance: Mapping[str, str], trait: str) -> None:
    made_by = provenance.get("model_fingerprint")
    if made_by is not None and made_by != model.fingerprint:
        raise ValueError(
            f"The data of {trait} are of a model with fingerprint {made_by[:12]}, but {model.name} has "
            f"{model.fingerprint[:12]}. Pass the model that they were captured from."
        )


def _placed(found: Attribution | None, layer: int, neuron: int) -> tuple[float, float, float]:
    """A neuron's attribution, the place of its magnitude among all, and how many there are."""
    if found is None:
        return float("nan"), float("nan"), float("nan")
    width = found.scores.shape[1]
    place = found.layers.index(layer) * width + neuron
    scores = found.scores.flatten()
    return float(scores[place]), float(rank_of(scores, place)), float(scores.numel())
