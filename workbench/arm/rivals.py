"""Published ways to steer by other means: as strong as the edit of the selected neurons, or as they were published."""

from dataclasses import replace

from workbench.arm.context import ArmContext, Located
from workbench.arm.prompts import simple
from workbench.edit.activation_addition import activation_addition
from workbench.edit.activation_search import activation_search
from workbench.edit.edit import Composite, Edit
from workbench.edit.making import residual_edit
from workbench.edit.rivals import head_edit, npti_edit
from workbench.model.model import Model
from workbench.vocabulary import Direction


def npti(context: ArmContext) -> Composite:
    """NPTI's edit of the gate's neurons, read on the model's own answers."""
    activation = context.model.activation_function((context.model.neuron_layers or (0,))[0])
    return npti_edit(context.here.gates, direction=context.direction, gamma=1.0, activation=activation)


def residual(context: ArmContext) -> Edit:
    """The residual stream's mean difference (CAA) in every edited layer, matched in norm to the selected neurons."""
    here = context.here
    return residual_edit(here.residual, here.neuron_edit(context.direction), writing=here.writing(context.model))


def residual_one_layer(context: ArmContext) -> Edit:
    """The same in one layer, as CAA is published; the layer is chosen on search questions.

    Raises:
        ValueError: if none has been chosen.
    """
    here = context.here
    if here.one_layer is None:
        raise ValueError("The residual stream is shifted in one layer once that has been chosen, but none has.")
    return at_one_layer(here, context.direction, context.model, here.one_layer)


def at_one_layer(here: Located, direction: str, model: Model, layer: int) -> Edit:
    """The residual stream's mean difference in one layer, matched in norm to the selected neurons."""
    made = residual_edit(here.residual, here.neuron_edit(direction), writing=here.writing(model), layer=layer)
    return replace(made, provenance={**made.provenance, "layer": str(layer), "layer_chosen_on": "search questions"})


def heads(context: ArmContext) -> Edit:
    """Attention heads, matched in norm to what the selected neurons write."""
    here, model = context.here, context.model
    return head_edit(here.heads, here.neuron_edit(context.direction), model=model, writing=here.writing(model))


def act_add(context: ArmContext) -> Edit:
    """ActAdd, as strong as published: what simple prompts say of the two poles, one minus the other, in one layer."""
    toward, away = (
        simple(replace(context, direction=way)).text for way in (context.direction, _opposite(context.direction))
    )
    return activation_addition(
        context.model, context.trait, toward=toward, away=away, direction=context.direction, gamma=1.0
    )


def pas(context: ArmContext) -> Edit:
    """PAS, as strong as published: the heads that tell the poles of the study's own pairs apart best.

    Raises:
        ValueError: if there are no rows of heads to read.
    """
    here = context.here
    if here.head_rows is None:
        raise ValueError(f"PAS reads rows of attention heads, but none are known of {context.trait}.")
    heads = int(context.model.hooked.cfg.n_heads)
    return activation_search(here.head_rows(), heads=heads, direction=context.direction, seed=here.seed)


def _opposite(direction: str) -> str:
    return next(way.value for way in Direction if way != direction)
