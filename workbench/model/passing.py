"""What a hook needs to know about the forward pass in which it fires."""

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
    """The forward pass that is running, for hooks that need to know what each position is.

    Attributes:
        phase: `prompt`, whose last position gives the logits of the first new token, or `decode`, one decode step.
        real: which positions are tokens rather than padding, which stands on the left.
        rows: the number of the prompt in the run, for each batch row.
        step: each position's step of the answer, if the pass is not simply whole prompts or one decode step: below 0
            inside the prompt, 0 at the prompt's last position, from 1 on in the answer.
    """

    phase: Phase
    real: Bool[Tensor, "batch pos"]
    rows: Int[Tensor, " batch"]
    step: Int[Tensor, "batch pos"] | None = None

    def steps(self) -> Int[Tensor, "batch pos"]:
        """Each position's step of the answer; for whole prompts, 0 at the last position and -1 before it."""
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
        every = scope == "all" or (self.step is None and self.phase == "decode")  # a decode step is in every scope
        return self.real if every else self.real & (self.steps() >= _FIRST_STEP[scope])
