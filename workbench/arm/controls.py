"""Controls of whichever edit is under test: as strong, where or with values that should do less."""

from workbench.arm.context import ArmContext
from workbench.edit.controls import (
    flipped_control,
    matched_control,
    other_trait_control,
    random_control,
    random_direction_control,
    shuffled_control,
)
from workbench.edit.edit import Edit
from workbench.vocabulary import HOOK_POST


def random_neurons(context: ArmContext) -> Edit:
    """The edit's values on random other units; a random direction of equal norm where it edits every unit."""
    edit = context.single_reference()
    whole = all(int((edit.layer == layer).sum()) == edit.width for layer in edit.layers)
    control = (random_direction_control if whole else random_control)(edit, seed=context.draw_seed)
    return _as_strong(context, control, edit)


def matched_neurons(context: ArmContext) -> Edit:
    """The edit's values on other neurons that differ between the poles nearly as much."""
    edit = context.single_reference()
    if edit.site != HOOK_POST.name:
        raise ValueError(f"Neurons are matched at {HOOK_POST.name}, but the edit under test is at {edit.site}.")
    here = context.here
    control = matched_control(edit, here.matched_by(context.draw_seed), here.neurons)
    return _as_strong(context, control, edit)


def shuffled(context: ArmContext) -> Edit:
    """The edit's values dealt out anew among its own units."""
    edit = context.single_reference()
    return _as_strong(context, shuffled_control(edit, seed=context.draw_seed), edit)


def flipped(context: ArmContext) -> Edit:
    """The edit with its sign turned."""
    edit = context.single_reference()
    return context.here.writing(context.model).compared(flipped_control(edit), edit)


def other_trait(context: ArmContext) -> Edit:
    """The next trait's edit in the same direction, as strong as this trait's."""
    names = list(context.located)
    if len(names) < 2:
        raise ValueError(f"Another trait's edit needs a second trait, but {context.trait} is the only one.")
    other = names[(names.index(context.trait) + 1) % len(names)]
    edit = context.single_reference()
    return _as_strong(context, other_trait_control(edit, context.single_reference(other)), edit)


def _as_strong(context: ArmContext, control: Edit, edit: Edit) -> Edit:
    """A control that writes as much to the residual stream as the edit."""
    return context.here.writing(context.model).matched(control, edit)
