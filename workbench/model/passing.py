"""What a hook must know of the forward pass that it is part of."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Phase = Literal["prompt", "decode"]

_FIRST_STEP = {"generated": 0, "decode": 1}
"""The step of an answer at which a scope begins; `all` has none."""


@dataclass(frozen=True)
class Pass:
    """The forward pass under way, for hooks that must know which positions are what.

    Attributes:
        phase: the prompt (with its last position, whose logits give the first new token), or one decode step.
        real: which positions are tokens rather than padding, which stands on the left.
        rows: which prompt of the run each batch row is.
        step: where a pass holds more than whole prompts: each position's step of the answer. Below 0 it is
            inside the prompt, 0 is the prompt's last position, from 1 on it is the answer itself.
    """

    phase: Phase
    real: Bool[Tensor, "batch pos"]
    rows: Int[Tensor, " batch"]
    step: Int[Tensor, "batch pos"] | None = None

    def steps(self) -> Int[Tensor, "batch pos"]:
        """Each position's step of the answer; of whole prompts, 0 at the last position and -1 before it."""
        if self.step is not None:
            return self.step
        if self.phase == "decode":
            return torch.ones_like(self.real, dtype=torch.int64)
        steps = torch.full_like(self.real, -1, dtype=torch.int64)
        steps[:, -1] = 0
        return steps

    def mask(self, scope: str) -> Bool[Tensor, "batch pos"]:
        """Which positions a scope covers; padding is in none.

        Args:
            scope: `all`; `generated`, the prompt's last position and the answer; or `decode`, the answer alone.

        Example:
            >>> prompt = Pass("prompt", torch.ones(1, 3, dtype=torch.bool), torch.tensor([0]))
            >>> [prompt.mask(scope).int().tolist() for scope in ("all", "generated", "decode")]
            [[[1, 1, 1]], [[0, 0, 1]], [[0, 0, 0]]]
        """
        return self.real if scope == "all" else self.real & (self.steps() >= _FIRST_STEP[scope])
