"""In which groups and in which order prompts are computed, so that shared beginnings are computed once."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from workbench.capture.positions import Positions
from workbench.capture.settings import MIN_SAVING
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.vocabulary import Pole

GROUP_PROMPTS, GROUP_TOKENS = 128, 32_768
"""The most prompts, and tokens before sharing, that are computed and committed together."""


@dataclass(frozen=True)
class PlannedPrompt:
    """One prompt of a capture.

    Attributes:
        pole, index: which prompt of the contrast it is.
        number: its number among all prompts, pole after pole.
        tokens: its token ids, followed by the response's where responses are read.
        prompt_length: how many of the tokens are the prompt.
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
    """Tokens that are computed together, after those of `parent`: a shared beginning, or the rest of one prompt.

    Attributes:
        parent: the number of the node before it; -1 at the beginning of a prompt.
        start, stop: which tokens of its prompts it holds.
        members: the prompts that pass through it, as numbers within the group; of a leaf, those that end there.
        leaf: whether prompts end there.
    """

    parent: int
    start: int
    stop: int
    members: list[int]
    leaf: bool


@dataclass(frozen=True)
class Group:
    """Prompts that are computed and committed together; they are neighbours when prompts are sorted by their tokens."""

    prompts: tuple[PlannedPrompt, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over every prompt's pole, index, tokens and reads."""
        digest = hashlib.sha256()
        for each in self.prompts:
            sizes = f"{each.prompt_length} {len(each.tokens)} {len(each.reads)} "
            digest.update(f"{each.pole} {each.index} {sizes}".encode())
            digest.update(each.tokens.astype("<i8").tobytes())
            digest.update(each.reads.astype("<i8").tobytes())
        return digest.hexdigest()

    def nodes(self, min_saving: int | None) -> list[Node]:
        """The group's prompts as a tree, parents before children; with `None` nothing is shared.

        A prompt's last token is never part of a shared beginning, so every prompt ends in a leaf.
        """
        distinct: list[list[int]] = []
        for member, prompt in enumerate(self.prompts):
            same = distinct and np.array_equal(self.prompts[distinct[-1][0]].tokens, prompt.tokens)
            # Equal tokens whose prompts end elsewhere are computed apart: an edit may act on the answer alone.
            if same and self.prompts[distinct[-1][0]].prompt_length == prompt.prompt_length:
                distinct[-1].append(member)
            else:
                distinct.append([member])
        tokens = [self.prompts[members[0]].tokens for members in distinct]
        if min_saving is None:
            return [Node(-1, 0, len(ids), members, True) for ids, members in zip(tokens, distinct, strict=True)]
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
                together = [member for members in distinct[low:high] for member in members]
                nodes.append(Node(parent, depth, common, together, False))
                parent, depth = len(nodes) - 1, common
            parts = list(pairwise(cuts))
            open_ranges += [(a, b, parent, depth) for a, b in reversed(parts)]
        return nodes


@dataclass(frozen=True)
class PromptPlan:
    """What a capture will compute.

    Attributes:
        groups: the prompts in the order in which they are computed.
        positions: which of their positions are read.
        tokens: tokens of all prompts.
        computed: tokens that are computed, as shared beginnings are computed once.
        rows: how many rows are read, by pole.
    """

    groups: tuple[Group, ...]
    positions: Positions
    tokens: int
    computed: int
    rows: dict[Pole, int]

    @property
    def prompts(self) -> int:
        """How many prompts there are."""
        return sum(len(group.prompts) for group in self.groups)

    @property
    def digest(self) -> str:
        """SHA-256 over every group."""
        return hashlib.sha256("".join(group.digest for group in self.groups).encode()).hexdigest()

    def __repr__(self) -> str:
        return (
            f"PromptPlan({self.prompts} prompts in {len(self.groups)} groups, {self.computed:,} of {self.tokens:,} "
            f"tokens computed, {self.positions.name})"
        )


def plan_prompts(
    model: Model, contrast: Contrast, positions: Positions, *, min_saving: int | None = MIN_SAVING
) -> PromptPlan:
    """Tokenise a contrast and sort its prompts so that those with a shared beginning are neighbours.

    Raises:
        ValueError: if responses are to be read and the contrast has none, or a position does not exist.
    """
    if positions.needs_responses and not contrast.responses:
        raise ValueError(
            f"Reading {positions.name} needs responses, but the contrast has none. "
            "Give them with contrast.with_responses(high=..., low=...)."
        )
    prompts = sorted(_planned(model, contrast, positions), key=lambda prompt: prompt.tokens.astype(">i4").tobytes())
    groups = tuple(Group(tuple(prompts[low:high])) for low, high in _cuts(prompts))
    computed = sum(node.stop - node.start for group in groups for node in group.nodes(min_saving))
    rows = dict.fromkeys(contrast.poles, 0)
    for prompt in prompts:
        rows[prompt.pole] += 1 if positions.pooled else len(prompt.reads)
    return PromptPlan(groups, positions, sum(len(prompt.tokens) for prompt in prompts), computed, rows)


def _planned(model: Model, contrast: Contrast, positions: Positions) -> Iterator[PlannedPrompt]:
    number = 0
    for pole, prompts in contrast.poles.items():
        responses = contrast.responses.get(pole) if positions.takes_responses else None
        if positions.needs_responses and responses is None:
            raise ValueError(f"Reading {positions.name} needs responses of every pole, but {pole} has none.")
        answered = [[]] * len(prompts) if responses is None else model.answer_tokens(responses)
        for index, (ids, response) in enumerate(zip(model.tokens(prompts), answered, strict=True)):
            tokens = np.array([*ids, *response], dtype=np.int32)
            reads = positions.of_prompt(pole, index, tokens, len(ids))
            yield PlannedPrompt(pole, index, number, tokens, len(ids), reads)
            number += 1


def _shared(a: np.ndarray, b: np.ndarray) -> int:
    """Length of the common beginning, not counting the last token of either."""
    most = min(len(a), len(b)) - 1
    differs = a[:most] != b[:most]
    return int(differs.argmax()) if differs.any() else most


def _cuts(prompts: Sequence[PlannedPrompt]) -> list[tuple[int, int]]:
    """Ranges of prompts of about equal size, cut where neighbours share the shortest beginning."""
    shared = [_shared(a.tokens, b.tokens) for a, b in pairwise(prompts)]
    lengths = [len(prompt.tokens) for prompt in prompts]
    cuts, low = [], 0
    while low < len(prompts):
        high, tokens = low + 1, lengths[low]
        while high < len(prompts) and high - low < GROUP_PROMPTS and tokens + lengths[high] <= GROUP_TOKENS:
            tokens += lengths[high]
            high += 1
        if high < len(prompts):
            earliest = low + (high - low + 1) // 2
            high = min(range(earliest, high + 1), key=lambda cut: (shared[cut - 1], -cut))
        cuts.append((low, high))
        low = high
    return cuts
