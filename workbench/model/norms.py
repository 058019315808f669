"""How the output of a block's halves, attention and MLP, is changed before it is added to the residual stream."""

import math
from typing import Any, Literal

from torch import nn

from workbench.model.model import Model

Half = Literal["attention", "mlp"]
"""The two parts of a block that write to the residual stream."""

_AFTER_THE_MLP = ("post_feedforward_layernorm", "post_mlp_layernorm")
_AFTER: dict[Half, str] = {"attention": "ln1_post", "mlp": "ln2_post"}


def normalises_mlp_output(model: Model) -> bool:
    """Whether a norm stands between the MLP and the residual stream (Gemma 2 and 3, OLMo 2, EXAONE 4, GLM-4)."""
    return _has_norm_after(model.network)


def _has_norm_after(module: nn.Module) -> bool:
    return any(name.rsplit(".", 1)[-1] in _AFTER_THE_MLP for name, _ in module.named_modules())


def norm_after(model: Model, layer: int, half: Half) -> nn.Module | None:
    """The norm between a half of a block and the residual stream; None where there is none.

    Raises:
        ValueError: if the block has such a norm, but TransformerLens does not show it.
    """
    block = model.hooked.blocks[layer]
    norm: Any = getattr(block, _AFTER[half], None)
    if norm is None and half == "mlp" and _has_norm_after(getattr(block, "original_component", block)):
        raise ValueError(
            f"{model.name} normalises the MLP's output before it is added to the residual stream, but TransformerLens "
            f"does not show the norm of layer {layer} as {_AFTER[half]}."
        )
    return norm


def residual_multiplier(model: Model) -> float:
    """What a half's output is multiplied by on its way to the residual stream; not 1 in Granite and MiniCPM."""
    config = getattr(model.network, "config", None)
    multiplier = getattr(config, "residual_multiplier", None)
    if multiplier is not None:
        return float(multiplier)
    depth = getattr(config, "scale_depth", None)  # MiniCPM's
    return 1.0 if depth is None else float(depth) / math.sqrt(model.n_layers)


def half_multiplier(model: Model, half: Half) -> float:
    """What a half's output projection is multiplied by on its way to the residual stream; Falcon-H1 has one of each."""
    config = getattr(model.network, "config", None)
    own = getattr(config, "attention_out_multiplier", None)
    if half == "mlp":
        own = (getattr(config, "mlp_multipliers", None) or (None, None))[1]
    return residual_multiplier(model) * (1.0 if own is None else float(own))


def mlp_out_multiplier(model: Model, layer: int) -> float:
    """What a value of the site `mlp_out` is multiplied by on its way to the residual stream.

    1 where TransformerLens hooks what is added, as it does in Granite from release 4 on.
    """
    scaled = hasattr(model.hooked.blocks[layer], "residual_contribution_scale")
    return 1.0 if scaled else residual_multiplier(model)
