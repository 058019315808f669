"""A right sentence and a wrong one that differ in little, and which pairs are reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MinimalPair:
    """A right sentence and a wrong one that differ in little.

    Attributes:
        good: the right one.
        bad: the wrong one.
        task: what the pair tests, e.g. a phenomenon of BLiMP.
        group: pairs of one group are never divided between splits; a pair without one stands alone.
    """

    good: str
    bad: str
    task: str = "pairs"
    group: str = ""

    @property
    def item(self) -> str:
        """Both sentences in one line, which no other pair shares.

        Example:
            >>> MinimalPair("The cup is on the shelf.", "The cup are on the shelf.").item
            'The cup {is|are} on the shelf.'
        """
        good, bad = self.good.split(" "), self.bad.split(" ")
        before = shared_start(good, bad)
        after = shared_start(good[before:][::-1], bad[before:][::-1])
        middle = (" ".join(words[before : len(words) - after]) for words in (good, bad))
        return " ".join([*good[:before], "{" + "|".join(middle) + "}", *good[len(good) - after :]])


def shared_start(first: Sequence[object], second: Sequence[object]) -> int:
    """How many elements two sequences begin with in common.

    Example:
        >>> shared_start([1, 2, 3], [1, 2, 4, 5])
        2
    """
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def split_pairs(pairs: Sequence[MinimalPair], split: Literal["search", "test"], *, n: int) -> list[MinimalPair]:
    """The pairs of a split: of each task's groups, in their order, the first is reported, the second chooses the dose.

    So it goes on in turn. Each task has as many pairs in either split, and a task whose pairs cannot be divided has
    none; where `n` is less than there are, they are taken evenly from each task.

    Args:
        n: the most pairs of a split.
    """
    halves: dict[str, tuple[list[list[MinimalPair]], list[list[MinimalPair]]]] = {}
    for groups in _grouped(pairs).values():
        halves[groups[0][0].task] = (groups[::2], groups[1::2])
    flat = {task: [[pair for group in half for pair in group] for half in both] for task, both in halves.items()}
    sizes = {task: min(len(half) for half in both) for task, both in flat.items()}
    quotas = dict.fromkeys(sizes, 0)
    left = min(n, sum(sizes.values()))
    while left:
        for task, size in sizes.items():
            if left and quotas[task] < size:
                quotas[task] += 1
                left -= 1
    which = 0 if split == "test" else 1
    return [pair for task, both in flat.items() for pair in _evenly(both[which], quotas[task])]


def _grouped(pairs: Sequence[MinimalPair]) -> dict[str, list[list[MinimalPair]]]:
    """Each task's groups in the order in which they begin."""
    tasks: dict[str, dict[object, list[MinimalPair]]] = {}
    for number, pair in enumerate(pairs):
        tasks.setdefault(pair.task, {}).setdefault(pair.group or number, []).append(pair)
    return {task: list(groups.values()) for task, groups in tasks.items()}


def _evenly(pairs: Sequence[MinimalPair], count: int) -> list[MinimalPair]:
    return [pairs[i * len(pairs) // count] for i in range(count)]
