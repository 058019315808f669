"""What every plotting function does with the words that it is given: a name may hold what plotly takes for markup."""

import functools
import html
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ParamSpec

import pandas as pd
import plotly.graph_objects as go

from workbench.plots.legend import Legend
from workbench.plots.literal import literal

P = ParamSpec("P")


def literal_words(draw: Callable[P, go.Figure]) -> Callable[P, go.Figure]:
    """A plotting function that shows the words of its tables, its legend and its other arguments literally.

    Alternative texts and errors' messages, which are plain text, hold the words as they arrived.
    """

    @functools.wraps(draw)
    def drawing(*args: P.args, **kwargs: P.kwargs) -> go.Figure:
        shown: Any = {name: _literally(value) for name, value in kwargs.items()}
        try:
            drawn = draw(*map(_literally, args), **shown)  # type: ignore[arg-type]
        except ValueError as error:
            told = html.unescape(str(error))
            if told == str(error):
                raise
            raise ValueError(told) from None
        layout: Any = drawn.layout
        if isinstance(layout.meta, dict) and "alt" in layout.meta:
            layout.meta = {**layout.meta, "alt": html.unescape(layout.meta["alt"])}
        return drawn

    return drawing


def _literally(value: Any) -> Any:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, pd.DataFrame):
        return _literal_frame(value)
    if isinstance(value, Legend):
        return _literal_legend(value)
    if isinstance(value, Mapping):
        return {_literally(name): _literally(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_literally, value))
    return value


def _literal_legend(legend: Legend) -> Legend:
    quantities = tuple(replace(each, label=literal(each.label), unit=literal(each.unit)) for each in legend.quantities)
    return replace(legend, roles=_literally(legend.roles), quantities=quantities)


def _literal_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the words of its cells literal; itself where that changes nothing."""
    changed: dict[Any, list[Any]] = {}
    for name, dtype in frame.dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype) or pd.api.types.is_object_dtype(dtype):
            column = frame[name].tolist()
            shown = {word: literal(word) for word in {each for each in column if isinstance(each, str)}}
            if any(word != literally for word, literally in shown.items()):
                changed[name] = [shown[each] if isinstance(each, str) else each for each in column]
    return frame.assign(**changed) if changed else frame
