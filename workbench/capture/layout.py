"""Which positions of a batch are read, and to which rows of a group's result their values belong."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.plan import Group, Node
from workbench.capture.reading import Take


class Layout:
    """The rows of a group's result: prompt after prompt, each with a row for its mean or for each position read."""

    def __init__(self, group: Group, pooled: bool) -> None:
        self.group, self.pooled = group, pooled
        counts = [1 if pooled else len(prompt.reads) for prompt in group.prompts]
        self.first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        self.total = int(sum(counts))
        self._targets: Tensor | None = None

    def take(self, nodes: Sequence[Node], batch: list[int], width: int) -> Take | None:
        """What to read of a batch that is `width` tokens wide; None if nothing is to be read."""
        positions: list[int] = []  # in the flattened batch, each once
        sources: list[int] = []  # for each value that a row needs: which of `positions` it is read at,
        targets: list[int] = []  # the row,
        shares: list[float] = []  # and the value's share in it
        for i, number in enumerate(batch):
            node = nodes[number]
            offset = i * width - node.start
            source_of: dict[int, int] = {}
            for member in node.members:
                reads = self.group.prompts[member].reads
                low, high = np.searchsorted(reads, (node.start, node.stop))
                for which in range(int(low), int(high)):
                    position = int(reads[which])
                    if position not in source_of:
                        source_of[position] = len(positions)
                        positions.append(offset + position)
                    targets.append(int(self.first[member]) + (0 if self.pooled else which))
                    sources.append(source_of[position])
                    shares.append(1 / len(reads) if self.pooled else 1.0)
        if not positions:
            self._targets = None
            return None
        at = torch.tensor(positions)
        if not self.pooled:
            self._targets = torch.tensor(targets)
            return Take(at if sources == list(range(len(at))) else at[torch.tensor(sources)], None)
        unique = sorted(set(targets))
        weights = torch.zeros(len(unique), len(positions))
        rows = torch.tensor([unique.index(target) for target in targets])
        weights.index_put_((rows, torch.tensor(sources)), torch.tensor(shares), accumulate=True)
        self._targets = torch.tensor(unique)
        return Take(at, weights)

    def put(self, out: Float[Tensor, "row layer width"], values: Float[Tensor, "taken layer width"]) -> None:
        """Add the values of the last `take` to the rows to which they belong."""
        assert self._targets is not None
        out.index_add_(0, self._targets.to(out.device), values)


def levels(nodes: Sequence[Node]) -> list[list[int]]:
    """The numbers of the nodes, by how many nodes lie before them in their prompts."""
    depth: list[int] = []
    by_depth: list[list[int]] = []
    for number, node in enumerate(nodes):
        depth.append(depth[node.parent] + 1 if node.parent >= 0 else 0)
        if depth[number] == len(by_depth):
            by_depth.append([])
        by_depth[depth[number]].append(number)
    return by_depth
