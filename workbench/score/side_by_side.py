"""Given answers judged under many conditions in one pass, each condition's rows with its own edit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from workbench.edit.applying import EditedRun, edited
from workbench.edit.edit import AnyEdit
from workbench.model.judging import Judged
from workbench.model.likelihood import judge_answers
from workbench.model.model import Model
from workbench.vocabulary import Scope

Table = Callable[[Sequence[Sequence[Judged]]], pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Reading:
    """What is read of a model under one condition, and the table that it makes.

    Attributes:
        prompts, answers, ends: as `judge_answers` takes them; None ends every prompt at its last token.
        table: from what was judged, in the order of the prompts.
    """

    prompts: Sequence[Sequence[int]]
    answers: Sequence[Sequence[Sequence[int]]]
    table: Table
    ends: Sequence[int] | None = None

    @property
    def lasts(self) -> list[int]:
        """For each prompt, the index of the position that hooks treat as its last."""
        return [len(prompt) - 1 for prompt in self.prompts] if self.ends is None else list(self.ends)

    def read(self, model: Model) -> pd.DataFrame:
        """The table, of the model as it is at this moment."""
        return self.table(judge_answers(model, self.prompts, self.answers, ends=self.ends))


@contextmanager
def edited_rows(
    model: Model,
    edits: Sequence[AnyEdit | None],
    counts: Sequence[int],
    *,
    scope: Scope,
    record: Callable[[EditedRun], None] | None = None,
) -> Iterator[None]:
    """The model with each edit on its own prompts of the run.

    Args:
        edits: None leaves its prompts as they are.
        counts: how many prompts follow each other under each edit.
        record: called on leaving with the run, which counts what was edited, if there is any edit.
    """
    acting = [edit for edit in edits if edit is not None]
    if not acting:
        yield
        return
    numbers = iter(range(len(acting)))
    by_condition = [-1 if edit is None else next(numbers) for edit in edits]
    rows = [number for number, count in zip(by_condition, counts, strict=True) for _ in range(count)]
    with edited(model, acting, scope=scope, rows=rows) as run:
        yield
    if record is not None:
        record(run)


def read_side_by_side(
    model: Model,
    readings: Sequence[tuple[AnyEdit | None, Reading]],
    *,
    scope: Scope,
    record: Callable[[EditedRun], None] | None = None,
) -> list[pd.DataFrame]:
    """Each reading's table, read under its edit, all in one pass; what no edit changes is read once.

    Args:
        record: as `edited_rows` takes it.
    """
    asked: list[tuple[AnyEdit | None, Reading]] = []
    places: list[int] = []
    unedited: dict[int, int] = {}
    for edit, reading in readings:
        known = unedited.get(id(reading)) if edit is None else None
        if known is None:
            known = len(asked)
            asked.append((edit, reading))
            if edit is None:
                unedited[id(reading)] = known
        places.append(known)
    counts = [len(reading.prompts) for _, reading in asked]
    with edited_rows(model, [edit for edit, _ in asked], counts, scope=scope, record=record):
        judged = judge_answers(
            model,
            [prompt for _, reading in asked for prompt in reading.prompts],
            [answers for _, reading in asked for answers in reading.answers],
            ends=[last for _, reading in asked for last in reading.lasts],
        )
    found = iter(judged)
    tables = [reading.table([next(found) for _ in reading.prompts]) for _, reading in asked]
    return [tables[place] for place in places]
