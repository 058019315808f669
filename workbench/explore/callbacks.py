"""What the page does when a control changes: each answer is checked here, whatever the browser sent."""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import plotly.graph_objects as go
from dash import Patch, html, no_update

from workbench.explore.address import controls_of
from workbench.explore.cards import answer_parts, card_parts, patching_parts, prompt_parts, sweep_parts, watched_parts
from workbench.explore.explorer import Explorer
from workbench.explore.figures import (
    TEMPLATES,
    effects_map,
    layer_counts,
    layer_scatter,
    place_clicked,
    ringed,
)
from workbench.explore.settings import MISTAKES, Settings

_SUGGESTED = 40
SWEPT = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def guarded(outputs: int, empty: Any = no_update) -> Callable[[Callable[..., Sequence[Any]]], Callable[..., list[Any]]]:
    """Give a callback's mistakes as one line, after its `outputs`, which then stay `empty`."""

    def guard(function: Callable[..., Sequence[Any]]) -> Callable[..., list[Any]]:
        @wraps(function)
        def run(*arguments: Any) -> list[Any]:
            try:
                return [*function(*arguments), ""]
            except MISTAKES as error:
                return [empty] * outputs + [" ".join(str(error).split()) or type(error).__name__]

        return run

    return guard


class PageCallbacks:
    """The page's answers to its controls.

    Attributes:
        explorer: whom they ask.
    """

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer

    def start(self) -> tuple[Settings, tuple[int, int]]:
        """What the page shows first: the study's settings, and the chosen neuron with the largest |d|."""
        settings = self.explorer.settings()
        order = self._walk(settings)
        return settings, order[0] if order else (settings.first, 0)

    def restore(self, query: str | None) -> list[Any]:
        """Every control's value, from the address."""
        values = controls_of(query or "", *self.start())
        if values[-1] == "":
            values[-1] = self._suggested(values[0])
        return values

    @guarded(3)
    def draw_map(self, *arguments: Any) -> Sequence[Any]:
        """The map, the counts, and how many are chosen."""
        *controls, appearance, layer, neuron = arguments
        settings = self._choice(*controls)
        chosen = self.explorer.chosen(settings)
        frame = self.explorer.map_frame(settings)
        drawn = effects_map(frame, chosen, picked=_place(layer, neuron), appearance=_appearance(appearance))
        counts = layer_counts(chosen, appearance=_appearance(appearance))
        if chosen.selection is None:
            return drawn, counts, chosen.why_empty
        selection = chosen.selection
        of_all = f"{selection.share:.2%} of {len(chosen.layers)} layers' {selection.layers['neurons'].sum():,}"
        high, low = html.B(f"{len(selection.high)} High"), html.B(f"{len(selection.low)} Low")
        return drawn, counts, [high, " and ", low, f" neurons chosen: {of_all}."]

    def ring(self, layer: Any, neuron: Any, *controls: Any) -> Patch:
        """The map with its ring around another neuron; nothing else of it is drawn again."""
        moved = Patch()
        try:
            frame = self.explorer.map_frame(self._choice(*controls))
        except MISTAKES:
            return moved  # said where the map is drawn
        for name, value in ringed(frame, _place(layer, neuron)).items():
            moved["data"][0][name] = value
        return moved

    @guarded(1)
    def draw_layer(self, *arguments: Any) -> Sequence[go.Figure]:
        """One layer's neurons, |s| against d."""
        *controls, layer, neuron, appearance = arguments
        settings = self._choice(*controls)
        rows, chosen = self.explorer.layer_frame(settings, layer), self.explorer.chosen(settings)
        picked = (layer, neuron) if isinstance(neuron, int) else None
        return [layer_scatter(rows, chosen, layer, picked=picked, appearance=_appearance(appearance))]

    @guarded(2)
    def pick(self, click: Any) -> Sequence[int]:
        """The layer and neuron of a click."""
        return place_clicked(click)

    @guarded(3)
    def step(self, by: int, *arguments: Any) -> Sequence[Any]:
        """The next chosen neuron by |d|, or the one before: layer, neuron, and which of how many."""
        *controls, layer, neuron = arguments
        order = self._walk(self._choice(*controls))
        if not order:
            raise ValueError("No neuron is chosen at these settings. Lower q or tau_d.")
        current = order.index((layer, neuron)) if (layer, neuron) in order else -1 if by > 0 else 0
        rank = (current + by) % len(order)
        return *order[rank], f"{rank + 1} of {len(order)} chosen, by |d|"

    @guarded(2, empty=[])
    def show_card(self, *arguments: Any) -> Sequence[Any]:
        """A neuron's card, and the prompts that it reads."""
        *controls, layer, neuron, appearance = arguments
        card = self.explorer.card(self._choice(*controls), layer, neuron)
        return card_parts(card, _appearance(appearance)), prompt_parts(card)

    @guarded(1, empty=[])
    def show_patching(self, trait: Any, layer: Any, neuron: Any, appearance: Any) -> Sequence[Any]:
        """What a neuron causes alone."""
        return [patching_parts(self.explorer.patching(trait, layer, neuron), _appearance(appearance))]

    def suggest(self, trait: Any, question: Any) -> list[Any]:
        """Questions about a trait, and the first of them in place of none, or of another trait's suggestion."""
        if trait not in self.explorer.traits:
            return [[], no_update]
        about = self.explorer.questions(trait)[:_SUGGESTED]
        others = {each for other in self.explorer.traits for each in self.explorer.questions(other)} - set(about)
        replaced = about and (question in (None, "") or question in others)
        return [[html.Option(value=each) for each in about], about[0] if replaced else no_update]

    @guarded(1, empty=[])
    def answer(self, question: Any, *controls: Any) -> Sequence[Any]:
        """The base answer and both steered ones; nothing while no question is asked."""
        if question in (None, ""):
            return [[]]
        return [answer_parts(self.explorer.answers(self._dose(*controls), question))]

    @guarded(1, empty=[])
    def sweep(self, question: Any, *controls: Any) -> Sequence[Any]:
        """The answers at several doses."""
        return [sweep_parts(self.explorer.sweep(self._dose(*controls), question, SWEPT))]

    @guarded(1, empty=[])
    def watch(self, text: Any, *controls: Any) -> Sequence[Any]:
        """A text as its tokens, coloured by their projection on the chosen neurons' direction."""
        *choice, appearance = controls
        return [watched_parts(self.explorer.watched(self._choice(*choice), text), _appearance(appearance))]

    def _choice(self, trait: Any, layers: Any, quantile: Any, min_d: Any, rule: Any, **dose: Any) -> Settings:
        if not isinstance(layers, list) or len(layers) != 2:
            raise ValueError(f"The layers are a first and a last one, but {layers!r} arrived.")
        first, last = (int(each) if isinstance(each, float) and each.is_integer() else each for each in layers)
        entries = {"first": first, "last": last, "quantile": quantile, "min_d": min_d, "rule": rule, **dose}
        return self.explorer.settings(trait, **entries)

    def _dose(self, *controls: Any) -> Settings:
        *choice, gamma, scope, temperature, seed = controls
        return self._choice(*choice, gamma=gamma, scope=scope, temperature=temperature, seed=seed)

    def _suggested(self, trait: Any) -> str:
        about = self.explorer.questions(trait) if trait in self.explorer.traits else []
        return about[0] if about else ""

    def _walk(self, settings: Settings) -> list[tuple[int, int]]:
        """The chosen neurons, the largest |d| first."""
        selection = self.explorer.chosen(settings).selection
        if selection is None:
            return []
        frame = self.explorer.effects(settings.trait).frame(selection.both)
        sizes = frame["cohens_d"].abs().where(lambda d: d.notna(), -math.inf)
        order = sizes.sort_values(ascending=False, kind="stable").index
        return [(int(frame["layer"][row]), int(frame["neuron"][row])) for row in order]


def _place(layer: Any, neuron: Any) -> tuple[int, int] | None:
    return (layer, neuron) if isinstance(layer, int) and isinstance(neuron, int) else None


def _appearance(asked: Any) -> str:
    return asked if asked in TEMPLATES else "light"
