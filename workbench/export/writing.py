"""What an edit writes to the residual stream, which is the form that other programs can read an edit in."""

from jaxtyping import Float
from torch import Tensor

from workbench.edit.applying import check_fits
from workbench.edit.edit import AnyEdit
from workbench.model.model import Model
from workbench.model.norms import half_multiplier, mlp_out_multiplier, normalises_mlp_output
from workbench.vocabulary import HOOK_POST, MLP_OUT, RESID_POST


def residual_writes(model: Model, edit: AnyEdit) -> dict[int, Float[Tensor, " d_model"]]:
    """What an edit adds to the residual stream at the end of each block that it touches, gamma included, in float64.

    A constant added at `hook_post` is `delta @ W_out` there, times the residual multiplier of a model that has one;
    at `mlp_out` and `resid_post` it is the delta itself.

    Raises:
        ValueError: if the edit does not fit the model, does not add constants, or acts elsewhere; or if the block
            normalises the MLP's output before it is added, so that the sum is no constant.
    """
    check_fits(model, edit)
    if edit.site not in (HOOK_POST.name, MLP_OUT.name, RESID_POST.name):
        raise ValueError(
            f"Only edits at hook_post, mlp_out and resid_post add a constant to the residual stream, but this one is "
            f"at {edit.site}."
        )
    if edit.site == RESID_POST.name:
        return {layer: edit.delta(layer).double() for layer in edit.layers}
    if normalises_mlp_output(model):
        raise ValueError(
            f"{model.name} normalises the MLP's output before it is added to the residual stream, so that what an "
            "edit writes depends on the input and is no constant."
        )
    if edit.site == MLP_OUT.name:
        return {layer: mlp_out_multiplier(model, layer) * edit.delta(layer).double() for layer in edit.layers}
    share = half_multiplier(model, "mlp")
    return {layer: share * write for layer, write in projected_writes(model, edit).items()}


def projected_writes(model: Model, edit: AnyEdit) -> dict[int, Float[Tensor, " d_model"]]:
    """What an edit at `hook_post` adds to the down projection's output, gamma included, in float64.

    Raises:
        ValueError: if the edit does not fit the model, does not add constants, or acts elsewhere.
    """
    check_fits(model, edit)
    if edit.site != HOOK_POST.name:
        raise ValueError(f"Only an edit at hook_post passes through the down projection, but this is at {edit.site}.")
    return {layer: edit.delta(layer).double() @ model.w_out(layer).cpu().double() for layer in edit.layers}
