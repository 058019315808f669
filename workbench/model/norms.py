"""How a model's MLP output is changed before it is added to the residual stream."""

from workbench.model.model import Model

_AFTER_THE_MLP = ("post_feedforward_layernorm", "post_mlp_layernorm")


def normalises_mlp_output(model: Model) -> bool:
    """Whether a norm stands between the MLP and the residual stream (Gemma 2 and 3, OLMo 2, GLM-4)."""
    return any(name.rsplit(".", 1)[-1] in _AFTER_THE_MLP for name, _ in model.network.named_modules())


def residual_multiplier(model: Model) -> float:
    """The factor by which the MLP's output is multiplied on its way to the residual stream; not 1 in Granite."""
    return float(getattr(getattr(model.network, "config", None), "residual_multiplier", 1.0))
