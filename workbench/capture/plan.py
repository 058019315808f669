"""How a set of prompts is computed so that shared beginnings are computed once."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from workbench.capture.positions import Positions
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.vocabulary import Pole

MIN_SAVING = 64
"""Tokens that sharing a beginning must save; below it the extra pass costs more than it spares."""
GROUP_ROWS, GROUP_TOKENS = 128, 32_768
"""The most prompts, and tokens before sharing, that are computed and committed together."""


@dataclass(frozen=True)
class Row:
    """One prompt of a capture.

    Attributes:
        pole, index: which prompt of the contrast it is.
        number: its place among all prompts, pole after pole.
        tokens: its token ids, with the answer's behind them where the answer is read.
        prompt_length: how many of them are the prompt.
        reads: ascending indices of the positions to read.
    """

    pole: Pole
    index: int
    number: int
    tokens: np.ndarray
    prompt_length: int
    reads: np.ndarray


@dataclass
class Node:
    """Some tokens that follow those of `parent`: a shared beginning, or the rest of one distinct prompt.

    Attributes:
        parent: the node before it in `Trie.nodes`; -1 at the beginning of a prompt.
        start, stop: which tokens of its prompts it holds.
        rows: the prompts that pass through it, as places in the group; of a leaf, those that end there.
        leaf: whether prompts end there.
    """

    parent: int
    start: int
    stop: int
    rows: list[int]
    leaf: bool


@dataclass(frozen=True)
class Group:
    """Prompts that are computed and committed together; neighbours in the order of their tokens."""

    rows: tuple[Row, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over every prompt's place, tokens and reads."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row.pole} {row.index} {row.prompt_length} {len(row.tokens)} {len(row.reads)} ".encode())
            digest.update(row.tokens.astype("<i8").tobytes())
            digest.update(row.reads.astype("<i8").tobytes())
        return digest.hexdigest()

    def nodes(self, min_saving: int | None) -> list[Node]:
        """Its prompts as a tree, parents before children; `None` shares nothing.

        A prompt's last token is never part of a shared beginning, so that every prompt ends in a leaf.
        """
        distinct: list[list[int]] = []
        for place, row in enumerate(self.rows):
            same = distinct and np.array_equal(self.rows[distinct[-1][0]].tokens, row.tokens)
            # Equal prompts with another end of the prompt are another computation for whoever edits by step.
            if same and self.rows[distinct[-1][0]].prompt_length == row.prompt_length:
                distinct[-1].append(place)
            else:
                distinct.append([place])
        tokens = [self.rows[places[0]].tokens for places in distinct]
        if min_saving is None:
            return [Node(-1, 0, len(ids), places, True) for ids, places in zip(tokens, distinct, strict=True)]
        shared = np.array([_shared(a, b) for a, b in pairwise(tokens)], dtype=np.int64)
        nodes: list[Node] = []
        open_ranges = [(0, len(tokens), -1, 0)]
        while open_ranges:
            low, high, parent, depth = open_ranges.pop()
            if high - low == 1:
                nodes.append(Node(parent, depth, len(tokens[low]), distinct[low], True))
                continue
            inside = shared[low : high - 1]
            common = int(inside.min())
            cuts = [low, *(low + 1 + np.flatnonzero(inside == common)).tolist(), high]
            if common > depth and (len(cuts) - 2) * (common - depth) >= min_saving:
                rows = [place for places in distinct[low:high] for place in places]
                nodes.append(Node(parent, depth, common, rows, False))
                parent, depth = len(nodes) - 1, common
            parts = list(pairwise(cuts))
            open_ranges += [(a, b, parent, depth) for a, b in reversed(parts)]
        return nodes


@dataclass(frozen=True)
class Plan:
    """What a capture will compute.

    Attributes:
        groups: the prompts in the order in which they are computed.
        positions: which of their positions are read.
        tokens: tokens in all.
        computed: tokens that are computed when beginnings are shared.
        rows: rows read, by pole.
    """

    groups: tuple[Group, ...]
    positions: Positions
    tokens: int
    computed: int
    rows: dict[Pole, int]

    @property
    def prompts(self) -> int:
        """Prompts in all."""
        return sum(len(group.rows) for group in self.groups)

    @property
    def digest(self) -> str:
        """SHA-256 over every group."""
        return hashlib.sha256("".join(group.digest for group in self.groups).encode()).hexdigest()

    def __repr__(self) -> str:
        return (
            f"Plan({self.prompts} prompts in {len(self.groups)} groups, {self.computed:,} of {self.tokens:,} tokens "
            f"computed, {self.positions.name})"
        )


def plan_prompts(
    model: Model, contrast: Contrast, positions: Positions, *, min_saving: int | None = MIN_SAVING
) -> Plan:
    """Tokenise a contrast and order it by shared beginnings.

    Raises:
        ValueError: if answers are to be read and the contrast has none, or a position does not exist.
    """
    if positions.needs_responses and not contrast.responses:
        raise ValueError(
            f"Reading {positions.name} needs responses, but the contrast has none. "
            "Give them with contrast.with_responses(high=..., low=...)."
        )
    rows = sorted(_rows(model, contrast, positions), key=lambda row: row.tokens.astype(">i4").tobytes())
    groups = tuple(Group(tuple(rows[low:high])) for low, high in _cuts(rows))
    computed = sum(node.stop - node.start for group in groups for node in group.nodes(min_saving))
    read = dict.fromkeys(contrast.poles, 0)
    for row in rows:
        read[row.pole] += 1 if positions.pooled else len(row.reads)
    return Plan(groups, positions, sum(len(row.tokens) for row in rows), computed, read)


def _rows(model: Model, contrast: Contrast, positions: Positions) -> Iterator[Row]:
    number = 0
    for pole, prompts in contrast.poles.items():
        answers = contrast.responses.get(pole) if positions.takes_responses else None
        if positions.needs_responses and answers is None:
            raise ValueError(f"Reading {positions.name} needs responses of every pole, but {pole} has none.")
        for index, ids in enumerate(model.tokens(prompts)):
            said = [] if answers is None else model.tokenizer(answers[index], add_special_tokens=False)["input_ids"]
            tokens = np.array([*ids, *said], dtype=np.int32)
            reads = positions.of_prompt(pole, index, tokens, len(ids))
            yield Row(pole, index, number, tokens, len(ids), reads)
            number += 1


def _shared(a: np.ndarray, b: np.ndarray) -> int:
    """Length of the common beginning, short of either's last token."""
    most = min(len(a), len(b)) - 1
    differs = a[:most] != b[:most]
    return int(differs.argmax()) if differs.any() else most


def _cuts(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Ranges of rows of about equal size, cut where neighbours share least."""
    shared = [_shared(a.tokens, b.tokens) for a, b in pairwise(rows)]
    cuts, low = [], 0
    while low < len(rows):
        high, tokens = low + 1, len(rows[low].tokens)
        while high < len(rows) and high - low < GROUP_ROWS and tokens + len(rows[high].tokens) <= GROUP_TOKENS:
            tokens += len(rows[high].tokens)
            high += 1
        if high < len(rows):
            earliest = low + (high - low + 1) // 2
            high = min(range(earliest, high + 1), key=lambda cut: (shared[cut - 1], -cut))
        cuts.append((low, high))
        low = high
    return cuts
