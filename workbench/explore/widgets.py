"""The panel itself. Importing this needs ipywidgets and anywidget; `trait_panel` says so where they are absent."""

import asyncio
import html
from collections.abc import Callable, Sequence
from typing import Any

import anywidget as _needed  # noqa: F401  plotly's FigureWidget is made of it
import ipywidgets as widgets
import plotly.graph_objects as go

from workbench import plots
from workbench.explore.choosing import Chosen
from workbench.explore.explorer import Explorer
from workbench.explore.settings import MAX_GAMMA, MISTAKES, Settings
from workbench.explore.steering import Answer
from workbench.vocabulary import SCOPES, SIGN

_REST = 0.4  # seconds that the sliders rest before the model answers
_WIDE = {"description_width": "6.5rem"}


class TraitPanel(widgets.VBox):
    """See `trait_panel`."""

    def __init__(self, explorer: Explorer, *, question: str) -> None:
        self.explorer = explorer
        self._waiting: asyncio.TimerHandle | None = None
        self._drawn: tuple[Any, ...] = ()
        start = explorer.settings()
        self._make_controls(start, question)
        frame, chosen = explorer.map_frame(start), explorer.chosen(start)
        self.map = go.FigureWidget(_three_traces(plots.effect_map(frame, trait=start.trait)))
        self.counts = go.FigureWidget(plots.neurons_per_layer(chosen.counts))
        self.message, self.summary = widgets.HTML(), widgets.HTML()
        self.base, self.steered = widgets.HTML(layout={"flex": "1"}), widgets.HTML(layout={"flex": "1"})
        choosing = widgets.VBox([self.trait, self.layers, self.quantile, self.min_d, self.summary])
        moving = widgets.VBox([self.question, self.direction, self.gamma, self.scope])
        answers = widgets.HBox([self.base, self.steered])
        controls = widgets.HBox([choosing, moving], layout={"flex_flow": "row wrap"})
        super().__init__([controls, self.message, self.map, self.counts, answers])
        for control in (self.trait, self.layers, self.quantile, self.min_d):
            control.observe(self._choice_changed, "value")
        for control in (self.gamma, self.direction, self.scope, self.question):
            control.observe(lambda change: self._answer_later(), "value")
        self._draw()
        self._answer()

    def _make_controls(self, start: Settings, question: str) -> None:
        layers = self.explorer.layers

        def slid(name: str, least: float, most: float, step: float, value: float, form: str) -> widgets.FloatSlider:
            return widgets.FloatSlider(
                value=value, min=least, max=most, step=step, description=name, readout_format=form, style=_WIDE
            )

        self.trait = widgets.Dropdown(options=self.explorer.traits, value=start.trait, description="Trait", style=_WIDE)
        self.layers = widgets.IntRangeSlider(
            value=start.layers, min=layers[0], max=layers[-1], description="Layers", style=_WIDE
        )
        self.quantile = slid("q of tau_q", min(0.9, start.quantile), 0.9995, 0.0005, start.quantile, ".4f")
        self.min_d = slid("tau_d", 0.0, max(4.0, start.min_d), 0.05, start.min_d, ".2f")
        self.gamma = slid("gamma", 0.0, MAX_GAMMA, 0.05, start.gamma, ".2f")
        self.direction = widgets.ToggleButtons(
            options=tuple(SIGN), value=start.direction, description="Direction", style=_WIDE
        )
        self.scope = widgets.Dropdown(options=SCOPES, value=start.scope, description="Positions", style=_WIDE)
        self.question = widgets.Text(
            value=question,
            description="Question",
            placeholder="type a question, then press Enter",
            continuous_update=False,
            style=_WIDE,
            layout={"width": "32rem", "max_width": "100%"},
        )

    @property
    def settings(self) -> Settings:
        """What the controls are set to.

        Raises:
            ValueError: for values that a setting refuses.
        """
        first, last = self.layers.value
        return self.explorer.settings(
            self.trait.value,
            first=first,
            last=last,
            quantile=self.quantile.value,
            min_d=self.min_d.value,
            gamma=self.gamma.value,
            direction=self.direction.value,
            scope=self.scope.value,
        )

    def _choice_changed(self, change: Any) -> None:
        self._draw()
        self._answer_later()

    def _answer_later(self) -> None:
        """Answer once nothing has changed for a moment; at once where no event loop runs, as in a script."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        try:
            self._waiting = asyncio.get_running_loop().call_later(_REST, self._answer)
        except RuntimeError:
            self._answer()

    def _guarded(self, does: Callable[[], None]) -> None:
        """Run a part of the panel, and show its mistake as a message."""
        try:
            does()
            self.message.value = ""
        except MISTAKES as error:
            self.message.value = f'<p role="alert" style="color:#a3261d">{html.escape(str(error))}</p>'

    def _draw(self) -> None:
        self._guarded(self._redraw)

    def _redraw(self) -> None:
        settings = self.settings
        chosen = self.explorer.chosen(settings)
        drawn = _three_traces(plots.effect_map(self.explorer.map_frame(settings), trait=settings.trait))
        same_cells = self._drawn == (settings.trait, settings.layers)
        with self.map.batch_update():
            if not same_cells:  # thousands of cells, which q and tau_d leave as they are
                _take(self.map.data[0], drawn.data[0], ("x", "y", "z", "text", "zmin", "zmax"))
                self.map.layout = drawn.layout
            for pole in (1, 2):
                _take(self.map.data[pole], drawn.data[pole], ("x", "y", "text", "name", "marker"))
        bars = plots.neurons_per_layer(chosen.counts)
        with self.counts.batch_update():
            for pole, trace in enumerate(bars.data):
                _take(self.counts.data[pole], trace, ("x", "y", "customdata"))
            self.counts.layout = bars.layout
        self._drawn = (settings.trait, settings.layers)
        self.summary.value = _summary(chosen)

    def _answer(self) -> None:
        self._waiting = None
        self._guarded(self._ask)

    def _ask(self) -> None:
        if not self.question.value.strip():
            self.base.value = self.steered.value = ""
            return
        settings = self.settings
        answers = self.explorer.answers(settings, self.question.value, [settings.direction])
        self.base.value = _answer_html("Unedited", answers.base, "")
        steered = answers.towards(settings.direction)
        edit = f"gamma {steered.gamma:g}, {answers.neurons} neurons, {steered.edited:,} (position, layer) pairs edited"
        self.steered.value = _answer_html(f"{settings.direction.capitalize()}d", steered, edit)


def _three_traces(drawn: go.Figure) -> go.Figure:
    """The map with always a trace of cells, one of High and one of Low marks, so that they can be updated in place."""
    traces: list[Any] = list(drawn.data)
    marks = {trace.name.split()[0]: trace for trace in traces[1:]}
    none = {
        pole: go.Scatter(x=[], y=[], text=[], mode="markers", name=f"{pole} neurons (0)") for pole in ("High", "Low")
    }
    return go.Figure([traces[0], *(marks.get(pole, empty) for pole, empty in none.items())], drawn.layout)


def _take(into: Any, new: Any, names: Sequence[str]) -> None:
    """Give a trace on show some of another's properties."""
    into.update({name: new[name] for name in names})


def _summary(chosen: Chosen) -> str:
    if chosen.selection is None:
        return f"<small>{html.escape(chosen.why_empty)}</small>"
    high, low, share = len(chosen.selection.high), len(chosen.selection.low), chosen.selection.share
    return f"<b>{high}</b> High and <b>{low}</b> Low neurons, {share:.2%} of the layers'."


def _answer_html(heading: str, answer: Answer, edit: str) -> str:
    score = "" if answer.score is None else f" &middot; {answer.score:.1f} of 5"
    return (
        f"<b>{heading}</b>{score}<p style='margin:.3em 1em .3em 0'>{html.escape(answer.text) or '(no text)'}</p>"
        f"<small>{html.escape(edit)}</small>"
    )
