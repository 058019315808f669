"""What a hook must know of the forward pass that it is part of."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Int
from torch import Tensor

Phase = Literal["prompt", "decode"]


@dataclass(frozen=True)
class Pass:
    """The forward pass under way, for hooks that must know which positions are what.

    Attributes:
        phase: the prompt (with its last position, whose logits give the first new token), or one decode step.
        real: which positions are tokens rather than padding.
        rows: which prompt of the run each batch row is.
    """

    phase: Phase
    real: Bool[Tensor, "batch pos"]
    rows: Int[Tensor, " batch"]
