"""Where a model's norms stand."""

from workbench.model.model import Model


def normalises_mlp_output(model: Model) -> bool:
    """Whether a norm stands between the MLP and the residual stream (Gemma 2 and 3, OLMo 2)."""
    return any(name.rsplit(".", 1)[-1] == "post_feedforward_layernorm" for name, _ in model.network.named_modules())
