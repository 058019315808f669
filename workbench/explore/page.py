"""The page that `workbench explore` serves, on a study's neurons."""

import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, set_props

from workbench.explore.callbacks import PageCallbacks
from workbench.explore.explorer import Explorer
from workbench.explore.guarding import guard
from workbench.explore.layout import TITLE, whole_page
from workbench.printable import one_line

_CHOICE = ("trait", "layers", "quantile", "min_d", "rule")
_DOSE = ("gamma", "scope", "temperature", "seed")
_PICKED = ("layer", "neuron")
_CONTROLS = (*_CHOICE, *_DOSE, *_PICKED, "question")
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%css%}
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>"""


def explore_page(explorer: Explorer, *, name: str = "") -> Dash:
    """The page as a Dash application, guarded for this machine's own browser; `serving.serve` serves it.

    Args:
        name: what is explored, shown on the page: a study's folder.
    """
    asks = PageCallbacks(explorer)
    with resources.as_file(resources.files("workbench.explore")) as folder:
        assets = Path(folder) / "assets"
    app = Dash(
        "workbench.explore",
        assets_folder=str(assets),
        serve_locally=True,
        title=f"{TITLE} — {name}" if name else TITLE,
        update_title="",
        index_string=_INDEX,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        on_error=_failed,
        enable_mcp=False,
        websocket_callbacks=False,
        add_log_handler=False,
    )
    app.layout = whole_page(explorer, asks.start()[0], name)
    _connect(app, asks)
    app.enable_dev_tools(debug=False)
    guard(app.server, lambda: list(app.csp_hashes()))
    return app


def _connect(app: Dash, asks: PageCallbacks) -> None:
    app.callback(_values(_CONTROLS), Input("url", "search"))(asks.restore)
    choice, dose, picked = _inputs(_CHOICE), _inputs(_DOSE), _inputs(_PICKED)
    appearance = Input("appearance", "data")
    app.callback(
        [Output("map", "figure"), Output("counts", "figure"), Output("summary", "children"), _message("map-message")],
        [*choice, appearance],
        _states(_PICKED),
    )(asks.draw_map)
    app.callback(Output("map", "figure", allow_duplicate=True), picked, _states(_CHOICE), prevent_initial_call=True)(
        asks.ring
    )
    app.callback([Output("scatter", "figure"), _message("pick-message")], [*choice, *picked, appearance])(
        asks.draw_layer
    )
    app.callback(
        [Output("card", "children"), Output("prompts", "children"), _message("card-message")],
        [*choice, *picked, appearance],
    )(asks.show_card)
    app.callback(
        [Output("patching", "children"), _message("patching-message")], [Input("trait", "value"), *picked, appearance]
    )(asks.show_patching)
    for graph in ("map", "scatter"):
        app.callback(
            [*_values(_PICKED, again=True), _message("pick-message", again=True)],
            Input(graph, "clickData"),
            prevent_initial_call=True,
        )(asks.pick)
    for button, by in (("previous", -1), ("next", 1)):
        app.callback(
            [
                *_values(_PICKED, again=True),
                Output("walked", "children", allow_duplicate=True),
                _message("pick-message", again=True),
            ],
            Input(button, "n_clicks"),
            [*_states(_CHOICE), *_states(_PICKED)],
            prevent_initial_call=True,
        )(_stepping(asks, by))
    app.callback(
        [Output("suggested", "children"), Output("question", "value", allow_duplicate=True)],
        Input("trait", "value"),
        State("question", "value"),
        prevent_initial_call=True,
    )(asks.suggest)
    app.callback(
        [Output("answers", "children"), _message("answer-message")],
        [Input("question", "value"), *choice, *dose],
    )(asks.answer)
    app.callback(
        [Output("answers", "children", allow_duplicate=True), _message("answer-message", again=True)],
        Input("ask", "n_clicks"),
        [State("question", "value"), *_states(_CHOICE), *_states(_DOSE)],
        prevent_initial_call=True,
    )(_asked(asks.answer))
    app.callback(
        [Output("swept", "children"), _message("sweep-message")],
        Input("sweep", "n_clicks"),
        [State("question", "value"), *_states(_CHOICE), *_states(_DOSE)],
        prevent_initial_call=True,
    )(_asked(asks.sweep))
    app.callback(
        [Output("tokens", "children"), _message("watch-message")],
        Input("watch", "n_clicks"),
        [State("watched", "value"), *_states(_CHOICE), State("appearance", "data")],
        prevent_initial_call=True,
    )(_asked(asks.watch))
    app.clientside_callback(
        ClientsideFunction("explore", "remember"),
        Output("remembered", "data"),
        _inputs(_CONTROLS),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("explore", "appearance"), Output("appearance", "data"), Input("url", "href")
    )


def _stepping(asks: PageCallbacks, by: int) -> Any:
    return lambda clicks, *arguments: asks.step(by, *arguments)


def _asked(answer: Any) -> Any:
    """What a button does. Without a question it shows that one is needed."""
    return lambda clicks, question, *controls: answer(question if question not in (None, "") else " ", *controls)


def _inputs(names: Sequence[str]) -> list[Input]:
    return [Input(name, "value") for name in names]


def _states(names: Sequence[str]) -> list[State]:
    return [State(name, "value") for name in names]


def _values(names: Sequence[str], *, again: bool = False) -> list[Output]:
    return [Output(name, "value", allow_duplicate=again) for name in names]


def _message(name: str, *, again: bool = False) -> Output:
    return Output(name, "children", allow_duplicate=again)


def _failed(error: Exception) -> None:
    """Say on the page, and in the terminal, that something failed that no rule foresees."""
    sys.stderr.write(one_line(f"workbench explore: {type(error).__name__}: {error}") + "\n")
    set_props("map-message", {"children": f"Something failed: {type(error).__name__}: {error}"})
