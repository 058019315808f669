"""The cells of a study: one arm at one dose in one scope, for every trait and direction, asked by each outcome."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import pandas as pd

from workbench.arm.building import Arm, Steering, digest_of
from workbench.arm.spec import UNEDITED
from workbench.digest import key_of
from workbench.edit.applying import EditedRun
from workbench.edit.prompting import Instruction
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.score.answers import Condition
from workbench.study.frames import stacked
from workbench.vocabulary import Direction, Scope

ROWS, EDITED = "", "edited"
"""The parts of what an outcome gives in a cell: its rows, and the count of what was edited in making them."""


@dataclass(frozen=True)
class Cell:
    """Conditions that run together: an arm at a dose, or the unedited model.

    Attributes:
        arm, gamma, scope: what the conditions have in common.
        split: whose questions are asked.
        conditions: one for each trait and direction; for the unedited model one for each trait.
        by_direction: the conditions for outcomes whose items are of a direction; the same ones but for the unedited
            model, which then has one for each trait and direction.
        digest: of the edits and instructions.
        further: the conditions of an arm's draws after the first.
        drawn_by: names of the outcomes that ask in every draw; the others ask in the first.
    """

    arm: str
    gamma: float
    scope: Scope
    split: Split
    conditions: tuple[Condition, ...]
    by_direction: tuple[Condition, ...]
    digest: str
    further: tuple[Condition, ...] = ()
    drawn_by: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The stem of its files."""
        arm = self.arm.replace(" ", "-").replace("/", "-")
        dose = "" if self.arm == UNEDITED else f".gamma-{self.gamma:g}.{self.scope}"
        return f"{self.split}/{arm}{dose}"

    @property
    def label(self) -> str:
        """What it does, in a line."""
        label = "unedited" if self.arm == UNEDITED else f"{self.arm} at gamma {self.gamma:g}"
        label = label if self.scope == "generated" or self.arm == UNEDITED else f"{label}, scope {self.scope}"
        return f"choosing gamma: {label}" if self.split == "search" else label

    def asked_by(self, outcome: Outcome) -> tuple[Condition, ...]:
        """The conditions under which an outcome asks."""
        conditions = self.by_direction if outcome.by_direction else self.conditions
        return conditions + self.further if outcome.name in self.drawn_by else conditions

    def key(self, model: Model, outcome: Outcome, outcomes: Mapping[str, Outcome]) -> str:
        """A hash of all that an outcome's rows depend on here."""
        return key_of(
            model=model.fingerprint,
            rendering=model.rendering_digest,
            outcomes=[outcomes[name].key(self.split) for name in (*outcome.needs, outcome.name)],
            edits=[self.digest, *([_digest(self.further)] if outcome.name in self.drawn_by else [])],
            cell=(self.arm, self.gamma, self.scope, self.split),
        )

    def step(self, outcome: Outcome) -> str:
        """The name under which an outcome's rows are kept."""
        return f"outcomes/{self.name}.{outcome.name.replace(' ', '-')}"


def cell_of(arm: Arm, gamma: float, *, scope: Scope, split: Split, drawn_by: frozenset[str] = frozenset()) -> Cell:
    """An arm at a dose: its first draw, and for the outcomes `drawn_by` every other one too."""
    first, *others = (
        tuple(_condition(arm.name, way, gamma, does, number) for way, does in draw.items())
        for number, draw in enumerate(arm.draws)
    )
    further = tuple(condition for draw in others for condition in draw) if drawn_by else ()
    return Cell(arm.name, gamma, scope, split, first, first, _digest(first), further, drawn_by)


def _condition(arm: str, way: tuple[str, str], gamma: float, does: Steering, draw: int) -> Condition:
    if isinstance(does, Instruction):
        return Condition(arm, *way, gamma, None, does, draw)
    return Condition(arm, *way, gamma, does.with_gamma(gamma), None, draw)


def _digest(conditions: Sequence[Condition]) -> str:
    return key_of(conditions=[[each.labels, digest_of(each.edit), digest_of(each.instruction)] for each in conditions])


def unedited_cell(traits: Sequence[str], *, scope: Scope, split: Split) -> Cell:
    """The model as it is, on the questions and items of every trait and direction."""
    conditions = tuple(Condition.unedited(trait) for trait in traits)
    both = tuple(Condition(UNEDITED, trait, way.value, 0.0, None) for trait in traits for way in Direction)
    return Cell(UNEDITED, 0.0, scope, split, conditions, both, key_of(conditions=list(traits)))


def ask_cells(
    model: Model, cells: Sequence[Cell], outcome: Outcome, known: Sequence[Mapping[str, pd.DataFrame]]
) -> list[dict[str, pd.DataFrame]]:
    """What an outcome gives in each cell by part, asked in all of them side by side.

    Args:
        cells: one; or several of one split and scope, no two of them the same arm at the same dose, for an outcome
            that allows it.
        known: for each cell, the rows of outcomes that were asked before, by name.
    """
    alone = len(cells) == 1
    # An edit of its own for each condition, so that what a run counts of it is counted for its cell.
    conditions = [[each if alone else _own(each) for each in cell.asked_by(outcome)] for cell in cells]
    told = [
        rows if outcome.name in cell.drawn_by else {name: _first_draw(frame) for name, frame in rows.items()}
        for cell, rows in zip(cells, known, strict=True)
    ]
    names = dict.fromkeys(name for rows in told for name in rows)
    frames = {name: stacked([rows[name] for rows in told if name in rows]) for name in names}
    runs: list[EditedRun] = []
    every = tuple(condition for of_cell in conditions for condition in of_cell)
    frame = outcome.ask(model, Asking(every, cells[0].split, cells[0].scope, frames, runs.append))
    _require_columns(outcome, frame)
    given = []
    for cell, of_cell in zip(cells, conditions, strict=True):
        rows = frame if alone else _of_cell(frame, cell)
        counts = _counts(runs, None if alone else {id(condition.edit) for condition in of_cell})
        counts = counts.assign(outcome=outcome.name, arm=cell.arm, gamma=cell.gamma, scope=cell.scope)
        columns = ["outcome", "phase", "edited_pairs", "passes", "arm", "gamma", "scope"]
        given.append({ROWS: _with_draw(rows).assign(scope=cell.scope), EDITED: counts[columns]})
    return given


def _own(condition: Condition) -> Condition:
    return condition if condition.edit is None else replace(condition, edit=copy(condition.edit))


def _of_cell(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """The rows of one cell, as it gives them alone."""
    rows = frame[(frame["arm"] == cell.arm) & (frame["gamma"] == cell.gamma)].reset_index(drop=True)
    return rows.drop(columns="draw") if "draw" in rows and rows["draw"].isna().all() else rows


def _with_draw(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with the number of their condition's draw, whose first one has no label."""
    draw = frame["draw"].fillna(0) if "draw" in frame else 0
    return frame.assign(draw=draw).astype({"draw": "int64"})


def _first_draw(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first draw, as an outcome gave them."""
    return frame if "draw" not in frame else frame[frame["draw"].fillna(0) == 0].reset_index(drop=True)


def _counts(runs: Sequence[EditedRun], edits: Collection[int] | None) -> pd.DataFrame:
    """What runs edited by some of their edits, told by their ids, or by any; runs without these are left out."""
    rows = []
    for run in runs:
        numbers = {number for number, edit in enumerate(run.edits) if edits is None or id(edit) in edits}
        pairs, passes = run.share_of(numbers)
        phases = ("prompt", "decode") if numbers else ()
        rows += [{"phase": phase, "edited_pairs": pairs[phase], "passes": passes[phase]} for phase in phases]
    return pd.DataFrame(rows, columns=["phase", "edited_pairs", "passes"])


def _require_columns(outcome: Outcome, frame: pd.DataFrame) -> None:
    """Refuse a frame that cannot be compared.

    Raises:
        ValueError: naming the columns that it lacks.
    """
    wanted = ["arm", "trait", "direction", "gamma", outcome.cluster, *outcome.pairs]
    missing = [name for name in dict.fromkeys(wanted) if name not in frame]
    if missing:
        raise ValueError(
            f"The outcome {outcome.name!r} gives the columns {list(frame.columns)}, but lacks {missing}. Put the "
            "condition's labels and the columns of its cluster and pairing into every row."
        )
