"""Which rows are held out, so that they share none of their questions and descriptions with the others."""

from collections.abc import Sequence
from random import Random

LEAST = 2
"""The fewest rows of a part, as of any contrast."""


def split_rows(labels: Sequence[Sequence[str]], *, holdout: float, seed: int) -> tuple[list[int], list[int]]:
    """The rows that are kept and the rows that are held out; they have no label in common.

    Where rows fall into groups that share no label, e.g. where each question has descriptions of its own, whole groups
    are held out, about `holdout` of the rows, and every row has a part. Otherwise `holdout` of the labels of each kind
    (at least one) are held out; a row whose labels are held out in part belongs to neither part. Descriptions that
    come in pairs, one of each pole, are held out in pairs.

    Args:
        labels: kind by kind each row's label: the question, then the descriptions of each pole, if they are to differ.

    Returns:
        row numbers, ascending. Either list may be empty where the labels leave no way to split.
    """
    rows, rng = range(len(labels[0])), Random(seed)
    groups = _groups(labels)
    if max(map(len, groups)) <= (1 - holdout) * len(rows):
        rng.shuffle(groups)
        held: set[int] = set()
        for group in groups:
            if len(held) + len(group) / 2 <= holdout * len(rows) or len(held) < LEAST:
                held |= set(group)
        return [row for row in rows if row not in held], sorted(held)
    described = _groups(labels[1:]) if len(labels) > 1 else []
    if described and max(map(len, described)) <= (1 - holdout) * len(rows):
        group_of = {row: f"{number:09d}" for number, group in enumerate(described) for row in group}
        labels = [labels[0], [group_of[row] for row in rows]]
    out = []
    for of_kind in labels:
        names = sorted(set(of_kind))
        rng.shuffle(names)
        out.append(set(names[: max(1, round(holdout * len(names)))]))
    counts = [sum(of_kind[row] in names for of_kind, names in zip(labels, out, strict=True)) for row in rows]
    return [row for row in rows if counts[row] == 0], [row for row in rows if counts[row] == len(labels)]


def _groups(labels: Sequence[Sequence[str]]) -> list[list[int]]:
    """Rows that are linked by a label, directly or through other rows."""
    first: dict[tuple[int, str], int] = {}
    parent = list(range(len(labels[0])))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for kind, of_kind in enumerate(labels):
        for row, label in enumerate(of_kind):
            parent[root(row)] = root(first.setdefault((kind, label), row))
    groups: dict[int, list[int]] = {}
    for row in range(len(parent)):
        groups.setdefault(root(row), []).append(row)
    return list(groups.values())
