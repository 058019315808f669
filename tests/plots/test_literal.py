"""Names in figures read as they are, whatever plotly would take them for."""

import html
import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plots.small_tables import Drawn, every_figure
from workbench import plots
from workbench.outcome.quantity import Quantity
from workbench.plots.literal import literal

FREE = (
    "arm",
    "control",
    "trait",
    "trait_a",
    "trait_b",
    "edited",
    "measured",
    "item",
    "set",
    "task",
    "persona",
    "token",
    "label",
)
"""Columns whose words are a user's."""
MARK = "<i>q</i>%{q}$q$"


def free_columns(table: pd.DataFrame) -> list[str]:
    return [name for name in FREE if name in table and all(isinstance(word, str) for word in table[name])]


FIGURES = {name: drawn for name, drawn in every_figure().items() if free_columns(drawn.table)}


def renamed(drawn: Drawn) -> Drawn:
    """The same with a mark that is markup after every user's word."""
    table, words = drawn.table.copy(), set()
    for column in free_columns(table):
        words |= set(table[column])
        table[column] = [word if word == "all" else word + MARK for word in table[column]]
    arguments = {
        name: value + MARK if isinstance(value, str) and value in words and value != "all" else value
        for name, value in drawn.arguments.items()
    }
    for name, value in arguments.items():
        if isinstance(value, pd.DataFrame):
            arguments[name] = renamed(replace(drawn, table=value, arguments={})).table
    return replace(drawn, table=table, arguments=arguments)


@pytest.mark.parametrize("drawn", FIGURES.values(), ids=FIGURES.keys())
def test_a_name_that_is_markup_is_shown_as_it_is(drawn: Drawn) -> None:
    told = json.loads(renamed(drawn).figure().to_json())
    alt = told["layout"]["meta"].pop("alt")
    shown = json.dumps(told)
    for markup in ("<i>", "</i>", "%{q}", "$q$"):
        assert markup not in shown
    assert "&" not in alt


def test_alternative_texts_and_errors_are_plain_text() -> None:
    table = FIGURES["statement_shifts"].table.assign(trait=MARK)
    layout: Any = plots.statement_shifts(table).layout
    assert MARK in layout.meta["alt"]
    with pytest.raises(ValueError, match="no rows of trait '<b>'") as told:
        plots.statement_shifts(table, trait="<b>")
    assert MARK in str(told.value)


def test_a_quantity_is_named_literally_in_every_title() -> None:
    frame = pd.DataFrame({"arm": ["DPN-LE"], "b_change": [1.0], "b_change_low": [0.0], "b_change_high": [2.0]})
    cost = Quantity("b", "cost", "words <br> in <a href='x'>answers", "$w$")
    told = json.loads(str(plots.arms_compared(frame, legend=plots.Legend(quantities=(cost,))).to_json()))
    assert "<a href" in told["layout"]["meta"].pop("alt")
    shown = json.dumps(told)
    assert "$w$" not in shown
    assert "href" in shown
    assert "<a" not in shown


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])))
def test_unescaping_gives_a_name_back(text: str) -> None:
    if html.unescape(text) == text:
        assert html.unescape(literal(text)) == text
