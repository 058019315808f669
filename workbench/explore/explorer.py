"""The core that a page and a notebook share: a model, its traits' neurons, and every question one may put to them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

import pandas as pd

from workbench.contrast.contrast import Contrast
from workbench.edit.attribution import Attribution
from workbench.explore.card import NeuronCard, check_neuron, read_card
from workbench.explore.causing import attributed, patching_effect, with_attributions
from workbench.explore.choosing import Chosen, marked
from workbench.explore.given import Data, Given, new_lock, sources_of
from workbench.explore.remembering import Remembered
from workbench.explore.settings import Settings, checked_place, checked_question
from workbench.explore.steering import Answers, steered_answers
from workbench.explore.studied import given_by
from workbench.measure.effects import Effects
from workbench.model.embedded import is_embedded
from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.monitoring.monitoring import Monitoring
from workbench.monitoring.reference import Reference
from workbench.monitoring.running import make_reference, monitor
from workbench.score.answers import Scorer, testbed_scorer
from workbench.study.study import Study, load_study
from workbench.vocabulary import SIGN, sign_of


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
        >>> from workbench.model.loading import load_model
        >>> explorer = Explorer(load_model("testbed"), {"Openness": Contrast.testbed("Openness", n=20)})
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
        lock = new_lock()
        sources = sources_of(model, lock, traits, contrasts=contrasts or {}, held_out=held_out or {})
        scorer = testbed_scorer if scorer is None and is_embedded(model) else scorer
        self._begin(model, Given(lock, sources, defaults or {}, questions or {}, scorer, max_new_tokens))

    def _begin(self, model: Model, given: Given) -> None:
        self.model, self._given = model, given
        # Whoever holds the second may wait for the first, never the other way round.
        running: Any = given.lock
        self._running, self._choosing = running, RLock()
        self._results = Remembered()

    @classmethod
    def of_study(cls, study: Study | str | Path, model: Model | None = None) -> "Explorer":
        """A finished study's traits, with its effects, settings and questions.

        Effects are read from the study's folder; rows are captured again when they are first asked for, on pairs that
        are checked to be the study's. Answers have a score where the study scored them so, and questions are suggested
        where it asked some.

        Args:
            model: the study's model where it is loaded already; by default it is loaded.

        Raises:
            FileNotFoundError, ValueError: if there is no finished study, its files are not as they were written, or
                the model is not the one that it was made with, naming both fingerprints.
        """
        study = study if isinstance(study, Study) else load_study(study)
        model = model or load_model(study.config.model, adapter=study.config.adapter, template=study.config.template)
        explorer = cls.__new__(cls)
        explorer._begin(model, given_by(study, model))
        return explorer

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits' names."""
        return tuple(self._given.sources)

    @property
    def facts(self) -> dict[str, str]:
        """What is known beforehand, by name: of a study, its dose and what that did."""
        return dict(self._given.facts)

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that may take part."""
        return self._given.layers(self.model)

    def questions(self, trait: str) -> list[str]:
        """Questions to suggest for a trait; empty where none are known."""
        return self._given.questions_of(trait)

    def settings(self, trait: Any = None, **changes: Any) -> Settings:
        """Where to begin, with some entries changed; see `Settings`.

        Raises:
            ValueError: for an unknown trait, or an entry that is out of range.
        """
        layers = self.layers
        defaults = {name: value for name, value in self._given.defaults.items() if name != "layers"}
        entries = {"first": layers[0], "last": layers[-1], **defaults, **changes}
        settings = Settings.read(trait=self.traits[0] if trait is None else trait, **entries)
        self._range(settings)
        return settings

    def effects(self, trait: str) -> Effects:
        """A trait's effects on every neuron.

        Raises:
            ValueError: for an unknown trait.
        """
        return self._given.source(trait).effects

    def chosen(self, settings: Settings) -> Chosen:
        """The neurons that the settings choose, or why they choose none.

        Raises:
            ValueError: for an unknown trait, or a range without layers.
        """
        key = ("chosen", *(getattr(settings, name) for name in ("trait", "first", "last", "quantile", "min_d", "rule")))
        layers = self._range(settings)
        effects = self.effects(settings.trait)
        chosen = self._results.once(key, lambda: Chosen.of(effects, settings, layers), self._choosing)
        return replace(chosen, settings=settings)

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
        source = self._given.source(settings.trait)
        return read_card(source, self.chosen(settings), layer, neuron)  # which waits for the model only to capture

    def patching(self, trait: str, layer: Any, neuron: Any) -> pd.DataFrame:
        """What a neuron causes alone, in both directions; see `patching_effect` and `with_attributions`.

        Raises:
            ValueError: for a layer or neuron that the effects lack, or where there are no prompts to patch on.
        """
        source = self._given.source(trait)
        layer, neuron = checked_place("layer", layer), checked_place("neuron", neuron)
        check_neuron(source.effects, layer, neuron)

        def measured() -> pd.DataFrame:
            frame = patching_effect(source, layer, neuron)
            attributions = {way: self._attribution(trait, way) for way in frame["direction"]}
            return with_attributions(frame, attributions, layer, neuron)

        return self._results.once(("patching", trait, layer, neuron), measured, self._running)

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

        def answered() -> Answers:
            return steered_answers(
                self.model,
                self.effects(settings.trait),
                chosen,
                asked,
                doses,
                max_new_tokens=self._given.max_new_tokens,
                scorer=self._given.scorer,
            )

        return self._results.once(key, answered, self._running)

    def watched(self, settings: Settings, text: object) -> Monitoring:
        """A text, read as it stands, along the chosen neurons' mean differences, token by token; see `monitor`.

        Raises:
            ValueError: for a text that is empty or too long, or settings that choose no neuron.
        """
        asked, chosen = checked_question(text), self.chosen(settings)
        selection, effects = chosen.selection, self.effects(settings.trait)
        if selection is None:
            raise ValueError(chosen.why_empty)
        neurons = tuple(selection.both)

        def neutral() -> Reference:
            return make_reference(self.model, selection, effects=effects, chat=False)

        def read() -> Monitoring:
            reference = self._results.once(("neutral", settings.trait, neurons), neutral, self._running)
            return monitor(self.model, asked, selection, effects=effects, reference=reference)

        return self._results.once(("watched", settings.trait, neurons, asked), read, self._running)

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

    def _frame(self, trait: str) -> pd.DataFrame:
        effects = self.effects(trait)
        return self._results.once(("frame", trait), effects.frame, self._choosing)

    def _range(self, settings: Settings) -> tuple[int, ...]:
        return self._given.layers_of(settings, self.model)

    def _attribution(self, trait: str, direction: str) -> Attribution | None:
        key = ("attribution", trait, direction)
        return self._results.once(key, lambda: attributed(self._given.source(trait), direction), self._running)

    def __repr__(self) -> str:
        return f"Explorer({self.model.name!r}, {', '.join(self.traits)}, layers {self.layers[0]} to {self.layers[-1]})"
