"""A group of prompts through the model, shared beginnings first, in batches that fit."""

import gc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.plan import Group, Node
from workbench.capture.reading import Reader, Take
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.runner import KeyValues

_PAST_PER_TOKEN = 8  # a batch may attend to this many times as many positions as it computes
_PASS_COST = 64  # what a pass costs besides its tokens, in tokens
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
_NARROW_TOLERANCE = 0.1  # half precision rounds differently with every shape of batch

Read = dict[str, Float[Tensor, "row layer width"]]


@dataclass
class Budget:
    """How much a batch may hold; it shrinks when the device runs out of memory, and stays so.

    Attributes:
        max_tokens: tokens computed in one batch, padding counted.
    """

    max_tokens: int

    def halve(self, rows: int, width: int) -> None:
        """Make do with half of a batch that did not fit.

        Raises:
            MemoryError: if it was a single row.
        """
        if rows == 1:
            raise MemoryError(
                f"One prompt of {width} tokens does not fit on the device. Use a larger device, a narrower dtype, "
                "a device_map, fewer layers, or shorter prompts."
            )
        self.max_tokens = max(1, rows * width // 2)


@dataclass
class Computer:
    """Computes groups with one model.

    Attributes:
        min_saving: tokens that sharing a beginning must save; None shares nothing.
        pad: whether prompts of unlike length may share a batch.
        count: called with the number of prompts that a batch has finished.
    """

    model: Model
    reader: Reader
    budget: Budget
    min_saving: int | None
    pad: bool = True
    count: Callable[[int], None] | None = None

    @torch.inference_mode()
    def compute(self, group: Group, *, pooled: bool) -> Read:
        """What the reader takes of every prompt of a group, in the group's order and then by position.

        A model whose keys and values cannot be shared is computed prompt by prompt in batches of one length, and
        a warning says so.
        """
        nodes = group.nodes(None if self.model.per_row else self.min_saving)
        if any(not node.leaf for node in nodes) and not self._shares(group, nodes):
            self.min_saving, self.pad = None, False
            nodes = group.nodes(None)
        return self._all(group, nodes, pooled)

    def _all(self, group: Group, nodes: list[Node], pooled: bool) -> Read:
        layout = _Layout(group, pooled)
        out: Read = {}
        held: dict[int, KeyValues] = {}
        waiting = [0] * len(nodes)
        for node in nodes:
            if node.parent >= 0:
                waiting[node.parent] += 1
        for level in _levels(nodes):
            batches = self._batches(nodes, level)
            while batches:
                batch = batches.pop(0)
                try:
                    found, kept = self._pass(group, nodes, batch, held, layout)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    if not _out_of_memory(error):
                        raise
                else:
                    for name, values in found.items():
                        if name not in out:
                            out[name] = values.new_zeros(layout.total, *values.shape[1:])
                        layout.put(out[name], values)
                    held.update(kept)
                    if self.count is not None:
                        self.count(sum(len(nodes[place].rows) for place in batch if nodes[place].leaf))
                    for place in batch:
                        parent = nodes[place].parent
                        if parent >= 0:
                            waiting[parent] -= 1
                            if not waiting[parent]:
                                del held[parent]
                    continue
                # Outside the handler, so that the failed pass is no longer held by its traceback.
                _free_memory(self.model.device)
                self.budget.halve(len(batch), max(nodes[p].stop - nodes[p].start for p in batch))
                half = (len(batch) + 1) // 2
                batches[:0] = [batch[:half], batch[half:]]
        return out

    def _batches(self, nodes: Sequence[Node], level: list[int]) -> list[list[int]]:
        """A level's nodes in batches of like length, longest first, so that the least is computed in vain."""
        order = sorted(level, key=lambda place: (nodes[place].start - nodes[place].stop, nodes[place].parent))
        widths = [nodes[place].stop - nodes[place].start for place in order]
        pasts = [nodes[place].start for place in order]
        # best[i] is the least cost of the first i nodes, and where the last of their batches begins.
        best: list[tuple[int, int]] = [(0, 0)]
        for end in range(1, len(order) + 1):
            choices, past = [], 0
            for begin in range(end - 1, -1, -1):
                size, width, past = end - begin, widths[begin], max(past, pasts[begin])
                fits = size * width <= self.budget.max_tokens
                fits &= size * (past + width) <= _PAST_PER_TOKEN * self.budget.max_tokens
                alike = self.pad or (widths[begin], pasts[begin]) == (widths[end - 1], pasts[end - 1])
                if size > 1 and not (fits and alike):
                    break
                choices.append((best[begin][0] + size * width + _PASS_COST, begin))
            best.append(min(choices))
        batches, end = [], len(order)
        while end:
            begin = best[end][1]
            batches.append(order[begin:end])
            end = begin
        return batches[::-1]

    def _pass(
        self, group: Group, nodes: Sequence[Node], batch: list[int], held: dict[int, KeyValues], layout: "_Layout"
    ) -> tuple[Read, dict[int, KeyValues]]:
        """One pass over a batch of nodes: what is read there, and the keys and values of shared beginnings."""
        model = self.model
        here = [nodes[place] for place in batch]
        past = max(node.start for node in here)
        width = max(node.stop - node.start for node in here)
        tokens = np.full((len(here), width), model.pad_token, dtype=np.int64)
        attended = np.zeros((len(here), past + width), dtype=bool)
        steps = np.full((len(here), width), -1, dtype=np.int64)
        for i, node in enumerate(here):
            row, length = group.rows[node.rows[0]], node.stop - node.start
            # Padding goes before the past and behind the new tokens, so that what a sliding window counts is whole.
            tokens[i, :length] = row.tokens[node.start : node.stop]
            attended[i, past - node.start : past + length] = True
            steps[i, :length] = np.arange(node.start, node.stop) - (row.prompt_length - 1)
        take = layout.take(nodes, batch, width)
        device = model.device
        on = torch.from_numpy(attended).to(device)
        shares = any(not node.leaf for node in here)
        cache = None
        if past or shares:
            parents = [node.parent for node in here]
            cache = model.runner.new_cache(_gathered(held, parents, past) if past else None, batch=len(here))
        whole = not past and not shares and bool((steps[:, -1] == 0).all())
        under_way = Pass(
            "prompt",
            on[:, past:],
            torch.tensor([group.rows[node.rows[0]].number for node in here]),
            None if whole else torch.from_numpy(steps).to(device),
        )
        with model.passing(under_way):
            found = self.reader.read(
                None if take is None else Take(take.position.to(device), _to(take.weights, device)),
                lambda: model.runner.run(torch.from_numpy(tokens).to(device), on, cache),
            )
        kept = {}
        if shares and cache is not None:
            reached = model.runner.key_values(cache)
            if len(reached.layers) <= self.reader.layers[-1]:
                raise ValueError("its cache was not filled up to the last layer read")
            for i, place in enumerate(batch):
                if not nodes[place].leaf:
                    real = on[i]
                    kept[place] = KeyValues(
                        tuple(
                            (k[i : i + 1, :, real.to(k.device)], v[i : i + 1, :, real.to(v.device)])
                            for k, v in reached.layers
                        )
                    )
        return found, kept

    def _shares(self, group: Group, nodes: list[Node]) -> bool:
        """Whether the model gives a prompt the same values on top of a shared beginning; looked at once a model."""
        if self.model.shares_beginnings is None:
            count, self.count = self.count, None
            try:
                reason = self._difference(group, nodes)
            finally:
                self.count = count
            self.model.shares_beginnings = reason is None
            if reason is not None:
                warnings.warn(
                    f"{self.model.name} cannot share the beginnings of prompts ({reason}): each prompt is computed "
                    "whole, with others of its own length.",
                    stacklevel=2,
                )
        return self.model.shares_beginnings

    def _difference(self, group: Group, nodes: list[Node]) -> str | None:
        """What goes wrong when two prompts, as unlike in length as there are, are computed on top of beginnings."""
        leaves = sorted((node for node in nodes if node.leaf and node.parent >= 0), key=lambda node: node.stop)
        both = [leaves[-1], leaves[0]][: len(leaves)]
        rows = [group.rows[leaf.rows[0]] for leaf in both]
        pair = Group(tuple(replace(row, reads=np.array([len(row.tokens) - 1])) for row in rows))
        halves = [Node(-1, 0, leaf.start, [place], False) for place, leaf in enumerate(both)]
        halves += [Node(place, leaf.start, leaf.stop, [place], True) for place, leaf in enumerate(both)]
        pad, self.pad = self.pad, False
        plain = self._all(pair, [Node(-1, 0, leaf.stop, [i], True) for i, leaf in enumerate(both)], pooled=False)
        self.pad = pad
        if not all(bool(torch.isfinite(values).all()) for values in plain.values()):
            return None  # the run itself will name what is not finite
        try:
            shared = self._all(pair, halves, pooled=False)
        except (TypeError, AttributeError, ValueError, LookupError, NotImplementedError, RuntimeError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            return f"its cache cannot be continued by another prompt's tokens: {said}"
        error = max(_relative(shared[name], plain[name]) for name in plain)
        if error <= _TOLERANCE.get(self.model.dtype, _NARROW_TOLERANCE):
            return None
        return f"a shared prompt differs by {error:.1e} of its size from one computed alone"


class _Layout:
    """Where the rows of a group go."""

    def __init__(self, group: Group, pooled: bool) -> None:
        self.group, self.pooled = group, pooled
        counts = [1 if pooled else len(row.reads) for row in group.rows]
        self.first = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        self.total = int(sum(counts))
        self._targets: Tensor | None = None

    def take(self, nodes: Sequence[Node], batch: list[int], width: int) -> Take | None:
        """What to read of a batch that is `width` tokens wide; None where nothing is."""
        positions: list[int] = []
        targets: list[int] = []
        sources: list[int] = []
        shares: list[float] = []
        for i, place in enumerate(batch):
            node = nodes[place]
            offset = i * width - node.start
            read: dict[int, int] = {}
            for member in node.rows:
                row = self.group.rows[member]
                low, high = np.searchsorted(row.reads, (node.start, node.stop))
                for which in range(int(low), int(high)):
                    position = int(row.reads[which])
                    if position not in read:
                        read[position] = len(positions)
                        positions.append(offset + position)
                    targets.append(int(self.first[member]) + (0 if self.pooled else which))
                    sources.append(read[position])
                    shares.append(1 / len(row.reads) if self.pooled else 1.0)
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
        """Add what the last `take` read to the rows that it belongs to."""
        assert self._targets is not None
        out.index_add_(0, self._targets.to(out.device), values)


def _levels(nodes: Sequence[Node]) -> list[list[int]]:
    """Places of the nodes by how many nodes lie before them."""
    depth: list[int] = []
    levels: list[list[int]] = []
    for place, node in enumerate(nodes):
        depth.append(depth[node.parent] + 1 if node.parent >= 0 else 0)
        if depth[place] == len(levels):
            levels.append([])
        levels[depth[place]].append(place)
    return levels


def _gathered(held: dict[int, KeyValues], parents: list[int], past: int) -> KeyValues:
    """The keys and values before each row of a batch, padded on the left to `past` positions."""
    if len(set(parents)) == 1:
        return KeyValues(
            tuple(
                (k.expand(len(parents), -1, -1, -1), v.expand(len(parents), -1, -1, -1))
                for k, v in held[parents[0]].layers
            )
        )
    known = [held.get(parent) for parent in parents]
    example = next(one for one in known if one is not None)
    layers = []
    for layer, pair in enumerate(example.layers):
        both = []
        for part, tensor in enumerate(pair):
            whole = tensor.new_zeros(len(parents), tensor.shape[1], past, tensor.shape[3])
            for i, one in enumerate(known):
                if one is not None:
                    own = one.layers[layer][part]
                    whole[i, :, past - own.shape[2] :] = own[0]
            both.append(whole)
        layers.append((both[0], both[1]))
    return KeyValues(tuple(layers))


def _relative(found: Tensor, expected: Tensor) -> float:
    """Largest difference of any layer, as a share of that layer's size."""
    difference = (found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp(min=1e-12)
    return float(difference.max()) if bool(torch.isfinite(difference).all()) else float("inf")


def _to(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _free_memory(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
