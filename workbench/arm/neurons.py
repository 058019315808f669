"""DPN-LE's edits of selected neurons, and the same edit of what other rules select."""

from dataclasses import replace

from workbench.arm.context import ArmContext
from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit
from workbench.select.near import EmptySelectionError


def linear(context: ArmContext) -> Edit:
    """The mean difference of each selected neuron.

    Raises:
        EmptySelectionError: if the rule selects none.
    """
    here = context.here
    return dpn_edit(here.neurons, here.selection, direction=context.direction)


def largest_min_d(context: ArmContext) -> Edit:
    """The same of the neurons at the largest min_d that selects a handful; what stands for a method that has none."""
    made = context.here.neuron_edit(context.direction)
    return replace(made, provenance={**made.provenance, "min_d": f"{context.here.reachable_min_d:g}"})


def weighted(context: ArmContext) -> Edit:
    """Weighted by the rank of |d| within the layer."""
    here = context.here
    return dpn_edit(here.neurons, here.selection, direction=context.direction, weighted=True)


def directional(context: ArmContext) -> Edit:
    """High neurons alone to increase, Low ones alone to decrease.

    Raises:
        EmptySelectionError: if the rule selects none, or none for the pole.
    """
    here = context.here
    chosen = here.selection
    pole, neurons = ("high", chosen.high) if context.direction == "increase" else ("low", chosen.low)
    if not len(neurons):
        why = (
            f"The {chosen.rule} rule selects no neuron of the {pole} pole, so that none is left to {context.direction}."
        )
        raise EmptySelectionError(why, here.above if chosen.rule in ("dual", "d-only") else None, chosen)
    return dpn_edit(here.neurons, here.selection, direction=context.direction, neurons="directional")


def magnitude_only(context: ArmContext) -> Edit:
    """Neurons above tau_q, whatever their d."""
    return _chosen_by("magnitude-only", context)


def d_only(context: ArmContext) -> Edit:
    """Neurons above tau_d, whatever their |s|."""
    return _chosen_by("d-only", context)


def write_norm(context: ArmContext) -> Edit:
    """Neurons whose write to the residual stream differs most."""
    return _chosen_by("write-norm", context)


def broad(context: ArmContext) -> Edit:
    """All neurons."""
    return _chosen_by("broad", context)


def _chosen_by(rule: str, context: ArmContext) -> Edit:
    here = context.here
    return dpn_edit(here.neurons, here.chosen_by(rule), direction=context.direction)
