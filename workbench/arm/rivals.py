"""Published ways to steer by other means, as strong as the edit of the selected neurons."""

from workbench.arm.context import ArmContext
from workbench.edit.edit import Composite, Edit
from workbench.edit.making import residual_edit
from workbench.edit.rivals import head_edit, npti_edit


def npti(context: ArmContext) -> Composite:
    """NPTI's edit of the gate's neurons."""
    activation = context.model.activation_function(0)
    return npti_edit(context.here.gates, direction=context.direction, gamma=1.0, activation=activation)


def residual(context: ArmContext) -> Edit:
    """The residual stream's mean difference (CAA), matched in norm to what the selected neurons write."""
    edit = context.here.neuron_edit(context.direction)
    w_out = {layer: context.model.w_out(layer).cpu() for layer in edit.layers}
    return residual_edit(context.here.residual, edit, w_out)


def heads(context: ArmContext) -> Edit:
    """Attention heads, matched in norm to what the selected neurons write."""
    return head_edit(context.here.heads, context.here.neuron_edit(context.direction), model=context.model)
