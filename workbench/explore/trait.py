"""What is known of one trait: effects, kept activations and prompts, each fetched when it is first asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, TypeVar

from workbench.capture.capturing import capture
from workbench.capture.tally import Activations
from workbench.contrast.contrast import Contrast
from workbench.measure.effects import Effects, effect_sizes
from workbench.model.lens import Writes
from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST

Value = TypeVar("Value")
Lock = AbstractContextManager[Any]
"""A lock that a thread may take again while it holds it."""

_PATCHED = 24  # pairs behind a single neuron's patching effect, so that it is there in a moment


class TraitSource:
    """One trait's effects, rows and prompts. What was fetched is kept; what cannot be fetched raises an error.

    Attributes:
        trait: the trait.
        model: the model that rows are captured of.
        lock: held while the model runs: its hooks are shared by all threads.
        held_out: whether the pairs to patch are others than those that the effects were found on.
    """

    def __init__(
        self,
        trait: str,
        model: Model,
        lock: Lock,
        *,
        effects: Callable[[], Effects] | None = None,
        contrast: Callable[[], Contrast] | None = None,
        activations: Activations | None = None,
        held_out: Callable[[], Contrast] | None = None,
    ) -> None:
        self.trait, self.model, self.lock = trait, model, lock
        self._reading = RLock()
        self.held_out = held_out is not None
        self._read_effects, self._read_contrast, self._read_pairs = effects, contrast, held_out
        self._kept: dict[str, object] = {} if activations is None else {"activations": activations}

    @property
    def knows_effects(self) -> bool:
        """Whether effects are there without running the model."""
        return "effects" in self._kept or "activations" in self._kept or self._read_effects is not None

    @property
    def effects(self) -> Effects:
        """The trait's effects on every neuron."""
        if self._read_effects is not None:  # does not run the model, and need not wait for who does
            return self._once("effects", self._read_effects, self._reading)
        return self._once("effects", lambda: effects_of(self.activations, self.model))

    @property
    def contrast(self) -> Contrast:
        """The prompts that the effects were found on.

        Raises:
            ValueError: if they were not given.
        """
        if self._read_contrast is None:
            raise ValueError(
                f"The prompts of {self.trait} were not given, only what was measured on them. Pass the contrast."
            )
        return self._once("contrast", self._read_contrast, self._reading)

    @property
    def activations(self) -> Activations:
        """Every prompt's activations at every layer, captured when they are first asked for.

        Raises:
            ValueError: if there are neither rows nor prompts to capture.
        """

        def captured() -> Activations:
            kept = capture(self.model, self.contrast, keep=True)
            assert isinstance(kept, Activations)
            return kept

        return self._once("activations", captured)

    @property
    def writes(self) -> Writes:
        """What neurons write, which nothing that runs the model changes."""
        return self._once("writes", lambda: Writes.of(self.model, self.effects.layers))

    @property
    def pairs(self) -> Contrast:
        """The pairs that neurons are patched on: held-out ones where there are some, at most 24.

        Raises:
            ValueError: if no prompts were given.
        """

        def chosen() -> Contrast:
            drawn = self.contrast if self._read_pairs is None else self._read_pairs()
            step = max(1, len(drawn) // _PATCHED)
            return drawn.rows(range(0, len(drawn), step)[:_PATCHED])

        return self._once("pairs", chosen)

    def _once(self, name: str, make: Callable[[], Value], lock: Lock | None = None) -> Value:
        if name not in self._kept:
            with lock or self.lock:
                if name not in self._kept:
                    self._kept[name] = make()
        return self._kept[name]  # type: ignore[return-value]


def effects_of(activations: Activations, model: Model) -> Effects:
    """Effects of kept rows, with the size of what each neuron writes."""
    if activations.site != HOOK_POST.name:
        raise ValueError(f"Neurons are explored at {HOOK_POST.name}, but the activations are of {activations.site}.")
    return effect_sizes(activations, write_norms=model.write_norms(activations.layers))
