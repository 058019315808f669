"""The words that every floor shares: traits, poles, directions, scopes, sites and sets of neurons.

`NeuronSet` is loaded when it is first used, so that code that needs only names does not wait for torch.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import lazy_loader

if TYPE_CHECKING:
    from workbench.vocabulary.neuron_set import NeuronSet as NeuronSet

__all__ = [
    "Axis",
    "BIG_FIVE",
    "Direction",
    "NEUTRAL_KINDS",
    "NeuronSet",
    "Pole",
    "SCOPES",
    "SITES",
    "Site",
    "neutral_id",
    "neutral_kind",
    "site_named",
]
__getattr__, _, _ = lazy_loader.attach(__name__, submod_attrs={"neuron_set": ["NeuronSet"]})


def __dir__() -> list[str]:
    return __all__


BIG_FIVE: tuple[str, ...] = (
    "Openness",
    "Conscientiousness",
    "Extraversion",
    "Agreeableness",
    "Neuroticism",
)
"""The traits of the built-in bank and of the embedded model."""


def big_five(name: str) -> str:
    """The Big Five trait called `name`, whatever its capitals.

    Raises:
        ValueError: for any other name.

    Example:
        >>> big_five("extraversion")
        'Extraversion'
    """
    for trait in BIG_FIVE:
        if trait.casefold() == name.strip().casefold():
            return trait
    raise ValueError(f"There is no Big Five trait {name!r}. Choose one of {', '.join(BIG_FIVE)}.")


class Pole(StrEnum):
    """One side of a contrast. A pole equals its string, so `"high"` works wherever a pole does."""

    HIGH = "high"
    LOW = "low"
    NEUTRAL = "neutral"


NEUTRAL_KINDS: tuple[str, ...] = ("none", "persona")
"""How a neutral prompt can be made: with no system prompt, or with a persona that shows no trait."""


def neutral_id(kind: str, name: str) -> str:
    """The description id of a neutral prompt, from which its kind can be told.

    Args:
        kind: one of `NEUTRAL_KINDS`.
        name: of `none`, the question, as nothing else varies; of `persona`, the persona.

    Example:
        >>> neutral_id("none", "question 7")
        'none: question 7'
    """
    assert kind in NEUTRAL_KINDS
    return f"{kind}: {name}"


def neutral_kind(description: str) -> str:
    """The kind that a neutral prompt's description id tells; `neutral` if it tells none.

    Example:
        >>> neutral_kind("persona: You own a lamp."), neutral_kind("7")
        ('persona', 'neutral')
    """
    kind = description.partition(": ")[0]
    return kind if kind in NEUTRAL_KINDS else "neutral"


class Direction(StrEnum):
    """Which way an edit moves a trait. A direction equals its string, so `"increase"` works wherever one does.

    Example:
        >>> Direction("decrease").sign, Direction.INCREASE == "increase"
        (-1.0, True)
    """

    INCREASE = "increase"
    DECREASE = "decrease"

    @property
    def sign(self) -> float:
        """1.0 to increase, -1.0 to decrease."""
        return 1.0 if self is Direction.INCREASE else -1.0


SIGN: dict[str, float] = {direction.value: direction.sign for direction in Direction}
"""The sign of each direction, by its string."""


def sign_of(direction: str) -> float:
    """1.0 to increase a trait, -1.0 to decrease it.

    Raises:
        ValueError: for any other direction.
    """
    if direction not in SIGN:
        raise ValueError(f"The direction is increase or decrease, but {direction!r} arrived.")
    return SIGN[direction]


Scope = Literal["all", "generated", "decode"]
"""Which positions are edited. `all`: every one. `generated`: the last prompt position and every later one, so that the
first new token is steered. `decode`: decode steps alone, as published, so that the first new token is not steered."""

SCOPES: tuple[Scope, ...] = ("all", "generated", "decode")


class Axis(StrEnum):
    """What the last axis of a site holds."""

    NEURONS = "neurons"
    """MLP neurons, `d_mlp` of them."""
    RESIDUAL = "residual"
    """Coordinates of the residual stream, `d_model` of them."""
    HEADS = "heads"
    """Attention heads side by side, `n_heads * d_head` of them."""


@dataclass(frozen=True)
class Site:
    """A place in every block where activations can be read and edited.

    Attributes:
        name: its name, e.g. `hook_post`.
        pattern: TransformerLens' hook name with `{layer}` in it.
        axis: what its last axis holds.
    """

    name: str
    pattern: str
    axis: Axis

    def hook(self, layer: int) -> str:
        """TransformerLens' hook name at `layer`.

        Example:
            >>> HOOK_POST.hook(3)
            'blocks.3.mlp.hook_post'
        """
        return self.pattern.format(layer=layer)


HOOK_POST = Site("hook_post", "blocks.{layer}.mlp.hook_post", Axis.NEURONS)
"""The down projection's input: what DPN-LE reads and edits."""
HOOK_PRE = Site("hook_pre", "blocks.{layer}.mlp.hook_pre", Axis.NEURONS)
"""The activation function's input, in a gated MLP the gate's projection; NPTI counts a neuron as active where it is
positive."""
MLP_OUT = Site("mlp_out", "blocks.{layer}.hook_mlp_out", Axis.RESIDUAL)
"""What the MLP writes to the residual stream."""
RESID_MID = Site("resid_mid", "blocks.{layer}.hook_resid_mid", Axis.RESIDUAL)
"""The residual stream between attention and MLP; a block that computes both in parallel has none."""
RESID_POST = Site("resid_post", "blocks.{layer}.hook_resid_post", Axis.RESIDUAL)
"""The residual stream as it leaves the block."""
Z = Site("z", "blocks.{layer}.attn.hook_z", Axis.HEADS)
"""What each attention head reads, before the output projection."""
HOOK_PRE_LINEAR = Site("hook_pre_linear", "blocks.{layer}.mlp.hook_pre_linear", Axis.NEURONS)
"""The projection by which a gated MLP multiplies the activation function's output; other MLPs have none."""
ACT = Site("act", "blocks.{layer}.mlp.hook_act", Axis.NEURONS)
"""The activation function's output, before a gated MLP's product; NPTI edits it. TransformerLens has no hook there, so
it is not captured; an edit reaches it through `hook_pre` and `hook_post`."""
SITES: dict[str, Site] = {site.name: site for site in (HOOK_POST, HOOK_PRE, MLP_OUT, RESID_MID, RESID_POST, Z)}


def site_named(site: str | Site) -> Site:
    """The site called `site`.

    Raises:
        ValueError: for a name that is no site.
    """
    if isinstance(site, Site):
        return site
    if site == ACT.name:
        return ACT
    if site not in SITES:
        raise ValueError(f"There is no site {site!r}. Choose one of {', '.join(SITES)}.")
    return SITES[site]
