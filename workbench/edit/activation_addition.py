"""Activation addition: the difference between two prompts' activations, added to the residual stream of one layer."""

from workbench.capture.capturing import capture
from workbench.contrast.contrast import Contrast
from workbench.edit.edit import Edit
from workbench.model.model import Model
from workbench.vocabulary import RESID_POST, Pole, sign_of

# Turner et al. add "Love" minus "Hate" to the input of layer 6 of GPT-2-XL's 48.
PUBLISHED_LAYER, PUBLISHED_LAYERS = 6, 48


def published_layer(n_layers: int) -> int:
    """The layer at whose input activations are added: as deep in a model of `n_layers` as was published, at least 1.

    Example:
        >>> published_layer(48), published_layer(32), published_layer(4)
        (6, 4, 1)
    """
    return max(1, round(n_layers * PUBLISHED_LAYER / PUBLISHED_LAYERS))


def activation_addition(
    model: Model,
    trait: str,
    *,
    toward: str,
    away: str,
    layer: int | None = None,
    direction: str = "increase",
    gamma: float = 1.0,
) -> Edit:
    """ActAdd: the activations of one raw text minus those of another, added to the residual stream times gamma.

    Both are read at the text's last token, at the input of the layer, which is the output of the one before it.
    Published, the difference is added to the first positions of the prompt, token by token; here it is one vector, and
    the scope of a run says where it is added.

    Args:
        toward, away: the two texts, e.g. "Love" and "Hate".
        layer: the layer to whose input it is added, from 1; by default `published_layer`.
        direction: the edit's direction, `increase` where `toward` shows the high pole. It changes no number.
        gamma: the coefficient; 5 for "Love" minus "Hate" as published.

    Returns:
        an edit at `resid_post` of the layer before.

    Raises:
        ValueError: for an unknown direction, a layer that is not there, or two texts that are the same.

    Reference:
        Turner et al. (2023), Steering Language Models With Activation Engineering, arXiv 2308.10248.
    """
    sign_of(direction)
    at = published_layer(model.n_layers) if layer is None else layer
    if not 1 <= at < model.n_layers:
        raise ValueError(f"Activations are added at layer 1 to {model.n_layers - 1}, but layer {at} arrived.")
    if toward == away:
        raise ValueError(f"Activation addition needs two texts, but {toward!r} came twice.")
    # A contrast has two rows at least; equal ones have the mean of one.
    pair = Contrast.from_texts(trait, high=[toward] * 2, low=[away] * 2)
    read = capture(model, pair, site=RESID_POST, layers=(at - 1,))
    difference = (read.moments[Pole.HIGH].mean - read.moments[Pole.LOW].mean)[0]
    return Edit.of(
        {at - 1: difference.float()},
        trait=trait,
        method="ActAdd",
        direction=direction,
        site=RESID_POST.name,
        gamma=gamma,
        provenance={**read.provenance, "toward": toward, "away": away, "layer": str(at)},
    )
