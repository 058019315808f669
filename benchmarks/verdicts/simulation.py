"""What a part of the benchmark offers: simulated studies and the verdicts that the workbench reaches on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.outcome.finding import Verdict

World = Literal["null", "true", "opposite"]
"""`null`, nothing is there (of a claim with a margin: the truth lies on the margin); `true`, what the claim says holds;
`opposite`, its opposite does."""

Size = Literal["small", "demo"]
"""How much data a study has: as few as a first trial, or as much as the demo."""


@dataclass(frozen=True)
class Simulation:
    """One kind of simulated study.

    Attributes:
        claims: ids of the claims that it judges, as in `Claim.id`; of a family such as `costs-less:broad`, one member.
        judge: the verdict on each claim in one study of a world and a size, drawn with a seed. A claim that a world
            does not bear on is left out.
    """

    claims: tuple[str, ...]
    judge: Callable[[World, Size, int], Mapping[str, Verdict]]
