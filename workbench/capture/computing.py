"""Runs a group of prompts through the model, shared beginnings first, in batches that fit on the device."""

import gc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.layout import Layout, levels
from workbench.capture.plan import Group, Node
from workbench.capture.reading import Reader, Take
from workbench.model.loop import NARROW_TOLERANCE, TOLERANCE
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import cheapest_runs
from workbench.model.runner import KeyValues

_PAST_PER_TOKEN = 8  # a batch may attend to at most this many times the positions that it computes
_PASS_COST = 64  # a pass costs as much as this many tokens, besides those that it computes

Read = dict[str, Float[Tensor, "row layer width"]]


@dataclass
class Budget:
    """How much a batch may hold; it shrinks when the device runs out of memory, and does not grow again.

    Attributes:
        max_tokens: tokens computed in one batch, padding counted.
    """

    max_tokens: int

    def halve(self, rows: int, width: int) -> None:
        """Halve the budget after a batch of `rows` by `width` tokens did not fit.

        Raises:
            MemoryError: if the batch was a single row.
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
        min_saving: the least number of tokens that sharing a beginning must save; with None nothing is shared.
        pad: whether prompts of different length may share a batch.
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
        """The values that are read of every prompt of a group, in the group's order and then by position.

        If the model cannot continue shared keys and values, each prompt is computed whole, in batches of one length,
        and a warning says so.
        """
        loop = self.model.loop
        if not (loop.caches and loop.pads) or any(loop.lengths.group(len(one.tokens)) for one in group.prompts):
            self.min_saving = None
        self.pad &= loop.pads
        nodes = group.nodes(None if self.model.per_row else self.min_saving)
        if any(not node.leaf for node in nodes) and not self._shares(group, nodes):
            self.min_saving, self.pad = None, False
            nodes = group.nodes(None)
        return self._all(group, nodes, pooled)

    def _all(self, group: Group, nodes: list[Node], pooled: bool) -> Read:
        layout = Layout(group, pooled)
        out: Read = {}
        cached: dict[int, KeyValues] = {}  # of shared beginnings, until the last node that follows has been computed
        waiting = [0] * len(nodes)  # how many nodes that follow each are still to be computed
        for node in nodes:
            if node.parent >= 0:
                waiting[node.parent] += 1
        for level in levels(nodes):
            batches = self._batches(nodes, level)
            while batches:
                batch = batches.pop(0)
                try:
                    read, beginnings = self._pass(group, nodes, batch, cached, layout)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    if not _out_of_memory(error):
                        raise
                else:
                    for name, values in read.items():
                        if name not in out:
                            out[name] = values.new_zeros(layout.total, *values.shape[1:])
                        layout.put(out[name], values)
                    cached.update(beginnings)
                    if self.count is not None:
                        self.count(sum(len(nodes[number].members) for number in batch if nodes[number].leaf))
                    for number in batch:
                        parent = nodes[number].parent
                        if parent >= 0:
                            waiting[parent] -= 1
                            if not waiting[parent]:
                                del cached[parent]
                    continue
                # Outside the handler, whose traceback would keep the failed pass in memory.
                _free_memory(self.model.device)
                widths = [nodes[number].stop - nodes[number].start for number in batch]
                self.budget.halve(len(batch), max(widths))
                half = (len(batch) + 1) // 2
                batches[:0] = [batch[:half], batch[half:]]
        return out

    def _batches(self, nodes: Sequence[Node], level: list[int]) -> list[list[int]]:
        """A level's nodes in batches of similar length, longest first, chosen so that padding and passes cost least."""
        lengths = self.model.loop.lengths
        order = sorted(level, key=lambda number: (nodes[number].start - nodes[number].stop, nodes[number].parent))
        widths = [nodes[number].stop - nodes[number].start for number in order]
        pasts = [nodes[number].start for number in order]

        kinds = [lengths.group(nodes[number].stop) for number in order]

        past = 0

        def cost(begin: int, end: int) -> int | None:
            nonlocal past
            size, width = end - begin, widths[begin]
            past = max(past, pasts[begin]) if size > 1 else pasts[begin]
            fits = size * width <= self.budget.max_tokens
            fits &= size * (past + width) <= _PAST_PER_TOKEN * self.budget.max_tokens
            alike = self.pad or (widths[begin], pasts[begin]) == (widths[end - 1], pasts[end - 1])
            alike &= kinds[begin] == kinds[end - 1]
            return None if size > 1 and not (fits and alike) else size * width + _PASS_COST

        return [order[begin:end] for begin, end in cheapest_runs(len(order), cost)]

    def _pass(
        self, group: Group, nodes: Sequence[Node], batch: list[int], cached: dict[int, KeyValues], layout: Layout
    ) -> tuple[Read, dict[int, KeyValues]]:
        """One pass over a batch of nodes: the values read, and the keys and values of shared beginnings."""
        model = self.model
        in_batch = [nodes[number] for number in batch]
        past = max(node.start for node in in_batch)
        width = max(node.stop - node.start for node in in_batch)
        tokens = np.full((len(in_batch), width), model.pad_token, dtype=np.int64)
        attended = np.zeros((len(in_batch), past + width), dtype=bool)
        steps = np.full((len(in_batch), width), -1, dtype=np.int64)
        for i, node in enumerate(in_batch):
            prompt, length = group.prompts[node.members[0]], node.stop - node.start
            # Padding goes before the past and after the new tokens, so that a sliding window never counts padding.
            tokens[i, :length] = prompt.tokens[node.start : node.stop]
            attended[i, past - node.start : past + length] = True
            steps[i, :length] = np.arange(node.start, node.stop) - (prompt.prompt_length - 1)
        take = layout.take(nodes, batch, width)
        device = model.device
        on = torch.from_numpy(attended).to(device)
        shares = any(not node.leaf for node in in_batch)
        cache = None
        if past or shares:
            parents = [node.parent for node in in_batch]
            before = KeyValues.gathered([cached.get(parent) for parent in parents], past) if past else None
            cache = model.runner.new_cache(before, batch=len(in_batch))
        whole = not past and not shares and bool((steps[:, -1] == 0).all())
        under_way = Pass(
            "prompt",
            on[:, past:],
            torch.tensor([group.prompts[node.members[0]].number for node in in_batch]),
            None if whole else torch.from_numpy(steps).to(device),
        )
        with model.passing(under_way):
            read = self.reader.read(
                None if take is None else Take(take.position.to(device), _to(take.weights, device)),
                lambda: model.runner.run(torch.from_numpy(tokens).to(device), on, cache),
            )
        beginnings = {}
        if shares and cache is not None:
            reached = model.runner.key_values(cache)
            if len(reached.layers) <= self.reader.layers[-1]:
                raise ValueError("its cache was not filled up to the last layer read")
            for i, number in enumerate(batch):
                if not nodes[number].leaf:
                    beginnings[number] = reached.row(i, on[i])
        return read, beginnings

    def _shares(self, group: Group, nodes: list[Node]) -> bool:
        """Whether a prompt gets the same values on top of a shared beginning; tested once for each model."""
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
                    "whole, in batches of one length.",
                    stacklevel=2,
                )
        return self.model.shares_beginnings

    def _difference(self, group: Group, nodes: list[Node]) -> str | None:
        """What goes wrong when the longest and the shortest prompt continue shared beginnings; None if nothing does."""
        leaves = sorted((node for node in nodes if node.leaf and node.parent >= 0), key=lambda node: node.stop)
        both = [leaves[-1], leaves[0]][: len(leaves)]
        prompts = [group.prompts[leaf.members[0]] for leaf in both]
        pair = Group(tuple(replace(prompt, reads=np.array([len(prompt.tokens) - 1])) for prompt in prompts))
        halves = [Node(-1, 0, leaf.start, [i], False) for i, leaf in enumerate(both)]
        halves += [Node(i, leaf.start, leaf.stop, [i], True) for i, leaf in enumerate(both)]
        pad, self.pad = self.pad, False
        plain = self._all(pair, [Node(-1, 0, leaf.stop, [i], True) for i, leaf in enumerate(both)], pooled=False)
        self.pad = pad
        if not all(bool(torch.isfinite(values).all()) for values in plain.values()):
            return None  # the run itself names the value that is not finite
        try:
            shared = self._all(pair, halves, pooled=False)
        except (TypeError, AttributeError, ValueError, LookupError, NotImplementedError, RuntimeError) as error:
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            return f"its cache cannot be continued by another prompt's tokens: {message}"
        error = max(_relative(shared[name], plain[name]) for name in plain)
        if error <= TOLERANCE.get(self.model.dtype, NARROW_TOLERANCE):
            return None
        return f"a prompt computed on a shared beginning differs by {error:.1e} of its size from one computed alone"


def _relative(values: Tensor, expected: Tensor) -> float:
    """The largest difference of any layer, as a share of that layer's size."""
    difference = (values - expected).norm(dim=-1) / expected.norm(dim=-1).clamp(min=1e-12)
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
