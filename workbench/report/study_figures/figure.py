"""One figure of a study: what it shows, what its caption says, and the table that it draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from workbench.measure.summarising import ALL
from workbench.study.study import Study

SHOWN = ("DPN-LE", "broad", "residual", "NPTI", "random")
"""Arms that are drawn as curves; the tables hold them all."""


@dataclass(frozen=True)
class StudyFigure:
    """One figure of a study.

    Attributes:
        name: its file's and its anchor's name, e.g. `effect-map`.
        title: what it shows.
        caption: how to read it, and what was run.
        data: the table it draws, those columns alone that are drawn or told when hovering.
        figures: by trait, or one under `all`.
        group: the question that it helps to answer.
    """

    name: str
    title: str
    caption: str
    data: pd.DataFrame
    figures: dict[str, go.Figure]
    group: str

    def alt(self, trait: str) -> str:
        """What a drawing shows, for those who do not see it."""
        layout: Any = self.figures[trait].layout
        return str(layout.meta["alt"])

    @property
    def files(self) -> dict[str, str]:
        """The stem of each drawing's file, by trait."""
        return {trait: self.name if trait == ALL else f"{self.name}-{trait.casefold()}" for trait in self.figures}


def wellformed_of(study: Study, *, short: bool = False) -> str:
    """What a study's columns of well-formedness hold; in a word where there is little room."""
    names = {"grammar": ("well-formedness", "well-formed"), "judge": ("rated fluency", "fluency")}
    return names[study.config.scorer][short]


def by_trait(study: Study, draw: Callable[[str], go.Figure], *, pooled: bool = False) -> dict[str, go.Figure]:
    """A figure drawn for each of a study's traits, and for all together where that is asked for."""
    traits = [ALL, *study.config.traits] if pooled else study.config.traits
    return {trait: draw(trait) for trait in traits}


def of_trait(table: pd.DataFrame, trait: str) -> pd.DataFrame:
    """A table's rows on one trait."""
    return table[table["trait"] == trait]


def shown_arms(table: pd.DataFrame) -> pd.DataFrame:
    """A table's rows on the arms that are drawn as curves."""
    return table[table["arm"].isin(SHOWN)]
