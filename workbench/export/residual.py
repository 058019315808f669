"""Directions of the residual stream, a vector a block, as an edit."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from workbench.edit.edit import Edit
from workbench.vocabulary import RESID_POST, sign_of


def residual_arm(
    vectors: Mapping[int, Float[Tensor, " d_model"]],
    *,
    name: str,
    trait: str,
    method: str,
    layers: Sequence[int] | None,
    direction: str,
    gamma: float,
) -> Edit:
    """Add, or to decrease the trait subtract, each block's vector after that block.

    Args:
        vectors: by 0-based block, pointing to more of the trait.
        name: the file that they come from.
        layers: those to edit; all that there are if None.

    Raises:
        ValueError: naming the layers that the file lacks.
    """
    sign = sign_of(direction)
    wanted = sorted(vectors) if layers is None else sorted(set(layers))
    missing = [layer for layer in wanted if layer not in vectors]
    if missing or not wanted:
        raise ValueError(
            f"{name} holds vectors of layers {sorted(vectors)}, but {missing or 'no layer'} was asked for."
        )
    return Edit.of(
        {layer: sign * vectors[layer] for layer in wanted},
        trait=trait,
        method=method,
        direction=direction,
        site=RESID_POST.name,
        gamma=gamma,
        provenance={"source": name, "format": method},
    )
