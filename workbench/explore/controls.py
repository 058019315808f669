"""Single controls of the page: choices, sliders, fields, plots and messages, each under its label."""

from typing import Any

from dash import dcc, html

_PLOT = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg"},
}


def radio(name: str, label: str, options: list[Any], value: str) -> html.Fieldset:
    """One of a few options, all in sight."""
    return html.Fieldset(
        [html.Legend(label), dcc.RadioItems(id=name, options=options, value=value, className="chips")],  # type: ignore[arg-type]
        className="control",
    )


def labelled(name: str, label: str, slider: Any, hint: str) -> html.Div:
    """A slider under its label; assets/explore.js gives its handles and its number field that name."""
    return html.Div(
        [html.Span(label, className="label"), html.Span(hint, className="hint"), slider],
        className="control slid",
        **attribute("data-label", label),
    )


def slider(name: str, least: float, most: float, step: float, value: float) -> dcc.Slider:
    """A slider that tells its value once it rests."""
    return dcc.Slider(id=name, min=least, max=most, step=step, value=value, marks=None, updatemode="mouseup")


def number_field(name: str, label: str) -> html.Div:
    """A field for a whole number. The browser would keep a wrong one to itself; the page says what is wrong."""
    return html.Div(
        [html.Label(label, htmlFor=name), dcc.Input(id=name, type="number", value=0, debounce=True)],
        className="control typed",
    )


def graph(name: str, label: str) -> html.Div:
    """Room for a figure, empty until it is drawn."""
    # One empty trace: a figure's first may be moved before it is drawn.
    empty = {
        "data": [{"type": "scatter", "x": [], "y": []}],
        "layout": {"xaxis": {"visible": False}, "yaxis": {"visible": False}, "paper_bgcolor": "rgba(0,0,0,0)"},
    }
    return html.Div(
        dcc.Graph(id=name, config=_PLOT, figure=empty),  # type: ignore[arg-type]
        className="plot",
        role="group",
        **attribute("aria-label", label),
    )


def message(name: str) -> html.P:
    """Room for a mistake, in one line."""
    return html.P(id=name, className="message", role="alert")


def attribute(name: str, value: str) -> dict[str, Any]:
    """An attribute whose name holds a hyphen."""
    return {name: value}
