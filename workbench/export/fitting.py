"""Whether a file fits a model: its blocks, width, architecture and weights."""

from collections.abc import Collection
from typing import Any

from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from workbench.model.model import Model
from workbench.vocabulary import Site


def model_type(model: Model) -> str:
    """Hugging Face's name of the architecture, e.g. `llama`.

    Raises:
        ValueError: if the model does not say it.
    """
    config: Any = getattr(model.network, "config", None)
    if isinstance(getattr(config, "model_type", None), str) and config.model_type:
        return config.model_type
    named = getattr(model.hooked.cfg, "original_architecture", None)
    for kind, classes in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items():
        if named is not None and named in ([classes] if isinstance(classes, str) else classes):
            return kind
    raise ValueError(f"{model.name} does not say which architecture it is. Load it with load_model.")


def check_same_weights(model: Model, name: str, fingerprint: str | None, *, any_weights: bool = False) -> None:
    """Refuse a file that names other weights than the model's; a file that names none is accepted.

    Raises:
        ValueError: with both fingerprints.
    """
    if fingerprint and not any_weights and fingerprint != model.fingerprint:
        raise ValueError(
            f"{name} was made on weights {fingerprint[:12]}, but {model.name} has {model.fingerprint[:12]}. Load the "
            "model that it was made on, or pass any_weights=True (--any-weights) if it is the same one in another "
            "number type."
        )


def check_shape(
    model: Model, name: str, *, site: Site, width: int, layers: Collection[int] = (), n_layers: int | None = None
) -> None:
    """Refuse a file whose width or layers are not the model's.

    Args:
        layers: the layers that the file reaches, 0-based.
        n_layers: how many blocks the file says that its model has.

    Raises:
        ValueError: with both values.
    """
    model_width = model.width(site, sorted(layer for layer in layers if layer < model.n_layers))
    if width != model_width:
        raise ValueError(
            f"{name} is for a {site.name} of width {width}, but {model.name} has {model_width}. Use a file made for "
            "this model."
        )
    if n_layers is not None and n_layers != model.n_layers:
        raise ValueError(f"{name} is for a model of {n_layers} blocks, but {model.name} has {model.n_layers}.")
    if layers and max(layers) >= model.n_layers:
        raise ValueError(f"{name} reaches layer {max(layers)}, but {model.name} has layers 0 to {model.n_layers - 1}.")
