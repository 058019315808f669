"""Edits made ready to run: at each site and layer, one operation after the other, for every edit of a run at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.edit import Edit

Tables = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Stage:
    """One operation at one site and layer.

    Attributes:
        operation: see `Edit`.
        tables: its operands, each `(edit and none, width)`; where an edit leaves a unit alone, so do its operands.
        edits: the edits that act in it, by their places in the run.
        masks: by edit, the share that its mask leaves alone, and its seed.
        layer: where it is, so that layers draw different masks.
    """

    operation: str
    tables: Tables
    edits: frozenset[int]
    masks: dict[int, tuple[float, int]]
    layer: int
    _cached: dict[tuple[torch.device, torch.dtype], Tables] = field(default_factory=dict)

    def at(self, device: torch.device, dtype: torch.dtype) -> Tables:
        """The operands where the activations are, moved there once."""
        key = (device, dtype)
        if key not in self._cached:
            self._cached[key] = tuple(table.to(device, dtype) for table in self.tables)
        return self._cached[key]

    def apply(self, h: Tensor, which: Int[Tensor, " batch"] | None, steps: Int[Tensor, "#batch pos"] | None) -> Tensor:
        """What becomes of activations `(batch, pos, width)`.

        Args:
            which: each row's edit; None where all rows have the first.
            steps: each position's step of the answer; only masks need it.
        """
        tables = self.at(h.device, h.dtype)
        own = [table[0] if which is None else table[which][:, None] for table in tables]
        changed = operate(self.operation, h, own)
        if not self.masks or steps is None:
            return changed
        kept = self._kept(steps.clamp(min=0).cpu())
        rows = torch.zeros(len(h), dtype=torch.int64) if which is None else which.cpu()
        return torch.where(kept[steps.clamp(min=0).cpu(), rows[:, None]].to(h.device), changed, h)

    def _kept(self, steps: Tensor) -> Tensor:
        """By step and edit, which units are edited: `(step, edit and none, width)`."""
        edits, width = self.tables[0].shape
        kept = torch.ones(int(steps.max()) + 1, edits, width, dtype=torch.bool)
        for step in set(steps.flatten().tolist()):
            for edit, (share, seed) in self.masks.items():
                generator = torch.Generator().manual_seed(((seed * 1_000_003 + self.layer) * 1_000_003 + step) % 2**63)
                kept[step, edit] = torch.rand(width, generator=generator) >= share
        return kept


def operate(operation: str, h: Tensor, own: Sequence[Tensor]) -> Tensor:
    """An operation on activations, with the operands of a stage."""
    if operation == "add":
        return h + own[0]
    if operation == "scale":
        return h * own[0]
    if operation == "set":
        return torch.lerp(h, own[1], own[0])
    return torch.minimum(h, own[0])


NEUTRAL = {"add": (0.0,), "scale": (1.0,), "set": (0.0, 0.0), "cap": (torch.inf,)}
"""By operation, the operands that leave h as it is."""


def _operands(part: Edit, value: Float[Tensor, " k"]) -> tuple[Float[Tensor, " k"], ...]:
    if part.operation == "add":
        return (part.gamma * value,)
    if part.operation == "scale":
        return (1 + part.gamma * (value - 1),)
    if part.operation == "set":
        return (torch.full_like(value, part.gamma), value)
    return (value,)


def stages_at(parts: Sequence[Sequence[Edit]], site: str, layer: int) -> list[Stage]:
    """What each edit's parts do at a site and layer, in their order; like operations of like place share a stage."""
    told: dict[tuple[int, str], dict[int, tuple[Edit, Tensor]]] = {}
    for number, own in enumerate(parts):
        place = 0
        for part in own:
            here = part.layer == layer
            if part.acts and part.site == site and bool(here.any()):
                told.setdefault((place, part.operation), {})[number] = (part, here)
                place += 1
    stages = []
    for (_, operation), found in sorted(told.items(), key=lambda item: item[0]):
        width = next(part.width for part, _ in found.values())
        tables = tuple(torch.full((len(parts) + 1, width), neutral) for neutral in NEUTRAL[operation])
        for number, (part, here) in found.items():
            for table, operand in zip(tables, _operands(part, part.value[here]), strict=True):
                table[number, part.unit[here]] = operand
        masks = {number: (part.mask, part.seed) for number, (part, _) in found.items() if part.mask}
        stages.append(Stage(operation, tables, frozenset(found), masks, layer))
    return stages
