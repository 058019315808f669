"""What an edit's fields must be: refuses what no maker makes, but a mistake or a hostile file may hold."""

import math

from jaxtyping import Shaped
from torch import Tensor, isfinite

OPERATIONS: tuple[str, ...] = ("add", "scale", "set", "cap")


def check_dose(operation: str, gamma: float, mask: float) -> None:
    """Refuse an unknown operation, and a dose or a mask that it cannot have.

    Raises:
        ValueError: naming what arrived.
    """
    if not math.isfinite(gamma):
        raise ValueError(f"gamma must be finite, but {gamma} arrived.")
    if operation not in OPERATIONS:
        raise ValueError(f"The operation is one of {', '.join(OPERATIONS)}, but {operation!r} arrived.")
    if operation == "cap" and gamma < 0:
        raise ValueError(f"A cap has no opposite, so its gamma is at least 0, but {gamma} arrived.")
    if not 0 <= mask < 1:
        raise ValueError(f"The mask is a share from 0 to below 1, but {mask} arrived.")


def check_units(
    width: int, *, layer: Shaped[Tensor, "..."], unit: Shaped[Tensor, "..."], value: Shaped[Tensor, "..."]
) -> None:
    """Refuse layers, units and values that do not belong together, are out of range or are not finite.

    Raises:
        ValueError: naming the first of them.
    """
    shapes = {"layer": tuple(layer.shape), "unit": tuple(unit.shape), "value": tuple(value.shape)}
    if len(set(shapes.values())) != 1 or unit.ndim != 1:
        raise ValueError(f"An edit's layer, unit and value are one axis of one length, but shapes {shapes} arrived.")
    if any(kind.is_floating_point or kind.is_complex for kind in (layer.dtype, unit.dtype)):
        raise ValueError(f"Layers and units are whole numbers, but {layer.dtype}, {unit.dtype} arrived.")
    if layer.numel() and int(layer.min()) < 0:
        raise ValueError(f"Layers count from 0, but {int(layer.min())} arrived.")
    broken = (~isfinite(value)).nonzero()[:, 0].tolist()
    if broken:
        raise ValueError(
            f"An edit's values must be finite, but layer {int(layer[broken[0]])}, unit {int(unit[broken[0]])} has "
            f"{value[broken[0]].item()}."
        )
    if unit.numel() and not 0 <= int(unit.min()) <= int(unit.max()) < width:
        outside = int(unit.min()) if int(unit.min()) < 0 else int(unit.max())
        raise ValueError(f"Units must lie in 0 to {width - 1}, but {outside} arrived.")


def check_provenance(provenance: object) -> None:
    """Refuse a provenance that is no dictionary.

    Raises:
        ValueError: naming its type.
    """
    if not isinstance(provenance, dict):
        raise ValueError(f"Provenance is text by name, but a {type(provenance).__name__} arrived.")
