"""Arms that speak to the model instead of editing it."""

from workbench.arm.context import ArmContext
from workbench.concept.concept import Concept
from workbench.edit.prompting import Instruction, description_prompt, neutral_prompt, simple_prompt
from workbench.testbed.speaking import TESTBED


def simple(context: ArmContext) -> Instruction:
    """The pole in one adjective."""
    return simple_prompt(_asked(context), context.direction, speaks=context.speaks, seed=context.seed)


def description(context: ArmContext) -> Instruction:
    """The pole described in several ways after one another."""
    return description_prompt(
        _asked(context), context.direction, speaks=context.speaks, style=context.style, seed=context.seed
    )


def neutral(context: ArmContext) -> Instruction:
    """A description that says nothing of the trait."""
    return neutral_prompt(_asked(context), context.direction, speaks=context.speaks, seed=context.seed)


def _asked(context: ArmContext) -> Concept | str:
    """The concept whose words are used; of the embedded model's words, the trait's name."""
    return context.trait if context.speaks == TESTBED else context.concept
