"""Edits made ready to run: at each site and layer a list of operations, each for every edit of a run at once."""

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
        tables: its operands, each `(edit and none, width)`: a row for each edit of the run and one for "no edit". The
            operands of a unit that an edit does not have leave it as it is.
        edits: the indices of the edits that act in it.
        masks: by edit, the share of units that its mask leaves alone, and its seed.
        layer: so that layers draw different masks.
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
        operands = [table[0] if which is None else table[which][:, None] for table in tables]
        changed = operate(self.operation, h, operands)
        if not self.masks or steps is None:
            return changed
        edited = self._edited_units(steps.clamp(min=0).cpu())
        rows = torch.zeros(len(h), dtype=torch.int64) if which is None else which.cpu()
        return torch.where(edited[steps.clamp(min=0).cpu(), rows[:, None]].to(h.device), changed, h)

    def _edited_units(self, steps: Tensor) -> Tensor:
        """Which units the masks let each edit change at each step: `(step, edit and none, width)`."""
        edits, width = self.tables[0].shape
        edited = torch.ones(int(steps.max()) + 1, edits, width, dtype=torch.bool)
        for step in set(steps.flatten().tolist()):
            for edit, (share, seed) in self.masks.items():
                generator = torch.Generator().manual_seed(((seed * 1_000_003 + self.layer) * 1_000_003 + step) % 2**63)
                edited[step, edit] = torch.rand(width, generator=generator) >= share
        return edited


def operate(operation: str, h: Tensor, operands: Sequence[Tensor]) -> Tensor:
    """An operation on activations, with the operands of a stage."""
    if operation == "add":
        return h + operands[0]
    if operation == "scale":
        return h * operands[0]
    if operation == "set":
        return torch.lerp(h, operands[1], operands[0])
    return torch.minimum(h, operands[0])


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
    """What edits do at a site and layer, one operation after the other.

    Each edit's parts follow each other in their order. Edits share a stage where their parts of the same turn have the
    same operation.

    Args:
        parts: the parts of each edit.
    """
    acting: dict[tuple[int, str], dict[int, tuple[Edit, Tensor]]] = {}
    for edit, several in enumerate(parts):
        turn = 0
        for part in several:
            units = part.layer == layer
            if part.acts and part.site == site and bool(units.any()):
                acting.setdefault((turn, part.operation), {})[edit] = (part, units)
                turn += 1
    stages = []
    for (_, operation), by_edit in sorted(acting.items(), key=lambda item: item[0]):
        width = next(part.width for part, _ in by_edit.values())
        tables = tuple(torch.full((len(parts) + 1, width), neutral) for neutral in NEUTRAL[operation])
        for edit, (part, units) in by_edit.items():
            for table, operand in zip(tables, _operands(part, part.value[units]), strict=True):
                table[edit, part.unit[units]] = operand
        masks = {edit: (part.mask, part.seed) for edit, (part, _) in by_edit.items() if part.mask}
        stages.append(Stage(operation, tables, frozenset(by_edit), masks, layer))
    return stages
