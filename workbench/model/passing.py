"""What a hook needs to know about the forward pass in which it fires."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Phase = Literal["prompt", "decode"]


@dataclass(frozen=True)
class Pass:
    """The forward pass that is running, for hooks that need to know what each position is.

    Attributes:
        phase: `prompt`, whose last position gives the logits of the first new token, or `decode`, one decode step.
        real: which positions are tokens rather than padding.
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
