"""The colour and the symbol of each arm, from its role in a study and its rank in the registry of arms."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.arm.registry import BUILT_IN
from workbench.arm.spec import ROLES
from workbench.plots.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

TEAL, ROSE, OLIVE, INDIGO, BROWN = "#17807e", "#b3446c", "#8a6d00", "#4b4f91", "#8c564b"


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn.

    Attributes:
        colour: on light paper; `Look.colour` makes it legible on dark paper.
        symbol: of its points, so that arms can be told apart without colour.
    """

    colour: str
    symbol: str


METHOD = ArmStyle(VERMILLION, "circle")
"""The arm under test, whichever it is."""

_BUILT_IN = {
    "rival": (
        ArmStyle(ORANGE, "circle-open"),
        ArmStyle(TEAL, "pentagon"),
        ArmStyle(PURPLE, "x-thin-open"),
        ArmStyle(ROSE, "hexagon"),
        ArmStyle(OLIVE, "star-triangle-up"),
        ArmStyle(BLUE, "square"),
        ArmStyle(SKY, "triangle-up"),
        ArmStyle(GREEN, "diamond"),
        ArmStyle(BROWN, "triangle-down"),
        ArmStyle(GREEN, "diamond-open"),
    ),
    "control": (
        ArmStyle(GREY, "cross"),
        ArmStyle(INDIGO, "hourglass"),
        ArmStyle(TEAL, "bowtie"),
        ArmStyle(ROSE, "star-square"),
        ArmStyle(OLIVE, "diamond-wide"),
    ),
    "prompt": (ArmStyle(INDIGO, "pentagon"), ArmStyle(TEAL, "hexagon")),
    "reference": (ArmStyle(ROSE, "star-triangle-up"),),
}
"""By role, the styles of built-in arms in the registry's order: they are the same in every study."""

_OTHER_COLOURS = (TEAL, ROSE, OLIVE, INDIGO)
# As many symbols a role as have no factor in common with the colours, so that pairs of both recur late.
_OTHER_SYMBOLS = {
    "method": ("circle-open-dot", "circle-x", "circle-cross"),
    "rival": (
        *("pentagon-open", "hexagon-open", "star-triangle-up-open", "hourglass-open", "bowtie-open"),
        *("star-square-open", "diamond-wide-open"),
    ),
    "control": ("octagon", "hexagram", "star-triangle-down", "star-diamond", "diamond-tall"),
    "prompt": ("octagon-open", "hexagram-open", "star-diamond-open"),
    "reference": ("square-cross", "diamond-cross", "square-x"),
}


def _ranks() -> dict[tuple[str, str], int]:
    """The rank of each built-in arm among those of its role, by name and role."""
    counted: Counter[str] = Counter()
    ranks = {}
    for spec in BUILT_IN:
        ranks[spec.name, spec.role] = counted[spec.role]
        counted[spec.role] += 1
    return ranks


_RANKS = _ranks()
ROLE_OF = {spec.name: spec.role for spec in BUILT_IN}
"""The role of each built-in arm where nobody gives it another."""


def arm_styles(roles: Mapping[str, str]) -> dict[str, ArmStyle]:
    """The style of each arm.

    A built-in arm in its own role has one that does not depend on the other arms. Every other arm takes the next free
    one of its role.

    Args:
        roles: by arm, in the order of tables.

    Raises:
        ValueError: for a role that there is not.

    Example:
        >>> arm_styles({"mine": "method", "DPN-LE": "rival"})["mine"]
        ArmStyle(colour='#D55E00', symbol='circle')
    """
    styles: dict[str, ArmStyle] = {}
    taken: Counter[str] = Counter()
    for arm, role in roles.items():
        if role not in ROLES:
            raise ValueError(f"An arm's role is one of {', '.join(ROLES)}, but {arm!r} has {role!r}.")
        rank = _RANKS.get((arm, role))
        if role == "method" and METHOD not in styles.values():
            styles[arm] = METHOD
        elif rank is not None and rank < len(_BUILT_IN.get(role, ())):
            styles[arm] = _BUILT_IN[role][rank]
        else:
            symbols, number = _OTHER_SYMBOLS[role], taken[role]
            styles[arm] = ArmStyle(_OTHER_COLOURS[number % len(_OTHER_COLOURS)], symbols[number % len(symbols)])
            taken[role] += 1
    return styles
