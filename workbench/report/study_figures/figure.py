"""One figure of a study: what it shows, what its caption says, and the table that it draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench import plots
from workbench.arm.registry import ARMS
from workbench.measure.summarising import ALL
from workbench.study.study import Study

_CURVES = 5  # arms that are drawn as curves together, so that a reader can tell them apart


@dataclass(frozen=True)
class StudyFigure:
    """One figure of a study.

    Attributes:
        name: its file's and its anchor's name, e.g. `effect-map`.
        title: what it shows.
        caption: how to read it, and what was run.
        data: the table it draws, those columns alone that are drawn or shown when hovering.
        figures: by trait, or one under `all`.
        group: the question that it helps to answer.
    """

    name: str
    title: str
    caption: str
    data: pd.DataFrame
    figures: "dict[str, plots.Figure]"
    group: str

    def alt(self, trait: str) -> str:
        """What a drawing shows, for those who do not see it."""
        layout: Any = self.figures[trait].layout
        return str(layout.meta["alt"])

    @property
    def files(self) -> dict[str, str]:
        """The stem of each drawing's file, by trait."""
        return {
            trait: self.name if trait == ALL else f"{self.name}-{'-'.join(trait.casefold().split())}"
            for trait in self.figures
        }


Drawings = Mapping[str, Callable[[], StudyFigure]]
"""The figures that a study has something to draw for, by name; each is drawn when it is called."""


def by_trait(
    study: Study, draw: "Callable[[str], plots.Figure]", *, pooled: bool = False, held: pd.DataFrame | None = None
) -> "dict[str, plots.Figure]":
    """A figure drawn for each of a study's traits, and for all together where that is asked for.

    Args:
        held: where given, only of traits of which this table has rows.
    """
    traits = [ALL, *study.config.traits] if pooled else study.config.traits
    traits = traits if held is None else [trait for trait in traits if trait in set(held["trait"])]
    return {trait: draw(trait) for trait in traits}


def of_trait(table: pd.DataFrame, trait: str) -> pd.DataFrame:
    """A table's rows on one trait."""
    return table[table["trait"] == trait]


def curve_arms(study: Study) -> list[str]:
    """The arms that are drawn as curves, in the order of tables, which hold them all.

    These are the arm under test, the first control that ran at several doses, and the rivals that claims name or that
    somebody has added to the built-in ones. Where that makes fewer than five, other rivals are drawn too: first those
    that edit where no other one does.
    """
    arms, doses = study.tables["arms"], study.tables["tradeoff"].groupby("arm")["gamma"].nunique()
    sites = study.tables["neurons_edited"].groupby("arm")["site"].first()
    dosed = [row for row in arms.to_dict("records") if row["has_dose"]]
    rivals = [row for row in dosed if row["role"] == "rival"]
    controls = [row["arm"] for row in dosed if row["role"] == "control" and doses.get(row["arm"], 0) > 1]
    wanted = [row["arm"] for row in rivals if row["claimed_as"] or row["arm"] not in ARMS]
    drawn = {study.method, *controls[:1], *wanted}
    others = [row["arm"] for row in rivals if row["arm"] not in drawn and row["arm"] not in study.twins]
    seen = {sites.get(arm) for arm in drawn}
    elsewhere = []
    for arm in others:
        if sites.get(arm) not in seen:
            elsewhere.append(arm)
            seen.add(sites.get(arm))
    others = [*elsewhere, *(arm for arm in others if arm not in elsewhere)]
    drawn |= set(others[: max(0, _CURVES - len(drawn))])
    return [arm for arm in arms["arm"] if arm in drawn]


def curves(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """A table's rows on the arms that are drawn as curves."""
    return table[table["arm"].isin(curve_arms(study))]
