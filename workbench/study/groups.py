"""Which cells are asked together: the same ones whatever is kept already, and no more than memory and a kill allow."""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from workbench.model.model import Model
from workbench.study.cells import Cell

MOST = 32
"""Conditions that are asked together, at most: with a dozen questions each, a batch of them is as quick as any."""

_FEW = 12
"""Conditions that a small study asks together all the same, as fewer make batches too small to be quick."""

_TABLES = 256 * 2**20  # bytes of edits that are ready to run at once
_TASKS = 8  # groups of a larger study, at least, so that a kill costs little and a cluster's workers have enough to do


@runtime_checkable
class _HasCell(Protocol):
    @property
    def cell(self) -> Cell: ...


Asked = TypeVar("Asked", bound=_HasCell)


def groups_of(jobs: Sequence[Asked], most: int) -> Iterator[list[Asked]]:
    """Jobs in their order, in groups of at most `most` conditions unless one alone has more.

    The cells of a group have one split and one scope, and no arm twice at the same dose, so that rows tell their cell.
    """
    group: list[Asked] = []
    for job in jobs:
        cell, others = job.cell, [each.cell for each in group]
        alike = all((cell.split, cell.scope) == (each.split, each.scope) for each in others)
        apart = all((cell.arm, cell.gamma) != (each.arm, each.gamma) for each in others)
        if group and not (alike and apart and sum(map(conditions_of, [*others, cell])) <= most):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def conditions_of(cell: Cell) -> int:
    """How many conditions a cell has, further draws among them."""
    return max(len(cell.conditions), len(cell.by_direction)) + len(cell.further)


def most_conditions(model: Model, jobs: Sequence[_HasCell]) -> int:
    """How many conditions are asked together; the same here and on a cluster, whose tables are then the same."""
    edit = 4 * model.n_layers * 4 * model.d_model  # bytes: a float32 for each neuron of a usual MLP
    every = sum(conditions_of(job.cell) for job in jobs)
    return max(1, min(MOST, _TABLES // edit, max(_FEW, math.ceil(every / _TASKS))))
