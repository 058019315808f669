"""Where an edited run acts in one forward pass: what writes the edits there, and records that it has."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.model.passing import Pass

Change = Callable[[Tensor, "Reach"], Tensor]
"""Takes the activations `(batch, pos, width)` from position `Reach.start` on, and gives them all edited."""


class Reach:
    """The positions of a pass that a run edits, and the places (sites and layers) at which it has edited them.

    Attributes:
        step: the pass.
        mask: the positions in scope.
        which: the index of each row's edit; None where all rows have the first.
        start: the first position that is in scope in any row; the pass's length where none is.
        whole: whether every position from there on is in scope in every row.
        ran: the indices of the places whose hooks have run in this pass.
        wrote: those of them at which the positions in `mask` were changed.
    """

    def __init__(self, step: Pass, scope: str, which: Int[Tensor, " batch"] | None = None) -> None:
        self.step = step
        self.mask: Bool[Tensor, "batch pos"] = step.mask(scope)
        self.which = which
        self.start, self.whole = 0, bool(self.mask.all())
        if not self.whole:
            covered = self.mask.any(0).nonzero()[:, 0].tolist()
            self.start = covered[0] if covered else self.mask.shape[1]
            self.whole = bool(self.mask[:, self.start :].all())
        self.ran: set[int] = set()
        self.wrote: set[int] = set()
        self._which_on: dict[torch.device, Tensor] = {}

    def write(self, activation: Tensor, place: int, change: Change) -> Tensor | None:
        """The activations with the positions in scope changed and all others as they were; records the place.

        Returns:
            None, with nothing recorded, if no position is in scope.
        """
        if self.start == activation.shape[1]:
            return None
        self.wrote.add(place)
        if self.start == 0 and self.whole:  # as in every decode step
            return change(activation, self)
        reached = activation[:, self.start :]
        changed = change(reached, self)
        if not self.whole:
            mask = self.mask[:, self.start :].to(activation.device)
            changed = torch.where(mask[..., None], changed, reached)
        return changed if self.start == 0 else torch.cat([activation[:, : self.start], changed], 1)

    def which_on(self, device: torch.device) -> Int[Tensor, " batch"] | None:
        """`which` where the activations are, moved there once a pass."""
        if self.which is None:
            return None
        if device not in self._which_on:
            self._which_on[device] = self.which.to(device)
        return self._which_on[device]

    def written(self) -> dict[str, Int[Tensor, " batch"]]:
        """By phase, how many positions of each row were changed at each place in `wrote`."""
        if self.step.step is None:
            return {self.step.phase: self.mask.sum(1)}
        answered = self.mask & (self.step.step >= 1)
        return {"decode": answered.sum(1), "prompt": (self.mask & ~answered).sum(1)}
